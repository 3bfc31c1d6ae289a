"""Which runs are in effect, and which must be undone to get back to before one. Pure.

A successful rollback cancels the runs that it names, as long as it is in effect itself: it can be
rolled back like any run, and then they are in effect again. On the way back past both, a run and the
rollback that cancelled it are skipped together: their effects cancel each other.

    1 apply   2 apply   3 apply   4 rollback (undoes 3 2)   5 apply

    before 5: 5      before 4: 5 4      before 3: 5 4 3      before 2: 5      before 1: 5 1

A roll (planned maintenance) leaves nothing that a rollback undoes. A rollback that failed halfway cancels nothing: its
tasks are undone like those of a run.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...store import RunRecord


def way_back(runs: Sequence[RunRecord], before: int) -> list[RunRecord]:
    """The runs to undo, newest first, to get back to before the run of that number."""
    skipped: set[int] = set()
    way: list[RunRecord] = []
    for run in sorted(runs, key=lambda r: -r.id):
        if run.id < before:
            break
        if run.id in skipped or run.status == "rolled_back" or run.command in ("roll", "drill"):
            continue
        if _cancels(run) and min(run.undoes) >= before:
            skipped |= set(run.undoes)
        else:
            way.append(run)
    return way


def last_applied(runs: Sequence[RunRecord]) -> RunRecord | None:
    """The newest run that is in effect and not a rollback."""
    return next((run for run in way_back(runs, 0) if run.command != "rollback"), None)


def cancelled(runs: Sequence[RunRecord]) -> dict[int, int]:
    """The runs that are no longer in effect, each with the rollback that cancelled it."""
    found: dict[int, int] = {}
    for run in sorted(runs, key=lambda r: -r.id):
        if run.id not in found and _cancels(run):
            found.update({number: run.id for number in run.undoes if number not in found})
    return found


def _cancels(run: RunRecord) -> bool:
    return run.command == "rollback" and run.status == "done" and bool(run.undoes)


__all__ = ["cancelled", "last_applied", "way_back"]
