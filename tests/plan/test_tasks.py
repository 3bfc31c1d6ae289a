"""Which task waits for which, what it disrupts, and what comes along: faults that a host would feel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Desired, Trigger
from hacore.model import Op, digest
from hacore.plan import Plan, PlanTask, Selection
from hacore.testing import World
from hacore.testing.sharing import Conf
from hacore.testing.things import Daemon
from tests.plan.table import Table, row_of, same_sha

RESTART = {"text": "v2", "disrupts": "restart"}


def with_gates(*hosts: str, down: tuple[str, ...] = ()) -> Table:
    """Hosts that serve a name together, recorded and well; the first one holds it."""
    table = Table(World(*hosts), down)
    table.world.vips["v"] = hosts
    for host in hosts:
        where = f"gate.g@{host}"
        table.record(replace(row_of(where, vip="v"), attrs={"weight": 100}))
        table.world[host].data["gate:v"] = {"weight": 100}
        table.want(where, vip="v")
    return table


def old_thing(table: Table, where: str, **body: Any) -> None:
    """Recorded and there as v1, wanted as `body` says."""
    address = Address.parse(where)
    table.record(row_of(where, text="v1"))
    table.world[str(address.host)].data[f"/{address.name}"] = {"text": "v1"}
    table.want(where, **body)


def of(made: Plan, op: Op, host: str | None = None) -> list[PlanTask]:
    return [t for t in made.tasks if t.op is op and host in (None, t.host)]


def change(made: Plan, where: str) -> PlanTask:
    (found,) = [t for t in made.tasks if t.op is Op.CHANGE and where in map(str, t.addresses)]
    return found


@pytest.mark.parametrize("order", [("restart", "reload"), ("reload", "restart"), ("restart", "none")])
def test_a_task_disrupts_as_the_strongest_of_its_changes(order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "desire", lambda _, view: Desired({"text": "v"}, disrupts=view.spec.text))
    table = Table()
    for name, disrupts in zip(("one", "two"), order, strict=True):
        table.want(f"conf.{name}@a", path="/k", name=name, text=disrupts)
    (task,) = table.make().tasks
    assert (len(task.changes), task.disrupts) == (2, "restart")


def test_a_block_verifies_all_that_it_did_before_the_host_serves_again() -> None:
    table = with_gates("a", "b")
    old_thing(table, "thing.one@a", **RESTART)
    old_thing(table, "thing.two@a", **RESTART)
    made = table.make()
    (verify,), (undrain,) = of(made, Op.VERIFY), of(made, Op.UNDRAIN)
    assert set(map(str, verify.addresses)) == {"thing.one@a", "thing.two@a"}
    assert set(verify.needs) == {change(made, w).id for w in ("thing.one@a", "thing.two@a")}
    assert undrain.needs == (verify.id,)


def test_what_needs_a_task_of_a_block_waits_until_the_host_serves_again() -> None:
    table = with_gates("a", "b")
    old_thing(table, "thing.one@a", **RESTART)
    old_thing(table, "thing.after@a", text="v2", needs=["thing.one"])
    made = table.make()
    (undrain,) = of(made, Op.UNDRAIN)
    assert undrain.id in change(made, "thing.after@a").needs


@pytest.mark.parametrize(("down", "drains"), [((), 1), (("c",), 0)])
def test_nobody_is_drained_while_another_member_is_silent(down: tuple[str, ...], drains: int) -> None:
    table = with_gates("a", "b", "c", down=down)
    old_thing(table, "thing.one@a", **RESTART)
    assert len(of(table.make(), Op.DRAIN)) == drains


def taken_place() -> Table:
    """A file of one's own is recorded; what is wanted now is a section of it."""
    table = Table()
    table.record(row_of("thing.old@a", text="v1", key="/k"))
    table.world["a"].data["/k"] = {"text": "v1"}
    table.want("conf.new@a", path="/k", name="new", text="v1")
    return table


def test_a_row_is_forgotten_once_its_taker_is_in_place() -> None:
    made = taken_place().make()
    taker = change(made, "conf.new@a")
    assert change(made, "thing.old@a").needs == (taker.id,)


@pytest.mark.parametrize("target", ["conf.new@a", "thing.old@a"])
def test_who_takes_a_place_and_who_leaves_it_come_together(target: str) -> None:
    table = taken_place()
    table.want("thing.other@a", text="v1")
    made = table.make(Selection.parse([target], []))
    assert {str(c.address) for c in made.changes} == {"conf.new@a", "thing.old@a"}


def pending(table: Table, **sources: str) -> None:
    """A daemon that has loaded something else than what its sources are by now."""
    loaded = {f"thing.{source}@a": digest({"text": same_sha("v0")}) for source in sources}
    for source in sources:
        old_thing(table, f"thing.{source}@a", text="v1")
    table.record(replace(row_of("daemon.web@a", unit="web"), loaded=loaded))
    table.world["a"].units["web"] = {"running": True, "loaded": {}}
    on = {f"{op}_on": [f"thing.{s}" for s, o in sources.items() if o == op] for op in sources.values()}
    table.want("daemon.web@a", unit="web", **on)


def test_what_all_hosts_serve_is_looked_at_after_a_reload_that_was_pending() -> None:
    table = Table()
    table.world.vips["v"] = ("a", "b")
    pending(table, x="reload")
    table.record(replace(row_of("shared.v", vip="v"), attrs={"holders": 1}, hosts=("a", "b")))
    table.want("shared.v", vip="v", needs=["daemon.web"], hosts=("a", "b"))
    made = table.make()
    (reload,), (ensure,) = of(made, Op.TRIGGER), of(made, Op.ENSURE)
    assert [str(a) for a in ensure.addresses] == ["shared.v"]
    assert reload.id in ensure.needs


@pytest.mark.parametrize("last", ["reload", "restart"])
def test_of_a_reload_and_a_restart_the_restart_is_done(last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever order a kind lists its triggers in."""
    ops = {"x": "restart", "y": "reload"} if last == "reload" else {"y": "reload", "x": "restart"}
    monkeypatch.setattr(Daemon, "triggers", lambda *_: [Trigger(f"thing.{s}", op) for s, op in ops.items()])  # type: ignore[arg-type]
    table = Table()
    pending(table, **ops)
    (trigger,) = of(table.make(), Op.TRIGGER)
    assert (trigger.trigger, len(trigger.sources)) == ("restart", 2)
