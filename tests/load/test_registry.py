"""Kinds come by entry point; a broken plugin names whose it is."""

from __future__ import annotations

from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Desired, Provider, Spec
from hacore.errors import UsageError
from hacore.load import load_providers


class Thing(Provider[Spec]):
    kind = "thing"
    spec = Spec

    def facts(self, spec: Spec) -> Any:
        return ()

    def observe(self, view: Any) -> None:
        return None

    def desire(self, view: Any) -> Desired:
        return Desired({})


class FakeDistribution(Distribution):
    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Path:
        return Path(path)


class Point(EntryPoint):
    """An entry point that gives an object, or raises."""

    def load(self) -> Any:
        found = OBJECTS[self.value]
        if isinstance(found, Exception):
            raise found
        return found


OBJECTS: dict[str, Any] = {
    "mod:THING": Thing(),
    "mod:NONE": object(),
    "mod:CLASS": Thing,
    "mod:BROKEN": ImportError("no module named nothing"),
}


def point(name: str, value: str, distribution: str) -> EntryPoint:
    made = Point(name, value, "hacore.providers")
    made._for(FakeDistribution(distribution))  # type: ignore[attr-defined]
    return made


def test_kinds_by_name() -> None:
    found = load_providers([point("thing", "mod:THING", "things")])

    assert dict(found) == {"thing": OBJECTS["mod:THING"]}


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (
            [("thing", "mod:THING", "one"), ("thing", "mod:THING", "two")],
            "cannot load the resource kind 'thing' of two: one brings that kind too; uninstall one of them",
        ),
        (
            [("x", "mod:BROKEN", "one")],
            "cannot load the resource kind 'x' of one: ImportError: no module named nothing",
        ),
        ([("x", "mod:NONE", "one")], "cannot load the resource kind 'x' of one: mod:NONE is no Provider"),
        ([("thing", "mod:CLASS", "one")], "cannot load the resource kind 'thing' of one: mod:CLASS is no Provider"),
        ([("x", "mod:THING", "one")], "cannot load the resource kind 'x' of one: its provider must have kind = 'x'"),
    ],
)
def test_a_bad_plugin_names_its_distribution(points: list[tuple[str, str, str]], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_providers([point(*p) for p in points])

    assert str(caught.value).startswith(message)
