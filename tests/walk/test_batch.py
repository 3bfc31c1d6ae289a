"""The phases of tasks that run together on a host: what is skipped, what is prepared, and which faults they share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Step, Work
from hacore.errors import ImageError
from hacore.model import Status
from hacore.testing import KINDS
from hacore.testing.questions import script
from tests.plan.table import Table, row_of
from tests.walk.test_walker import X, Y, known, with_daemon
from tests.walk.walks import Walk


class Building(type(KINDS["thing"])):  # type: ignore[misc]
    """A thing that is built in a scratch place first."""

    def prepare(self, work: Work[Any]) -> Sequence[Step]:
        return [script(["write", f"/scratch{change.spec.key}", {}, {}]) for change in work.changes]


class Unreadable(type(KINDS["thing"])):  # type: ignore[misc]
    """A thing of which the before-image is no longer readable when its steps are made."""

    def apply(self, work: Work[Any]) -> Sequence[Step]:
        raise ImageError("cannot read before-image 3: it was pruned")


@pytest.mark.parametrize("begun", [True, False])
async def test_what_an_interrupted_run_had_completed_is_recorded_and_not_written_again(
    tmp_path: Path, begun: bool
) -> None:
    table = Table()
    for where in (X, Y):
        known(table, where, "old")
        table.want(where, text="new")
    async with Walk.of(tmp_path, table) as walk:
        (first,) = (live for live in walk.lives if str(live.task.addresses[0]) == X)
        first.intent = begun
        table.world["a"].data["/x"] = {"text": "new"}
        await walk.forward()
        assert table.world["a"].did("write *") == (["write /y"] if begun else ["write /x", "write /y"])
        assert {task["status"] for task in walk.recorded().values()} == {"done"}
        for where in (X, Y):
            row = walk.row(where)
            assert row is not None
            assert (row.attrs, row.run) == (row_of(where, text="new").attrs, walk.ctx.run)


async def test_only_what_is_written_is_prepared_first(tmp_path: Path) -> None:
    table = with_daemon()
    known(table, Y, "old")  # recorded and no longer wanted: deleted or forgotten
    async with Walk.of(tmp_path, table, providers={**KINDS, "thing": Building()}) as walk:
        await walk.forward()
        assert set(walk.statuses().values()) == {Status.DONE}
        assert table.world["a"].did("write *") == ["write /scratch/x", "write /x"]


async def test_a_preparation_that_fails_leaves_the_host_alone(tmp_path: Path) -> None:
    table = Table()
    table.want(X, text="new")
    table.world["a"].fail("write /scratch/x", "no space")
    async with Walk.of(tmp_path, table, providers={**KINDS, "thing": Building()}) as walk:
        await walk.forward("halt")
        assert "cannot prepare" in walk.recorded()["t1"]["error"]
        assert (walk.recorded()["t1"]["status"], table.world["a"].data) == ("error", {})


async def test_an_unreadable_image_fails_its_tasks_and_not_the_walk(tmp_path: Path) -> None:
    table = Table()
    table.want(X, text="new")
    async with Walk.of(tmp_path, table, providers={**KINDS, "thing": Unreadable()}) as walk:
        await walk.forward("halt")
        assert walk.recorded()["t1"] == {"status": "error", "error": "cannot read before-image 3: it was pruned"}
