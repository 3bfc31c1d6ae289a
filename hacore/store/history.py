"""The state at earlier serials: the current rows with the later changes reversed. Pure.

Rows are JSON here, in the form of `row_to_json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..errors import UsageError
from ..model import JSON

Rows = Mapping[str, JSON]  # by address


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit that changed resources: the serial after it, its Unix time, run, user and command.

    `since` is the time of the lock: commits that share it are of one session. `run` is None for commands
    that change the state only, such as `state mv`.
    """

    serial: int
    at: float
    since: float
    run: int | None
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Delta:
    """One row that a commit changed: its value before, None for a new row."""

    serial: int
    address: str
    before: JSON | None


@dataclass(frozen=True, slots=True)
class RowChange:
    """One address at two moments; None: not recorded then."""

    address: str
    before: JSON | None
    after: JSON | None

    @property
    def action(self) -> str:
        """`create`, `delete` or `update`."""
        return "create" if self.before is None else "delete" if self.after is None else "update"


@dataclass(frozen=True, slots=True)
class Episode:
    """The commits of one session, oldest first, and their changes together."""

    revisions: tuple[Revision, ...]
    changes: tuple[RowChange, ...]


def rows_at(rows: Rows, deltas: Iterable[Delta], serial: int) -> dict[str, JSON]:
    """The rows at a serial. `deltas` are those of all later commits, the newest first."""
    found = dict(rows)
    for delta in deltas:
        if delta.serial <= serial:
            break
        if delta.before is None:
            found.pop(delta.address, None)
        else:
            found[delta.address] = delta.before
    return found


def check_known(serial: int, now: int, revisions: Sequence[Revision]) -> None:
    """Raise UsageError for a serial before the history or after the current one."""
    first = revisions[0].serial - 1 if revisions else now
    if not first <= serial <= now:
        known = f"serials {first} to {now}" if first < now else f"serial {now} only"
        raise UsageError(
            f"cannot show the state at serial {serial}: the history has {known}; see `hacore state history`"
        )


def changes_between(before: Rows, after: Rows) -> tuple[RowChange, ...]:
    """The differences, in the order of addresses."""
    found = (RowChange(a, before.get(a), after.get(a)) for a in sorted(before.keys() | after.keys()))
    return tuple(change for change in found if change.before != change.after)


def episodes(rows: Rows, revisions: Sequence[Revision], deltas: Sequence[Delta]) -> list[Episode]:
    """The history by sessions, the newest first."""
    found: list[Episode] = []
    after = dict(rows)
    by_serial: dict[int, list[Delta]] = {}
    for delta in deltas:
        by_serial.setdefault(delta.serial, []).append(delta)
    for _, group in groupby(reversed(revisions), key=lambda revision: (revision.since, revision.run)):
        session = list(group)
        reversed_now = [delta for revision in session for delta in by_serial.get(revision.serial, [])]
        before = rows_at(after, reversed_now, session[-1].serial - 1)
        touched = {delta.address for delta in reversed_now}
        changes = changes_between(
            {a: before[a] for a in touched if a in before}, {a: after[a] for a in touched if a in after}
        )
        found.append(Episode(tuple(reversed(session)), changes))
        after = before
    return found
