"""Which hosts are drained, what is in one block, and which reloads take turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Trigger
from hacore.model import Op
from hacore.plan import Plan, PlanTask, asks_of_desired, asks_of_recorded, merge_asks
from hacore.testing import KINDS, World
from hacore.testing.pairs import Gate
from tests.plan.table import Table, row_of
from tests.plan.test_tasks import RESTART, change, of, old_thing, with_gates


def drained(made: Plan) -> list[str | None]:
    return [t.host for t in of(made, Op.DRAIN)]


def restart(table: Table, where: str = "thing.one@a", **more: Any) -> Plan:
    old_thing(table, where, **RESTART, **more)
    return table.make()


def held_by(monkeypatch: pytest.MonkeyPatch, table: Table, *holders: str) -> None:
    """Exactly these hosts hold the name, whatever VRRP would say."""
    guard = Gate.guard

    def patched(self: Gate, view: Any) -> Any:
        found = guard(self, view)
        return None if found is None else replace(found, clear=lambda fresh: fresh.address.host not in holders)

    monkeypatch.setattr(Gate, "guard", patched)


@pytest.mark.parametrize(("holders", "drains"), [((), []), (("a",), ["a"]), (("b",), ["a"]), (("a", "b"), [])])
def test_a_host_is_drained_when_exactly_one_of_a_pair_serves(
    holders: tuple[str, ...], drains: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = with_gates("a", "b")
    held_by(monkeypatch, table, *holders)
    assert drained(restart(table)) == drains


def test_nothing_is_drained_without_another_host_that_could_serve() -> None:
    assert drained(restart(with_gates("a"))) == []


def test_nothing_is_drained_for_what_restarts_nothing_or_has_no_guard() -> None:
    table = with_gates("a", "b")
    old_thing(table, "thing.one@a", text="v2")
    assert drained(table.make()) == []
    table = with_gates("a", "b")
    table.world = World("a", "b", "c")
    table.world.vips["v"] = ["a", "b"]
    for host in ("a", "b"):
        table.world[host].data["gate:v"] = {"weight": 100}
    assert drained(restart(table, "thing.one@c")) == []


@pytest.mark.parametrize(
    ("member", "drains"),
    [("same", 1), ("updated", 1), ("deleted", 0), ("created", 0), ("not recorded", 0)],
)
def test_a_guard_counts_only_where_it_is_in_force(member: str, drains: int) -> None:
    """Never around its own creation or deletion."""
    table = with_gates("a", "b")
    (gate,) = [a for a in table.instances if str(a) == "gate.g@b"]
    if member == "updated":
        table.want("gate.g@b", vip="v", weight=7)
    elif member == "deleted":
        del table.instances[gate]
    elif member == "created":
        table.world["b"].data.clear()
    elif member == "not recorded":
        del table.rows[gate]
    assert len(drained(restart(table))) == drains


def test_a_renamed_guard_is_drained_by_its_former_name() -> None:
    """The state has it under the name that the daemon has loaded, the stack under a new one: it is created."""
    table = with_gates("a", "b")
    for host in ("a", "b"):
        table.want(f"gate.g@{host}", vip="w")
    made = restart(table)
    assert {(t.host, t.group) for t in of(made, Op.DRAIN)} == {("a", "v")}


def test_all_guards_of_a_host_are_drained_together() -> None:
    table = with_gates("a", "b")
    table.world.vips["w"] = ("b", "a")  # type: ignore[assignment]
    for host in ("a", "b"):
        table.record(replace(row_of(f"gate.h@{host}", vip="w"), attrs={"weight": 100}))
        table.world[host].data["gate:w"] = {"weight": 100}
        table.want(f"gate.h@{host}", vip="w")
    made = restart(table)
    (drain,), (verify,), (undrain,) = (of(made, op) for op in (Op.DRAIN, Op.VERIFY, Op.UNDRAIN))
    for task in (drain, undrain):
        assert ([str(a) for a in task.addresses], task.kind) == (["gate.g@a", "gate.h@a"], "gate")
    assert {t.group for t in (drain, verify, undrain, change(made, "thing.one@a"))} == {"v+w"}
    assert verify.kind == "thing"


# -- blocks


def names(made: Plan, task: PlanTask) -> set[str]:
    """Of what a task waits for: the operations and addresses."""
    by_id = {t.id: t for t in made.tasks}
    return {f"{by_id[n].op.value} {'+'.join(map(str, by_id[n].addresses))}" for n in task.needs}


def test_the_order_around_a_block() -> None:
    table = with_gates("a", "b")
    old_thing(table, "thing.before@a", text="v2")
    old_thing(table, "thing.one@a", needs=["thing.before"], **RESTART)
    old_thing(table, "thing.after@a", needs=["thing.one"], text="v2")
    old_thing(table, "thing.aside@a", text="v2")
    made = table.make()
    found = {f"{t.op.value} {'+'.join(map(str, t.addresses))}": names(made, t) for t in made.tasks}
    assert found == {
        "change thing.before@a": set(),
        "change thing.aside@a": set(),
        "drain gate.g@a": {"change thing.before@a"},
        "change thing.one@a": {"change thing.before@a", "drain gate.g@a"},
        "verify thing.one@a": {"change thing.one@a"},
        "undrain gate.g@a": {"verify thing.one@a"},
        "change thing.after@a": {"change thing.one@a", "undrain gate.g@a"},
    }
    assert [t.id for t in made.tasks] == [f"t{number}" for number in range(1, 8)]
    seen: set[str] = set()
    for task in made.tasks:
        assert set(task.needs) <= seen
        seen.add(task.id)


def test_each_host_has_one_block_for_all_its_restarts() -> None:
    table = with_gates("a", "b")
    for host in ("a", "b"):
        for name in ("one", "two"):
            old_thing(table, f"thing.{name}@{host}", **RESTART)
    made = table.make()
    assert sorted(map(str, drained(made))) == ["a", "b"]
    assert {t.group for t in made.tasks} == {"v"}
    assert len({t.lane for t in made.tasks}) == 1


def test_what_lies_between_two_restarts_of_a_host_is_in_their_block() -> None:
    """A package changes, what was made from it is checked again or changes, and its daemon restarts: one drain."""
    table = with_gates("a", "b")
    for host in ("a", "b"):
        old_thing(table, f"thing.one@{host}", **RESTART)
        old_thing(table, f"thing.mid@{host}", needs=[f"thing.one@{host}"], text="v2")
        old_thing(table, f"thing.last@{host}", needs=[f"thing.mid@{host}"], **RESTART)
    made = table.make()
    assert sorted(map(str, drained(made))) == ["a", "b"]
    assert {change(made, f"thing.mid@{host}").group for host in "ab"} == {"v"}


def test_a_reload_between_two_restarts_of_a_host_takes_no_turn_of_its_own() -> None:
    table = between_two_restarts()
    (reload,) = [t for t in of(table.make(), Op.TRIGGER) if t.trigger == "reload"]
    assert (reload.group, reload.guarded) == ("v", ())


def test_what_reloads_on_all_hosts_at_once_is_in_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its peers wait for each other, and only one host at a time is out of service."""
    monkeypatch.setattr(Gate, "triggers", lambda *_: [Trigger("thing.mid", "reload")])
    table = with_gates("a", "b")
    for host in ("a", "b"):
        old_thing(table, f"thing.one@{host}", **RESTART)
        old_thing(table, f"thing.mid@{host}", needs=[f"thing.one@{host}"], text="v2")
        old_thing(table, f"thing.last@{host}", needs=[f"thing.mid@{host}", f"gate.g@{host}"], **RESTART)
    made = table.make()
    assert {(t.host, t.group) for t in of(made, Op.TRIGGER)} == {("a", ""), ("b", "")}
    assert sorted(map(str, drained(made))) == ["a", "a", "b", "b"]


