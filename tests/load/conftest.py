"""Small kinds of our own, and a stack's folder to load from: nothing here depends on the real kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import Field

from hacore.address import Address
from hacore.contract import (
    NO_RULES,
    Ask,
    Desired,
    Host,
    Lifecycle,
    Mistake,
    Observed,
    Provider,
    Spec,
    StackFiles,
    Trigger,
    View,
)
from hacore.errors import Problem, StackError
from hacore.load import LoadRequest, Stack, load


class Pure(Provider[Any]):
    def facts(self, spec: Any) -> Sequence[Ask]:
        return ()

    def observe(self, view: View[Any]) -> Observed | None:
        return None

    def desire(self, view: View[Any]) -> Desired:
        return Desired({})


class Login(Spec):
    type: str = "PASS"
    password: str = ""


class DocSpec(Spec):
    path: str
    content: str | None = None
    template: str | None = None
    source: str | None = None
    mode: str | None = None
    size: int | None = None
    names: list[str] | dict[str, list[str]] | None = None
    login: Login | None = None
    vars: dict[str, Any] = Field(default_factory=dict)


class Doc(Pure):
    """Like a file: takes in templates and sources."""

    api = 2
    kind = "doc"
    spec = DocSpec

    def resolve(self, spec: DocSpec, files: StackFiles) -> DocSpec:
        if spec.template is not None:
            text, _ = files.render(spec.template, spec.vars)
            return spec.model_copy(update={"content": text, "template": None, "vars": {}})
        if spec.source is not None:
            return spec.model_copy(update={"content": files.read(spec.source).decode()})
        return spec

    def validate(
        self, members: Mapping[str, DocSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        for name, spec in members.items():
            if not spec.path.startswith("/"):
                yield name, Mistake("path", f"{spec.path!r} is not absolute: start it with /")


class UnitSpec(Spec):
    unit: str = ""
    reload_on: list[str] = Field(default_factory=list)


class Unit(Pure):
    """Like a service: its triggers are edges."""

    api = 2
    kind = "unit"
    spec = UnitSpec

    def resolve(self, spec: UnitSpec, files: StackFiles) -> UnitSpec:
        return spec.model_copy(update={"unit": spec.unit or files.name})

    def triggers(self, spec: UnitSpec, address: Address) -> Sequence[Trigger]:
        return (*(Trigger(source, "reload") for source in spec.reload_on), Trigger(str(address), "reload"))


class PairSpec(Spec):
    instance: str
    address: str = ""
    first: str = ""


class Pair(Pure):
    """Like a vip: one instance that looks at all hosts."""

    api = 2
    kind = "pair"
    spec = PairSpec
    hosts = "together"

    def resolve(self, spec: PairSpec, files: StackFiles) -> PairSpec:
        other = files.resource("doc", spec.instance)
        found = {"first": files.host.name, "address": getattr(other, "content", "") or spec.address}
        return spec.model_copy(update=found)

    def needs(self, spec: PairSpec) -> Sequence[str]:
        return (f"doc.{spec.instance}",)

    def validate(
        self, members: Mapping[str, PairSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        if len(members) != 2:
            yield next(iter(members)), Mistake.where("instance", f"is on {len(members)} hosts: a pair needs two")


PROVIDERS: Mapping[str, Provider[Any]] = {"doc": Doc(), "unit": Unit(), "pair": Pair()}

HEAD = """\
stack: web
hosts:
  lb1: {address: 192.0.2.1, groups: [lb], vars: {prio: 100, nic: eth1}}
  lb2: {address: 192.0.2.2, groups: [lb], vars: {prio: 99, nic: eth2}}
  db1: {address: 192.0.2.3, groups: [db]}
"""


@dataclass
class Bench:
    """A stack's folder."""

    folder: Path
    providers: Mapping[str, Provider[Any]] = field(default_factory=lambda: PROVIDERS)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def load(self, body: str, *, head: str = HEAD, **options: Any) -> Stack:
        self.write("stack.yaml", head + dedent(body).lstrip("\n"))
        options.setdefault("environ", {"HOME": str(self.folder)})
        return load(LoadRequest(self.folder / "stack.yaml", **options), self.providers)

    def problems(self, body: str, **options: Any) -> tuple[Problem, ...]:
        with pytest.raises(StackError) as caught:
            self.load(body, **options)
        return caught.value.problems

    def problem(self, body: str, **options: Any) -> Problem:
        """The only problem of a stack."""
        found = self.problems(body, **options)
        assert len(found) == 1, "\n".join(map(str, found))
        return found[0]

    def specs(self, body: str, **options: Any) -> dict[str, Any]:
        return {str(address): i.spec for address, i in self.load(body, **options).instances.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "stack")


@pytest.fixture
def place() -> Callable[[Path, str], tuple[int, int]]:
    """Line and column of the one occurrence of a text in a file."""

    def find(path: Path, text: str) -> tuple[int, int]:
        lines = [(n, line) for n, line in enumerate(path.read_text().splitlines(), 1) if text in line]
        assert len(lines) == 1, lines
        return lines[0][0], lines[0][1].index(text) + 1

    return find
