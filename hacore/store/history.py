"""The state at earlier serials: the present rows, with what came later taken back. Pure.

Rows are JSON here, as `row_to_json` has them.
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
    """A commit that changed resources: the serial it came to, when (Unix time), whose run, by whom, doing what.

    `since` is when the lock was taken: commits that share it are of one session. `run` is None for
    what was done to the state alone, such as `state mv`.
    """

    serial: int
    at: float
    since: float
    run: int | None
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Delta:
    """One row that a commit changed, as it was before; None: there was none."""

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
    """The commits of one session, oldest first, and what they came to together."""

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
    """Raise UsageError for a serial that the history does not reach."""
    first = revisions[0].serial - 1 if revisions else now
    if not first <= serial <= now:
        known = f"{first} to {now}" if first < now else f"{now} alone"
        raise UsageError(
            f"cannot show the state at serial {serial}: the history has {known}; see `hacore state history`"
        )


def changes_between(before: Rows, after: Rows) -> tuple[RowChange, ...]:
    """What is different, in the order of addresses."""
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
        taken_back = [delta for revision in session for delta in by_serial.get(revision.serial, [])]
        before = rows_at(after, taken_back, session[-1].serial - 1)
        touched = {delta.address for delta in taken_back}
        changes = changes_between(
            {a: before[a] for a in touched if a in before}, {a: after[a] for a in touched if a in after}
        )
        found.append(Episode(tuple(reversed(session)), changes))
        after = before
    return found