def between_two_restarts() -> Table:
    table = with_gates("a", "b")
    old_thing(table, "thing.one@a", **RESTART)
    web: dict[str, Any] = {"unit": "web", "reload_on": ("thing.one",)}
    table.record(row_of("daemon.web@a", **web))
    table.world["a"].units["web"] = {"running": True, "loaded": {}}
    table.want("daemon.web@a", **web)
    old_thing(table, "thing.last@a", needs=["daemon.web@a"], **RESTART)
    return table


def test_a_block_is_cut_in_two_where_the_other_host_comes_in_between() -> None:
    """One host can then serve while the other does not."""
    table = with_gates("a", "b")
    old_thing(table, "thing.one@a", **RESTART)
    old_thing(table, "thing.mid@b", needs=["thing.one@a"], **RESTART)
    old_thing(table, "thing.last@a", needs=["thing.mid@b"], **RESTART)
    old_thing(table, "thing.more@a", needs=["thing.last"], **RESTART)
    made = table.make()
    assert sorted(map(str, drained(made))) == ["a", "a", "b"]
    blocks = [sorted(map(str, t.addresses)) for t in of(made, Op.VERIFY)]
    assert blocks == [["thing.one@a"], ["thing.mid@b"], ["thing.last@a", "thing.more@a"]]
    first, second, third = of(made, Op.DRAIN)
    assert (first.needs, second.needs, third.needs) != ((), (), ())
    ends = {t.id: t for t in of(made, Op.UNDRAIN)}
    assert set(second.needs) & set(ends) or any(n in ends for n in change(made, "thing.mid@b").needs)


