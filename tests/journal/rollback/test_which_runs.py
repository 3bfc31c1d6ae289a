"""Which runs are undone to get back to before one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.journal import cancelled, last_applied, way_back
from hacore.store import RunRecord


def apply(number: int, status: str = "done") -> RunRecord:
    return RunRecord(number, "apply", status, 0.0, 1.0, "me@desk", "s", "", "rollback")


def rollback(number: int, *undoes: int, status: str = "done") -> RunRecord:
    return replace(apply(number, status), command="rollback", undoes=undoes)


HISTORY = [apply(1), apply(2), apply(3), rollback(4, 3, 2), apply(5)]


@pytest.mark.parametrize(
    ("runs", "before", "way"),
    [
        (HISTORY, 6, []),
        (HISTORY, 5, [5]),
        (HISTORY, 4, [5, 4]),
        # the rollback undid 2 as well, which stands before 3: it is undone itself
        (HISTORY, 3, [5, 4, 3]),
        (HISTORY, 2, [5]),
        (HISTORY, 1, [5, 1]),
        ([apply(1), apply(2, "rolled_back")], 1, [1]),
        # a rollback that failed cancels nothing
        ([apply(1), apply(2), rollback(3, 2, status="failed")], 1, [3, 2, 1]),
        # a rollback of a rollback: the run stands again
        ([apply(1), apply(2), rollback(3, 2), rollback(4, 3)], 1, [2, 1]),
        # a run that was interrupted, or failed, may have changed its hosts
        ([apply(1), apply(2, "running")], 1, [2, 1]),
        ([apply(1), apply(2, "failed")], 1, [2, 1]),
        # planned maintenance and drills leave nothing to undo
        ([apply(1), replace(apply(2), command="roll"), replace(apply(3), command="drill")], 1, [1]),
    ],
)
def test_the_way_back(runs: list[RunRecord], before: int, way: list[int]) -> None:
    assert [run.id for run in way_back(runs, before)] == way


@pytest.mark.parametrize(
    ("runs", "last", "without"),
    [
        ([], None, {}),
        (HISTORY, 5, {3: 4, 2: 4}),
        (HISTORY[:4], 1, {3: 4, 2: 4}),
        ([apply(1), apply(2), rollback(3, 2), rollback(4, 3)], 2, {3: 4}),
    ],
)
def test_what_stands(runs: list[RunRecord], last: int | None, without: dict[int, int]) -> None:
    found = last_applied(runs)
    assert (None if found is None else found.id) == last
    assert cancelled(runs) == without
