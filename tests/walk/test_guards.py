"""The parts of a guard block: when a host is out of service, what is verified, and how each of them fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Guard, View
from hacore.errors import ProviderError
from hacore.journal import RunningTask
from hacore.model import Op, Status
from hacore.plan import PlanTask
from hacore.testing import KINDS
from hacore.walk.guards import guard_task, serving
from tests.plan.table import Table
from tests.walk.walks import Walk

GATE, X = Address.parse("gate.g@a"), Address.parse("thing.x@a")


def clearing(answers: Sequence[bool]) -> Any:
    """A gate that is clear when the answer is True; the last answer stays."""
    left = list(answers)

    class Slow(type(KINDS["gate"])):  # type: ignore[misc]
        def guard(self, view: View[Any]) -> Guard | None:
            found: Guard | None = super().guard(view)
            return found and replace(found, clear=lambda _view: left.pop(0) if len(left) > 1 else left[0])

    return {**KINDS, "gate": Slow()}


def part(op: Op, address: Address = GATE, **more: Any) -> RunningTask:
    return RunningTask(PlanTask(op.value, op, address.kind, "a", (address,), group="g", **more))


def pair(**body: Any) -> Table:
    table = Table()
    table.want(str(GATE), vip="v", **body)
    table.world.vips["v"] = ["a", "b"]
    return table


@pytest.mark.parametrize(
    ("op", "undo", "drained"),
    [
        (Op.DRAIN, False, {"v"}),
        (Op.DRAIN, True, set()),
        (Op.UNDRAIN, False, set()),
        (Op.UNDRAIN, True, {"v"}),
    ],
)
async def test_the_undo_of_a_drain_is_an_undrain_and_the_other_way_round(
    tmp_path: Path, op: Op, undo: bool, drained: set[str]
) -> None:
    table, live = pair(), part(op)
    table.world["a"].drained = set() if drained else {"v"}
    async with Walk.of(tmp_path, table, [live]) as walk:
        assert await guard_task(live, walk.ctx, undo=undo) is None
        assert (table.world["a"].drained, live.intent) == (drained, True)
        assert walk.recorded()[op.value]["status"] == (Status.UNDONE if undo else Status.DONE).value


@pytest.mark.parametrize(
    ("answers", "patience", "error"),
    [
        ([True], 0.0, ""),
        ([False, False, True], 60.0, ""),
        ([False, True], 0.0, "cannot drain a: it still serves gate.g@a"),
    ],
)
async def test_a_drain_ends_when_the_host_is_clear_or_patience_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[bool], patience: float, error: str
) -> None:
    monkeypatch.setattr("hacore.walk.guards.POLL", 0.001)
    live = part(Op.DRAIN)
    async with Walk.of(tmp_path, pair(patience=patience), [live], providers=clearing(answers)) as walk:
        failed = await guard_task(live, walk.ctx)
        assert ("" if failed is None else str(failed)) == error


@pytest.mark.parametrize(("op", "verb"), [(Op.DRAIN, "drain"), (Op.UNDRAIN, "undrain")])
async def test_a_guard_of_which_the_steps_fail(tmp_path: Path, op: Op, verb: str) -> None:
    table, live = pair(), part(op)
    table.world["a"].fail(f"{verb} v", "no such socket")
    async with Walk.of(tmp_path, table, [live]) as walk:
        failed = await guard_task(live, walk.ctx)
        assert failed is not None
        assert str(failed).startswith(f"cannot {verb} a")
        assert "no such socket" in str(failed)
        assert not failed.fenced


@pytest.mark.parametrize("error", [ValueError, ProviderError])
@pytest.mark.parametrize("op", [Op.DRAIN, Op.VERIFY, Op.UNDRAIN])
async def test_a_guard_that_a_kind_cannot_decide_fails_and_does_not_end_the_walk(
    tmp_path: Path, op: Op, error: type[Exception]
) -> None:
    def refuse(_view: Any) -> Any:
        raise error("cannot read the weight")

    class Broken(type(KINDS["gate"])):  # type: ignore[misc]
        guard = staticmethod(refuse)
        observe = staticmethod(refuse)

    live = part(op)
    async with Walk.of(tmp_path, pair(), [live]) as walk:
        walk.ctx.providers = {**KINDS, "gate": Broken()}
        failed = await guard_task(live, walk.ctx)
        assert str(failed) == "cannot read the weight"


@pytest.mark.parametrize(
    ("there", "error"),
    [
        ("new", ""),
        ("old", "cannot verify a: after the change, thing.x@a does not match the desired state"),
    ],
)
async def test_a_host_serves_again_only_with_its_changes(tmp_path: Path, there: str, error: str) -> None:
    table, live = Table(), part(Op.VERIFY, X)
    table.world["a"].data["/x"] = {"text": there}
    table.want(str(X), text="new")
    async with Walk.of(tmp_path, table, [live]) as walk:
        failed = await guard_task(live, walk.ctx)
        assert ("" if failed is None else str(failed)) == error


async def test_there_is_nothing_to_undo_of_a_verify(tmp_path: Path) -> None:
    table, live = Table(), part(Op.VERIFY, X)
    table.want(str(X), text="new")  # not on the host
    async with Walk.of(tmp_path, table, [live]) as walk:
        assert await guard_task(live, walk.ctx, undo=True) is None
        assert walk.recorded()["verify"]["status"] == "undone"


@pytest.mark.parametrize(("drained", "serves"), [(set(), True), ({"v"}, False)])
async def test_whether_a_host_serves(tmp_path: Path, drained: set[str], serves: bool) -> None:
    table, live = pair(), part(Op.DRAIN)
    table.world["a"].drained = drained
    async with Walk.of(tmp_path, table, [live]) as walk:
        assert await serving(live, walk.ctx) is serves


async def test_a_host_that_does_not_answer_may_serve(tmp_path: Path) -> None:
    table, live = pair(), part(Op.DRAIN)
    table.world["a"].drained = {"v"}
    async with Walk.of(tmp_path, table, [live]) as walk:
        table.world["a"].reachable = False
        assert await serving(live, walk.ctx) is True