# -- reloads


def reloading(host: str = "a") -> Table:
    """A pair; on one host a value changes that a daemon reads."""
    table = with_gates("a", "b")
    old_thing(table, f"thing.x@{host}", text="v2")
    table.record(row_of(f"daemon.web@{host}", unit="web", reload_on=("thing.x",)))
    table.world[host].units["web"] = {"running": True, "loaded": {}}
    table.want(f"daemon.web@{host}", unit="web", reload_on=("thing.x",))
    return table


def test_a_reload_on_a_guarded_host_takes_its_turn() -> None:
    made = reloading().make()
    (reload,) = of(made, Op.TRIGGER)
    assert (reload.group, [str(a) for a in reload.guarded]) == ("v daemon.web", ["gate.g@a"])
    assert (reload.reload_group, drained(made)) == ("", [])
    assert reload.disrupts == "reload"


def test_a_reload_takes_no_turn_where_nobody_is_guarded() -> None:
    table = reloading()
    for host in ("a", "b"):
        del table.world[host].data["gate:v"]
        for address in [a for a in table.rows if a.kind == "gate"]:
            del table.rows[address]
    (reload,) = of(table.make(), Op.TRIGGER)
    assert (reload.group, reload.guarded) == ("", ())


def test_what_guards_itself_reloads_on_all_hosts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "triggers", lambda *_: [Trigger("thing.x", "reload")])
    table = with_gates("a", "b")
    for host in ("a", "b"):
        old_thing(table, f"thing.x@{host}", text="v2")
    found = {(t.host, t.reload_group, t.group, t.guarded) for t in of(table.make(), Op.TRIGGER)}
    assert found == {("a", "v", "", ()), ("b", "v", "", ())}


def test_a_restart_that_is_pulled_is_in_a_block() -> None:
    table = reloading()
    table.want("daemon.web@a", unit="web", restart_on=("thing.x",))
    made = table.make()
    (drain,), (verify,) = of(made, Op.DRAIN), of(made, Op.VERIFY)
    assert [str(a) for a in verify.addresses] == ["daemon.web@a"]
    assert names(made, drain) == {"change thing.x@a"}


# -- lanes


@pytest.mark.parametrize(("down", "lanes"), [((), 2), (("b",), 2)])
def test_a_reload_that_takes_its_turn_is_in_the_lane_of_its_guards(down: tuple[str, ...], lanes: int) -> None:
    table = reloading()
    table.down = down
    table.want("gate.g@a", vip="v", weight=7)
    table.want("gate.g@b", vip="v", weight=7)
    old_thing(table, "thing.far@a", text="v2")
    made = table.make()
    lane = {str(t.addresses[0]): t.lane for t in made.tasks}
    if not down:
        assert lane["gate.g@a"] == lane["gate.g@b"] == lane["daemon.web@a"] == lane["thing.x@a"]
    else:
        assert lane["thing.x@a"] == lane["daemon.web@a"] != lane["gate.g@a"]
    assert lane["thing.far@a"] not in (lane["gate.g@a"], lane["thing.x@a"])


def test_all_questions_of_a_pair_are_asked_once() -> None:
    table = with_gates("a", "b")
    recorded = table.inputs().recorded
    asks = merge_asks(asks_of_desired(table.instances, KINDS), asks_of_recorded(recorded, KINDS))
    assert {host: len(of_host) for host, of_host in asks.items()} == {"a": 2, "b": 2}


def test_what_is_new_hides_no_guard() -> None:
    """Neither a resource that is not recorded, nor a guard that is created."""
    new, table = Table(), with_gates("a", "b")
    new.want("thing.new@a", text="v1")
    new.want("gate.f@a", vip="w")
    new.want("gate.f@b", vip="w")
    new.record(replace(row_of("gate.f@a", vip="w"), attrs={"weight": 100}))
    new.record(replace(row_of("gate.f@b", vip="w"), attrs={"weight": 100}))
    table.instances = {**new.instances, **table.instances}
    table.rows = {**new.rows, **table.rows}
    made = restart(table)
    assert [(t.host, t.group) for t in of(made, Op.DRAIN)] == [("a", "v")]
