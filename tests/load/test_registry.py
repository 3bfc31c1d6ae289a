"""Kinds come by entry point; one that cannot be used is refused by name, and stops nothing else."""

from __future__ import annotations

from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Desired, Provider, Spec
from hacore.load import load_providers


class Thing(Provider[Spec]):
    api = 2
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
        if isinstance(found, BaseException):
            raise found
        return found


class Earlier(Thing):
    api = 1

    def indelible(self, spec: Spec) -> str:
        return "why"


class Later(Thing):
    api = 3


class Mixed(Thing):
    def indelible(self, spec: Spec) -> str:
        return "why"


class NoWayBack(Thing):
    def apply(self, work: Any) -> Any:
        return ()

    def capture(self, work: Any) -> Any:
        return None


class Short(Thing):
    def examine(self) -> Any:  # type: ignore[override]
        return ()


class Silent(Provider[Spec]):
    kind = "thing"
    spec = Spec

    facts, observe, desire = Thing.facts, Thing.observe, Thing.desire  # type: ignore[assignment]


OBJECTS: dict[str, Any] = {
    "mod:THING": Thing(),
    "mod:NONE": object(),
    "mod:CLASS": Thing,
    "mod:BROKEN": ImportError("no module named nothing"),
    "mod:EXITS": SystemExit(3),
    "mod:EARLIER": Earlier(),
    "mod:LATER": Later(),
    "mod:MIXED": Mixed(),
    "mod:SILENT": Silent(),
    "mod:NO_WAY_BACK": NoWayBack(),
    "mod:SHORT": Short(),
}


def point(name: str, value: str, distribution: str) -> EntryPoint:
    made = Point(name, value, "hacore.providers")
    made._for(FakeDistribution(distribution))  # type: ignore[attr-defined]
    return made


def test_kinds_by_name() -> None:
    found = load_providers([point("thing", "mod:THING", "things")])

    assert list(found) == ["thing"]
    assert found["thing"].inner is OBJECTS["mod:THING"]  # type: ignore[attr-defined]
    assert not found.refused


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("mod:BROKEN", "ImportError: no module named nothing"),
        ("mod:EXITS", "SystemExit: 3"),
        ("mod:NONE", "mod:NONE is not a Provider: name an instance"),
        ("mod:CLASS", "mod:CLASS is not a Provider: name an instance"),
        ("mod:EARLIER", "it is written for api 1: rename `indelible` to `delete_irreversible`, declare `api = 2`; see"),
        ("mod:SILENT", "it is written for api 1: declare `api = 2`; see docs/providers.md"),
        ("mod:LATER", "it is written for api 3, and this hacore has api 2: install a newer hacore"),
        ("mod:MIXED", "it has members of an earlier api: rename `indelible` to `delete_irreversible`; see"),
        ("mod:NO_WAY_BACK", "it has `apply` without `undo`: a rollback could not restore what it changes; see"),
        ("mod:SHORT", "its `examine` must take (view); see docs/providers.md"),
    ],
)
def test_a_kind_that_cannot_be_used_is_refused_by_name(value: str, why: str) -> None:
    found = load_providers([point("thing", value, "one"), point("y", "mod:NONE", "two")])

    assert not dict(found)
    assert found.refused["thing"].startswith(f"cannot load the kind 'thing' of one 1 (entry point {value}): {why}")
    assert found.refused["y"].startswith("cannot load the kind 'y' of two 1 (entry point mod:NONE): ")


def test_a_kind_under_another_name_is_refused() -> None:
    found = load_providers([point("x", "mod:THING", "one")])

    assert found.refused["x"].endswith("its provider has kind = 'thing' and must have kind = 'x'")


def test_a_kind_that_two_packages_bring_names_both() -> None:
    found = load_providers([point("thing", "mod:THING", "one"), point("thing", "mod:THING", "two")])

    assert not dict(found)
    assert found.refused["thing"].startswith("cannot load the kind 'thing' of two 1 (entry point mod:THING): one 1 ")


@pytest.mark.parametrize("kind", sorted(point.name for point in entry_points(group="hacore.providers")))
def test_each_kind_is_where_its_entry_point_says(kind: str) -> None:
    """`hacore_providers.KIND:PROVIDER` is public: other packages test against it and derive from it."""
    (point,) = entry_points(group="hacore.providers", name=kind)

    provider = point.load()

    assert point.value == ("hacore_command:PROVIDER" if kind == "command" else f"hacore_providers.{kind}:PROVIDER")
    assert provider.kind == kind
    assert type(provider).api == 2
