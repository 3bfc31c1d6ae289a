"""What is done on the way back, by a run or by a host itself, is by the rows and not by the stack of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import pytest

from hacore.address import Address
from hacore.contract import Facts, Provider, Step, View, Work
from hacore.journal import RunningTask
from hacore.model import Host, Op, Row
from hacore.plan import PlanTask
from hacore.store import row_to_json
from hacore.testing import KINDS
from hacore.walk import Context, Timer
from hacore.walk.confirm import arming
from hacore.walk.guards import guards_of
from hacore.walk.undo_steps import settle_steps, trigger_steps

A = Host(name="a", address="192.0.2.1")
DAEMON, THING, GATE = (Address.parse(text) for text in ("daemon.d@a", "thing.t@a", "gate.g@a"))
OLD = {"unit": "d", "reads": ["/things/t"], "reload_on": ["thing.t"]}
NEW = {"unit": "d"}


@dataclass
class Told(Provider[Any]):
    """A daemon that notes what it is told."""

    works: list[Work[Any]] = field(default_factory=list)
    kind = "daemon"
    spec = KINDS["daemon"].spec

    def facts(self, spec: Any) -> Any:
        return KINDS["daemon"].facts(spec)

    def observe(self, view: View[Any]) -> Any:
        return KINDS["daemon"].observe(view)

    def desire(self, view: View[Any]) -> Any:
        return KINDS["daemon"].desire(view)

    def trigger(self, work: Work[Any], op: Literal["reload", "restart"]) -> Sequence[Step]:
        self.works.append(work)
        return KINDS["daemon"].trigger(work, op)


def row(address: Address, spec: dict[str, Any]) -> Row:
    return Row(address, spec, 1, {}, hosts=("a",))


def view(address: Address, spec: dict[str, Any]) -> View[Any]:
    return View(address, KINDS[address.kind].spec.model_validate(spec), A, members={"a": (None, Facts())})


def context(rows: dict[Address, Row], views: dict[Address, View[Any]], **more: Any) -> Context:
    return Context(
        run=1,
        token="",
        providers={**KINDS, **more.pop("kinds", {})},
        links={},
        writer=cast("Any", None),
        rows=rows,
        facts={},
        views=views,
        sources={},
        hosts={"a": A},
        emit=lambda _event: None,
        fetch=cast("Any", None),
        **more,
    )


def reload(**more: Any) -> RunningTask:
    return RunningTask(PlanTask("t2", Op.TRIGGER, "daemon", "a", (DAEMON,), trigger="reload", sources=(THING,)), **more)


def laid(steps: Sequence[Step]) -> list[str]:
    return [step.blobs["back"].decode() for step in steps]


async def test_forwards_by_the_stack_and_backwards_by_the_row() -> None:
    told = Told()
    ctx = context({DAEMON: row(DAEMON, OLD)}, {DAEMON: view(DAEMON, NEW)}, kinds={"daemon": told})
    (there,) = await trigger_steps(reload(), ctx)
    (back,) = await settle_steps(reload(), ctx, ctx.rows)
    assert "/things/t" not in there.script
    assert "/things/t" in back.script
    assert [work.changes[0].spec.reads for work in told.works] == [(), ("/things/t",)]
    assert [work.sources for work in told.works] == [(THING,), (THING,)]
    seen = told.works[1].changes[0].view
    assert seen is not None
    assert seen.host == A


async def test_a_daemon_without_a_row_has_nothing_to_settle() -> None:
    ctx = context({}, {DAEMON: view(DAEMON, NEW)})
    assert await settle_steps(reload(), ctx, ctx.rows) == ()


async def test_a_renamed_daemon_settles_under_its_former_address() -> None:
    former = Address.parse("daemon.old@a")
    ctx = context({former: row(former, OLD)}, {DAEMON: view(DAEMON, NEW)}, former={DAEMON: former})
    (back,) = await settle_steps(reload(), ctx, ctx.rows)
    assert "/things/t" in back.script


async def test_a_host_puts_itself_back_by_the_rows_before_the_run() -> None:
    """Also when the run has recorded the daemon anew by the time its trigger is armed."""
    timer = Timer(60, "lineage", "run 1")
    ctx = context({DAEMON: row(DAEMON, NEW)}, {DAEMON: view(DAEMON, NEW)}, timer=timer)
    ctx.begin([reload(before={DAEMON: row_to_json(row(DAEMON, OLD))}), reload(before={DAEMON: None})])
    (back,) = laid(await arming(reload(), ctx))
    assert "/things/t" in back


async def test_a_host_settles_no_daemon_that_the_run_has_made() -> None:
    timer = Timer(60, "lineage", "run 1")
    ctx = context({DAEMON: row(DAEMON, NEW)}, {DAEMON: view(DAEMON, NEW)}, timer=timer)
    ctx.begin([reload(before={DAEMON: None})])
    assert await arming(reload(), ctx) == ()


@pytest.mark.parametrize(
    ("before", "recorded", "desired", "groups"),
    [
        ("old", "old", "old", ["old"]),
        ("old", "old", "new", ["old", "new"]),
        ("old", "new", "new", ["old", "new"]),
        ("old", "newer", "new", ["old", "newer", "new"]),
        (None, None, "new", ["new"]),
        ("old", "old", None, ["old"]),
    ],
)
def test_a_block_drains_and_undrains_by_every_spec_that_may_be_loaded(
    before: str | None, recorded: str | None, desired: str | None, groups: list[str]
) -> None:
    """The running daemon watches what it was loaded with: the spec before the run, that of its row, or the new one."""
    live = RunningTask(PlanTask("t1", Op.DRAIN, "gate", "a", (GATE,)))
    rows = {} if recorded is None else {GATE: row(GATE, {"vip": recorded})}
    ctx = context(rows, {} if desired is None else {GATE: view(GATE, {"vip": desired})})
    old = None if before is None else row_to_json(row(GATE, {"vip": before}))
    ctx.begin([RunningTask(PlanTask("t0", Op.CHANGE, "gate", "a", (GATE,)), before={GATE: old})])
    assert [guard.group for _, guard in guards_of(live, ctx, ctx.rows_before(), ctx.rows)] == groups
