"""Runs put together by hand: tasks, rows before them, and the rollback that is planned over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hacore.address import Address
from hacore.contract import Change, Facts
from hacore.journal import RollbackInputs, RollbackTasks, RunningTask, Undone, plan_back
from hacore.model import JSON, Action, Host, Op, Row, Status
from hacore.plan import PlannedChange, PlanTask
from hacore.store import RunRecord, row_to_json
from hacore.testing import KINDS
from tests.plan.table import row_of, spec_of

ACTIONS = {"+": Action.CREATE, "~": Action.UPDATE, "-/+": Action.REPLACE, "-": Action.DELETE, "=": Action.ADOPT}


def changed(where: str, action: str, **body: Any) -> PlannedChange:
    address = Address.parse(where)
    change: Change[Any] = Change(address, ACTIONS[action], spec_of(address, body))
    return PlannedChange(address, ACTIONS[action], change, hosts=(str(address.host),))


def task(
    id: str,
    where: str,
    action: str = "~",
    *,
    needs: tuple[str, ...] = (),
    before: Row | None = None,
    status: Status = Status.DONE,
    image: bool = True,
    disrupts: Any = "none",
    **body: Any,
) -> RunningTask:
    """A change of one address, and the row before it."""
    address = Address.parse(where)
    changes = (changed(where, action, **body),)
    plan = PlanTask(id, Op.CHANGE, address.kind, address.host, (address,), changes, needs, disrupts=disrupts)
    old: JSON | None = None if before is None else row_to_json(before)
    images = {address: int(id[1:])} if image else {}
    return RunningTask(plan, status, image_ids=images, before={address: old}, intent=status is not Status.DO)


def trigger(id: str, consumer: str, op: str, *sources: str, needs: tuple[str, ...] = ()) -> RunningTask:
    address = Address.parse(consumer)
    wanted = tuple(map(Address.parse, sources))
    plan = PlanTask(id, Op.TRIGGER, address.kind, address.host, (address,), needs=needs, trigger=op, sources=wanted)
    return RunningTask(plan, Status.DONE, intent=True)


def run(number: int, *tasks: RunningTask, options: JSON = None) -> Undone:
    record = RunRecord(number, "apply", "done", 0.0, 1.0, "me@desk", "s", "", "rollback", options=options or {})
    stored = [replace(t, image_ids={a: 1000 * number + n for a, n in t.image_ids.items()}) for t in tasks]
    return Undone(record, stored)


def back(undone: Iterable[Undone], rows: Iterable[Row], **more: Any) -> RollbackTasks:
    """The rollback of runs, the newest first, from the rows of now."""
    hosts = {name: Host(name=name, address="192.0.2.1") for name in ("a", "b")}
    given = RollbackInputs(
        "s", {row.address: row for row in rows}, {name: Facts() for name in hosts}, hosts, KINDS, str, **more
    )
    return plan_back(list(undone), given)


def story(planned: RollbackTasks) -> list[tuple[str, tuple[str, ...]]]:
    """Each task with what it waits for directly."""
    names = {live.id: name_of(live) for live in planned.lives}
    return [(names[live.id], tuple(sorted(names[n] for n in live.task.needs))) for live in planned.lives]


def name_of(live: RunningTask) -> str:
    op = live.task.trigger or ("state" if live.task.host is None else live.task.op.value)
    return f"{op} {'+'.join(map(str, live.task.addresses))}"


__all__ = ["Row", "back", "changed", "name_of", "row_of", "run", "story", "task", "trigger"]
