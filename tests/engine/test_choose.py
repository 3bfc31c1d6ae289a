"""What a rollback means, by the recorded runs and their tasks: a pure choice; and how a run ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from hacore.engine.results import WayBack
from hacore.engine.rolling_back.choose import choose
from hacore.engine.run import outcome
from hacore.errors import HacoreError, PlanError, StoreError
from hacore.model import Status
from hacore.store import RunRecord, TaskRecord
from tests.engine.test_way_back import run

FINISH, TAKE_BACK, UNDO = WayBack.FINISH, WayBack.TAKE_BACK, WayBack.UNDO


@dataclass(frozen=True)
class Recorded:
    """Runs, and the tasks of each as (operation, status)."""

    all_runs: Sequence[RunRecord]
    by_run: Mapping[int, Sequence[tuple[str, str]]] = field(default_factory=dict)

    def runs(self) -> list[RunRecord]:
        return list(self.all_runs)

    def tasks(self, number: int) -> list[TaskRecord]:
        pairs = enumerate(self.by_run.get(number, ()))
        return [TaskRecord(number, f"t{n}", op, "file", "a", (), status) for n, (op, status) in pairs]


BOTH_DONE = [("change", "done"), ("change", "done")]
OUT = [("drain", "done"), ("change", "done"), ("undrain", "hold")]
IN = [("drain", "done"), ("change", "done"), ("undrain", "done")]
FAILED = run(2, status="failed")
STOPPED = run(2, status="interrupted")
HALF = run(3, 2, status="failed")


@pytest.mark.parametrize(
    ("runs", "tasks", "wanted", "how", "numbers"),
    [
        # runs that ended are undone
        ([run(1), run(2)], {}, None, UNDO, [2]),
        ([run(1), run(2)], {}, 1, UNDO, [2, 1]),
        ([run(1), run(2), run(3, 2)], {}, None, UNDO, [1]),
        ([run(1), run(2), run(3, 2)], {}, 3, UNDO, [3]),
        ([run(1), run(2, status="rolled_back")], {}, None, UNDO, [1]),
        # an interrupted run is undone by its own journal
        ([run(1), STOPPED], {}, None, TAKE_BACK, [2]),
        ([run(1), STOPPED], {}, 2, TAKE_BACK, [2]),
        ([run(1), run(2, status="running")], {}, None, TAKE_BACK, [2]),
        # a failed run as well, where it left something behind
        ([run(1), FAILED], {2: [("change", "error"), ("change", "hold")]}, None, TAKE_BACK, [2]),
        ([run(1), FAILED], {2: [("change", "doing")]}, None, TAKE_BACK, [2]),
        ([run(1), FAILED], {2: [("change", "undo")]}, 2, TAKE_BACK, [2]),
        ([run(1), FAILED], {2: [("change", "undoing")]}, None, TAKE_BACK, [2]),
        ([run(1), FAILED], {2: OUT}, None, TAKE_BACK, [2]),
        ([run(1), FAILED], {2: [("drain", "error"), ("change", "hold")]}, None, TAKE_BACK, [2]),
        ([run(1), FAILED], {2: [("drain", "hold"), ("change", "hold")]}, None, UNDO, [2]),
        ([run(1), FAILED], {2: IN}, None, UNDO, [2]),
        ([run(1), FAILED], {2: [*IN, *OUT]}, None, TAKE_BACK, [2]),
        ([run(1), FAILED], {2: [("change", "done"), ("change", "undone"), ("change", "hold")]}, None, UNDO, [2]),
        ([run(1), FAILED], {2: [("change", "error")]}, 1, UNDO, [2, 1]),
        # an interrupted or failed rollback is finished, or undone by its number
        ([run(1), run(2), run(3, 2, status="interrupted")], {3: [("restore", "doing")]}, None, FINISH, [3]),
        ([run(1), run(2), HALF], {3: [("restore", "done"), ("restore", "error")]}, None, FINISH, [3]),
        ([run(1), run(2), HALF], {3: [("restore", "done"), ("restore", "do")]}, None, FINISH, [3]),
        ([run(1), run(2), HALF], {3: [("restore", "done"), ("restore", "error")]}, 3, TAKE_BACK, [3]),
        ([run(1), run(2), HALF], {3: BOTH_DONE}, None, UNDO, [3, 2]),
        # unless it was being undone itself
        ([run(1), run(2), HALF], {3: [("restore", "undone"), ("restore", "error")]}, None, TAKE_BACK, [3]),
        ([run(1), run(2), HALF], {3: [("restore", "undoing"), ("restore", "done")]}, None, TAKE_BACK, [3]),
        ([run(1), run(2), HALF], {3: [("restore", "undo"), ("restore", "done")]}, None, TAKE_BACK, [3]),
    ],
)
def test_what_is_rolled_back_and_how(
    runs: list[RunRecord], tasks: Any, wanted: int | None, how: WayBack, numbers: list[int]
) -> None:
    target = choose(Recorded(runs, tasks), wanted)  # type: ignore[arg-type]
    assert (target.how, [r.id for r in target.runs]) == (how, numbers)


@pytest.mark.parametrize(
    ("runs", "wanted", "error", "message"),
    [
        ([], None, StoreError, r"cannot roll back: no run is left to undo$"),
        ([run(1), run(2, 1)], None, StoreError, r"cannot roll back: no run is left to undo$"),
        ([run(1, status="rolled_back")], None, StoreError, r"no run is left to undo$"),
        ([run(1)], 7, StoreError, r"cannot roll back run 7: it is not recorded; `hacore runs` lists the runs$"),
        (
            [run(1), run(2), run(3, 2)],
            2,
            StoreError,
            r"cannot roll back run 2: run 3 undid it, and no later run is in effect; "
            r"to undo run 3: `hacore rollback 3`$",
        ),
        (
            [run(1), run(2, status="rolled_back")],
            2,
            StoreError,
            r"cannot roll back run 2: it was undone when it failed, and no later run is in effect$",
        ),
        (
            [run(1), STOPPED],
            1,
            PlanError,
            r"cannot roll back run 1: run 2 \(apply\) was interrupted; end it first with `hacore rollback`$",
        ),
    ],
)
def test_a_rollback_that_is_refused(
    runs: list[RunRecord], wanted: int | None, error: type[HacoreError], message: str
) -> None:
    with pytest.raises(error, match=message):
        choose(Recorded(runs), wanted)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Ended:
    status: Status


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "done"),
        (["done", "done"], "done"),
        (["done", "do"], "interrupted"),
        (["done", "doing", "error"], "interrupted"),
        (["done", "error"], "failed"),
        (["undone", "error"], "failed"),
        (["undone", "hold"], "rolled_back"),
        (["undone"], "rolled_back"),
        (["undone", "done", "hold"], "failed"),
        (["done", "hold"], "failed"),
    ],
)
def test_how_a_run_ended(statuses: list[str], expected: str) -> None:
    assert outcome([Ended(Status(status)) for status in statuses]) == expected  # type: ignore[misc]
