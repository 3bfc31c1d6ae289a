"""fleet.yaml becomes a Fleet, or all of its mistakes at once, each with file, line and column. No host is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from ..errors import UsageError
from ..load.find import absolute_state, state_folder
from ..load.outline import root_of, shown
from ..load.problems import Problems
from ..load.pydantic_errors import Translator
from ..load.stack import Position
from ..load.yaml_nodes import Node
from . import tables
from .members import by_pattern, of_rows
from .models import ANY, FleetBody, RolloutBody, TableBody, WaveBody, share_of
from .rollout import Policy, Wave, count_of, plan_waves
from .values import Member

FILE = "fleet.yaml"
_KEYS = frozenset(name for name in FleetBody.model_fields)


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet as loaded. `folder`: that of its file; `members`: by name, in the order of the fleet."""

    name: str
    folder: Path
    members: Mapping[str, Member]
    rollout: RolloutBody

    @property
    def labels(self) -> dict[str, Mapping[str, str]]:
        """The labels of each stack."""
        return {name: member.labels for name, member in self.members.items()}

    @property
    def records(self) -> Path:
        """The folder of the records of its runs."""
        return state_folder(self.folder) / "state" / f"{self.name}.fleet"

    def selected(self, where: Mapping[str, str]) -> dict[str, Member]:
        """The members with these labels. Raises UsageError if there is none."""
        found = {
            name: member
            for name, member in self.members.items()
            if all(member.labels.get(key) == value for key, value in where.items())
        }
        if not found:
            words = " ".join(f"{key}={value}" for key, value in where.items())
            raise UsageError(f"cannot select {words}: no stack of the fleet {self.name} has these labels")
        return found

    def waves(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """The stacks of each wave."""
        return plan_waves(names, self.labels, [_wave(wave) for wave in self.rollout.waves])

    def policy(self, whole: int) -> Policy:
        """The limits as counts, for so many stacks."""
        body = self.rollout
        return Policy(
            at_once=body.at_once,
            at_once_per=body.at_once_per,
            failed=count_of(_number(body.budget.failed), whole),
            unreachable=count_of(_number(body.budget.unreachable), whole),
            strict=body.budget.mode == "strict",
            min_done=_number(body.min_done),
        )


def find_fleet(named: str | None) -> Path:
    """The file of a fleet: a file, or fleet.yaml of a folder. Raises UsageError."""
    path = Path(named) if named else Path.cwd()
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"cannot find a fleet: {shown(file)} does not exist; give its folder or file")
    return file.absolute()


def load_fleet(file: Path) -> Fleet:
    """Load a fleet. Raises StackError with all mistakes, UsageError for files that cannot be read."""
    problems = Problems()
    root = root_of(file, problems, _KEYS)
    if root is None:
        raise problems.error()
    try:
        body = FleetBody.model_validate(root.data())
    except ValidationError as error:
        Translator(problems, root, root.data()).report(error, FleetBody)
        raise problems.error() from None
    members = _members(file.parent, body, root, problems)
    _check(body, members, root, problems)
    if problems:
        raise problems.error()
    return Fleet(body.fleet, file.parent, {member.name: member for member in members}, body.rollout)


def _members(folder: Path, body: FleetBody, root: Node, problems: Problems) -> list[Member]:
    where = root.at(("stacks",))
    if isinstance(body.stacks, TableBody):
        rows = tables.read(folder, body.stacks, root, problems)
        found = of_rows(folder, body.stacks, rows, root, problems)
    else:
        found = by_pattern(folder, body.stacks, where, problems)
    return [replace(member, state=_state(folder, body, member, root, problems), env=body.env) for member in found]


def _state(folder: Path, body: FleetBody, member: Member, root: Node, problems: Problems) -> str | None:
    """The state of a member in that of the fleet: `?state=FLEET/NAME` on a server, a file in a folder.

    Without `state` in the fleet a row of a table has a file of its own, and a stack file has its own state.
    """
    if body.state is None:
        own = state_folder(folder) / "state" / body.fleet / f"{member.name}.db"
        return None if isinstance(body.stacks, str) else f"sqlite:///{own}"
    url = body.state
    if url.partition(":")[0].partition("+")[0] != "sqlite":
        if "state=" in url.partition("?")[2]:
            problems.add(root.at(("state",)), "state must not have ?state=: each stack of the fleet has its own")
        return f"{url}{'&' if '?' in url else '?'}state={quote(f'{body.fleet}/{member.name}', safe='/')}"
    try:
        base = absolute_state(f"{url.rstrip('/')}/x.db", state_folder(folder))
    except UsageError as error:
        problems.add(root.at(("state",)), str(error))
        return None
    return f"{base.removesuffix('/x.db')}/{member.name}.db"


def _check(body: FleetBody, members: Sequence[Member], root: Node, problems: Problems) -> None:
    """What can only be known from all members together."""
    where = root.at(("stacks",))
    if not members and not problems:
        problems.add(where, "no stack was found: check the path, or the rows of the table")
    for name, count in Counter(member.name for member in members).items():
        if count > 1:
            problems.add(where, f"{count} stacks have the name {name!r}: names must be unique")
    known = {key for member in members for key in member.labels}
    used: list[tuple[Position, str]] = [
        (root.at(("rollout", "at_once_per", key), key=True), key) for key in body.rollout.at_once_per
    ]
    for number, wave in enumerate(body.rollout.waves):
        if isinstance(wave, WaveBody):
            path = ("rollout", "waves", number)
            used += [(root.at((*path, "in", key), key=True), key) for key in wave.within if key != ANY]
            value = wave.within.get(ANY)
            if members and value is not None and not any(value in m.labels.values() for m in members):
                values = ", ".join(sorted({v for m in members for v in m.labels.values()})) or "none"
                problems.add(root.at(path), f"no label has the value {value!r}: the values of this fleet are {values}")
            used += [(root.at((*path, "per")), wave.per)] if wave.per else []
    for position, key in used:
        if members and key not in known:
            labels = ", ".join(sorted(known)) or "none"
            problems.add(position, f"unknown label {key!r}: the labels of this fleet are {labels}")
    for key, most in body.rollout.at_once_per.items():
        if most < 1:
            problems.add(root.at(("rollout", "at_once_per", key)), "must be at least 1")


def _number(amount: int | str) -> int | float:
    if isinstance(amount, int):
        return amount
    share = share_of(amount)
    assert share is not None  # the model has checked it
    return share


def _wave(wave: Any) -> Wave:
    if isinstance(wave, WaveBody):
        return Wave(_number(wave.stacks), wave.within, wave.per)
    return Wave(_number(wave))
