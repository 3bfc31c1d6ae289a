"""A fact whose answer cannot be read after a change: its own task fails, those beside it in the exec do not.

In the shell of this machine: hosts in memory have no output to misread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hacore.contract import Ask, Claim, Desired, Image, Observed, Provider, Spec, Step, View, Work, quote
from hacore.engine import LoadRequest, Means, Request, apply
from hacore.testing import ThisMachine


class There:
    """Whether files are there; with `odd` in its name, one that is there cannot be read."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, asks: Sequence[Ask]) -> str:
        return "\n".join(f"[ ! -e {quote(ask.arg)} ] || printf '%s\\0' {quote(ask.arg)}" for ask in asks)

    def parse(self, stdout: bytes) -> Mapping[str, bool]:
        found = stdout.decode().split("\0")[:-1]
        if found and self.name == "odd":
            raise IndexError("list index out of range")
        return dict.fromkeys(found, True)


class NoteSpec(Spec):
    path: str


class Note(Provider[NoteSpec]):
    api = 2
    kind = "note"
    spec = NoteSpec

    @property
    def fact(self) -> There:
        return There(self.kind)

    def claims(self, spec: NoteSpec) -> Sequence[Claim]:
        return [Claim(f"path:{spec.path}")]

    def facts(self, spec: NoteSpec) -> Sequence[Ask]:
        return [Ask(self.fact, spec.path)]

    def observe(self, view: View[NoteSpec]) -> Observed | None:
        return Observed({"there": True}) if view.facts.get(self.fact, view.spec.path) else None

    def desire(self, view: View[NoteSpec]) -> Desired:
        return Desired({"there": True})

    def capture(self, work: Work[NoteSpec]) -> Step:
        return Step(":", parse=lambda _: {change.address: Image(None) for change in work.changes})

    def apply(self, work: Work[NoteSpec]) -> Sequence[Step]:
        return [Step(f"touch {quote(change.spec.path)}") for change in work.changes]

    def undo(self, work: Work[NoteSpec]) -> Sequence[Step]:
        return [Step(f"rm -f {quote(change.spec.path)}") for change in work.changes]


class Odd(Note):
    kind = "odd"


async def test_an_answer_that_cannot_be_read_fails_its_own_task(tmp_path: Path) -> None:
    stack = tmp_path / "stack.yaml"
    stack.write_text(
        "stack: s\nhosts: {h: {address: localhost}}\nresources:\n"
        f"  note: {{good: {{path: {tmp_path}/good}}}}\n  odd: {{bad: {{path: {tmp_path}/bad}}}}\n"
    )
    kinds: dict[str, Provider[Any]] = {"note": Note(), "odd": Odd()}
    connect = ThisMachine(tmp_path / "here").connect

    request = Request(LoadRequest(stack, state_url=f"sqlite:///{tmp_path}/s.db"), Means(kinds, connect=connect))
    result = await apply(request, approve=yes)

    tasks = {task.addresses[0]: task for task in result.tasks}
    assert tasks["note.good@h"].status == "done"
    assert tasks["odd.bad@h"].status == "error"  # nobody knows whether it failed: nothing is undone for that
    assert "odd" in tasks["odd.bad@h"].error
    assert "cannot check h: odd: " in tasks["odd.bad@h"].error
    assert (tmp_path / "good").exists()
    assert (tmp_path / "bad").exists()


async def yes(*_: Any) -> bool:
    return True
