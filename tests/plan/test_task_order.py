"""What a task carries for its provider, and the order of triggers, moves, levels and deletes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.model import Action, Lifecycle, Op, digest
from hacore.plan import Plan, PlanTask
from tests.plan.table import Table, row_of, same_sha
from tests.plan.test_tasks import change, of, old_thing

KEEP = Lifecycle(keep_on_failure=True)


def needs(made: Plan, task: PlanTask) -> list[str]:
    """The operation and addresses of all that a task waits for."""
    by_id = {t.id: t for t in made.tasks}
    return sorted(f"{by_id[n].op.value} {'+'.join(map(str, by_id[n].addresses))}" for n in task.needs)


def wanted(task: PlanTask) -> list[str]:
    return [str(address) for address, _ in task.wanted]


# -- for the provider


def test_a_task_has_the_desired_specs_of_its_whole_file() -> None:
    table = Table()
    table.record(row_of("conf.stays@a", path="/k", name="stays", text="v1"))
    table.world["a"].data["/k"] = {"sections": {"stays": "v1"}}
    for where, path in (("conf.stays@a", "/k"), ("conf.new@a", "/k"), ("conf.else@a", "/l"), ("conf.new@b", "/k")):
        table.want(where, path=path, name=where.partition("@")[0].removeprefix("conf."), text="v1")
    table.want("thing.x@a", text="v1")
    made = table.make()
    assert wanted(change(made, "conf.new@a")) == ["conf.new@a", "conf.stays@a"]
    assert [spec.text for _, spec in change(made, "conf.new@a").wanted] == ["v1", "v1"]
    assert wanted(change(made, "conf.else@a")) == ["conf.else@a"]
    assert wanted(change(made, "thing.x@a")) == []


def test_a_task_of_deletes_has_the_specs_that_stay() -> None:
    """Packages of other blocks on the same host are kept; another kind and another host are of no concern."""
    table = Table()
    table.record(row_of("pack.old@a", names=("gcc",)))
    table.world["a"].data["pkg:gcc"] = {}
    for host in ("a", "b"):
        for name in ("two", "one"):
            table.record(row_of(f"pack.{name}@{host}", names=(name,)))
            table.world[host].data[f"pkg:{name}"] = {}
            table.want(f"pack.{name}@{host}", names=(name,))
    table.want("conf.new@a", path="/k", name="new", text="v1")
    made = table.make()
    task = change(made, "pack.old@a")
    assert wanted(task) == ["pack.one@a", "pack.two@a"]
    assert [spec.names for _, spec in task.wanted] == [("one",), ("two",)]


def test_the_delete_of_the_last_section_wants_nothing() -> None:
    table = Table()
    table.record(row_of("conf.old@a", path="/k", name="old", text="v1"))
    table.want("conf.else@a", path="/l", name="else", text="v1")
    assert wanted(change(table.make(), "conf.old@a")) == []


@pytest.mark.parametrize(
    ("one", "two", "kept"), [(KEEP, KEEP, True), (KEEP, Lifecycle(), False), (Lifecycle(), KEEP, False)]
)
def test_a_task_is_kept_on_failure_when_all_of_it_is(one: Lifecycle, two: Lifecycle, kept: bool) -> None:
    table = Table()
    table.want("pack.one@a", names=("one",), lifecycle=one)
    table.want("pack.two@a", names=("two",), lifecycle=two)
    (task,) = table.make().tasks
    assert (len(task.changes), task.keep_on_failure) == (2, kept)


def test_deletes_and_triggers_are_never_kept_on_failure() -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v2")
    table.record(row_of("thing.old@a", text="v1"))
    table.world["a"].units["web"] = {"running": True, "loaded": {}}
    table.record(row_of("daemon.web@a", unit="web"))
    table.want("daemon.web@a", unit="web", reload_on=("thing.x",), lifecycle=KEEP)
    made = table.make()
    assert [t.keep_on_failure for t in made.tasks] == [False] * 3


def test_of_packages_a_host_runs_one_task_at_a_time() -> None:
    table = Table()
    table.want("pack.one@a", names=("one",))
    table.want("thing.x@a", text="v1")
    made = table.make()
    assert (change(made, "pack.one@a").exclusive, change(made, "thing.x@a").exclusive) == ("packs", None)


# -- order


def daemon(table: Table, *, running: bool = True, **more: Any) -> None:
    table.world["a"].units["web"] = {"running": True, "loaded": {}}
    table.record(row_of("daemon.web@a", unit="web", **more))
    table.want("daemon.web@a", unit="web", running=running, **more)


def test_a_reload_comes_after_all_its_sources_and_before_its_dependents() -> None:
    table = Table()
    for name in ("x", "y"):
        old_thing(table, f"thing.{name}@a", text="v2")
    old_thing(table, "thing.base@a", text="v2")
    old_thing(table, "thing.after@a", text="v2", needs=["daemon.web"])
    daemon(table, reload_on=("thing.x", "thing.y"), needs=["thing.base"])
    made = table.make()
    (reload,) = of(made, Op.TRIGGER)
    assert needs(made, reload) == ["change thing.base@a", "change thing.x@a", "change thing.y@a"]
    assert needs(made, change(made, "thing.after@a")) == ["trigger daemon.web@a"]
    assert [t.id for t in made.tasks] == [f"t{n}" for n in range(1, 6)]


def test_a_reload_comes_after_the_daemon_s_own_change() -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v2")
    daemon(table, running=False, reload_on=("thing.x",))
    made = table.make()
    (reload,) = of(made, Op.TRIGGER)
    assert needs(made, reload) == ["change daemon.web@a", "change thing.x@a"]


@pytest.mark.parametrize("op", ["reload", "restart"])
def test_what_moves_is_deleted_first_then_created_then_loaded(op: str) -> None:
    table = Table()
    table.record(row_of("thing.x@a", text="v1", key="/old"))
    table.world["a"].data["/old"] = {"text": "v1"}
    table.want("thing.x@a", text="v1", key="/new")
    old_thing(table, "thing.still@a", text="v2")
    daemon(table, **{f"{op}_on": ("thing.x",)})
    made = table.make()
    delete, create = (t for t in made.tasks if "thing.x@a" in map(str, t.addresses))
    assert [c.action for c in (*delete.changes, *create.changes)] == [Action.DELETE, Action.REPLACE]
    assert (needs(made, delete), needs(made, create)) == ([], ["change thing.x@a"])
    assert create.needs == (delete.id,)
    (trigger,) = of(made, Op.TRIGGER)
    assert create.id in trigger.needs
    assert delete.disrupts == "none"
    assert delete.changes[0].desired is None
    assert delete.changes[0].change.spec.key == "/old"
    assert (delete.changes[0].change.recorded, delete.changes[0].hosts) == (
        table.rows[delete.addresses[0]].attrs,
        ("a",),
    )


def test_packages_of_a_later_level_come_after_those_of_an_earlier_one() -> None:
    """Also where no need connects them: what they share is undone in the reverse order."""
    table = Table()
    table.want("thing.t@a", text="v1")
    table.want("pack.late@a", names=("late",), needs=["thing.t"])
    table.want("pack.early@a", names=("early",))
    table.want("pack.early@b", names=("early",))
    made = table.make()
    assert needs(made, change(made, "pack.late@a")) == ["change pack.early@a", "change thing.t@a"]
    assert needs(made, change(made, "pack.early@b")) == []


def test_packages_are_installed_and_deleted_by_two_tasks() -> None:
    table = Table()
    for name in ("old", "older"):
        table.record(row_of(f"pack.{name}@a", names=(name,)))
        table.world["a"].data[f"pkg:{name}"] = {}
    table.want("pack.new@a", names=("new",))
    assert sorted(sorted(map(str, t.addresses)) for t in table.make().tasks) == [
        ["pack.new@a"],
        ["pack.old@a", "pack.older@a"],
    ]


@pytest.mark.parametrize("trigger", ["reload_on", "restart_on"])
def test_a_daemon_loads_after_what_it_read_is_deleted(trigger: str) -> None:
    table = Table()
    table.record(row_of("thing.old@a", text="v1"))
    table.record(row_of("thing.other@a", text="v1"))
    table.world["a"].data |= {"/old": {"text": "v1"}, "/other": {"text": "v1"}}
    daemon(table)
    body: dict[str, Any] = {"unit": "web", trigger: ("thing.old",)}
    row = row_of("daemon.web@a", needs=("thing.old@a", "thing.other@a"), **body)
    table.record(replace(row, loaded={"thing.old@a": digest({"text": same_sha("v1")})}))
    made = table.make()
    (load,) = of(made, Op.TRIGGER)
    assert needs(made, load) == ["change thing.old@a"]
    assert needs(made, change(made, "thing.old@a")) == []
    assert needs(made, change(made, "thing.other@a")) == ["trigger daemon.web@a"]
    restarts = trigger == "restart_on"
    assert change(made, "thing.old@a").disrupts == ("restart" if restarts else "none")
    assert change(made, "thing.other@a").disrupts == "none"


@pytest.mark.parametrize(
    ("needs_new", "order"),
    [
        (True, [["conf.new@a", "conf.old@a"], ["thing.user@a"]]),
        (False, [["thing.user@a"], ["conf.new@a", "conf.old@a"]]),
    ],
)
def test_a_file_that_loses_one_section_and_gets_another(needs_new: bool, order: list[list[str]]) -> None:
    """Its task follows who used the old section, unless that one needs the new section."""
    table = Table()
    table.record(row_of("conf.old@a", path="/k", name="old", text="v1"))
    table.world["a"].data["/k"] = {"sections": {"old": "v1"}}
    table.record(row_of("thing.user@a", text="v1", needs=("conf.old@a",)))
    table.world["a"].data["/user"] = {"text": "v1"}
    table.want("conf.new@a", path="/k", name="new", text="v1")
    table.want("thing.user@a", text="v2", needs=["conf.new"] if needs_new else [])
    made = table.make()
    assert [sorted(map(str, t.addresses)) for t in made.tasks] == order
    assert [len(t.needs) for t in made.tasks] == [0, 1]


def test_a_delete_waits_for_all_that_used_it_whatever_else_they_used() -> None:
    table = Table()
    for name in ("base", "old"):
        table.record(row_of(f"thing.{name}@a", text="v1"))
        table.world["a"].data[f"/{name}"] = {"text": "v1"}
    table.want("thing.base@a", text="v1")
    for name in ("one", "two"):
        table.record(row_of(f"thing.{name}@a", text="v1", needs=("thing.base@a", "thing.old@a")))
        table.world["a"].data[f"/{name}"] = {"text": "v1"}
        table.want(f"thing.{name}@a", text="v2", needs=["thing.base"])
    made = table.make()
    assert needs(made, change(made, "thing.old@a")) == ["change thing.one@a", "change thing.two@a"]
