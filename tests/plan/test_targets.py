"""What a target includes, what an exclusion holds back, and which hosts are asked for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.model import Op, digest
from hacore.plan import Plan, Selection, hosts_to_ask
from hacore.testing import World
from tests.plan.table import Table, row_of, same_sha


def only(*targets: str, but: tuple[str, ...] = ()) -> Selection:
    return Selection.parse(targets, but)


def changed(made: Plan) -> set[str]:
    return {str(c.address) for c in made.changes}


def why(made: Plan) -> dict[str, str]:
    return {str(address): reason for address, reason in made.widened.items()}


def applied(table: Table, where: str, *, text: str = "v1", needs: tuple[str, ...] = (), **body: Any) -> None:
    """A thing that is recorded and on its host."""
    name, host = where.removeprefix("thing.").split("@")
    table.record(row_of(where, text=text, needs=needs, **body))
    table.world[host].data[f"/{name}"] = {"text": text}


def chain() -> Table:
    """Four new things; each of three needs the one before."""
    table = Table()
    table.want("thing.base@a", text="v1")
    table.want("thing.conf@a", text="v1", needs=["thing.base"])
    table.want("thing.top@a", text="v1", needs=["thing.conf"])
    table.want("thing.other@a", text="v1")
    return table


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (only(), {"base", "conf", "top", "other"}),
        (only("thing.base"), {"base"}),
        (only("thing.conf"), {"base", "conf"}),
        (only("thing.top"), {"base", "conf", "top"}),
        (only("thing.base", "thing.other"), {"base", "other"}),
        (only(but=("thing.base",)), {"other"}),
        (only(but=("thing.conf",)), {"base", "other"}),
        (only(but=("thing.top",)), {"base", "conf", "other"}),
        (only("thing.top", but=("thing.conf",)), {"base"}),
    ],
)
def test_needs_come_along_and_dependents_stay_back(selection: Selection, expected: set[str]) -> None:
    made = chain().make(selection)
    assert changed(made) == {f"thing.{name}@a" for name in expected}
    assert made.left_out == 4 - len(expected)
    assert made.noop == 0
    assert why(made) == {}


def test_a_need_comes_along_through_what_does_not_change_and_only_if_it_changes() -> None:
    table = chain()
    applied(table, "thing.conf@a", needs=("thing.base@a",))
    made = table.make(only("thing.top"))
    assert changed(made) == {"thing.base@a", "thing.top@a"}
    assert (made.noop, made.left_out) == (1, 1)


def test_an_exclusion_in_the_desired_state_holds_nothing_back() -> None:
    table = chain()
    applied(table, "thing.base@a")
    assert changed(table.make(only(but=("thing.base",)))) == {"thing.conf@a", "thing.top@a", "thing.other@a"}


def test_dependents_are_held_back_through_what_does_not_change() -> None:
    table = chain()
    applied(table, "thing.conf@a", needs=("thing.base@a",))
    assert changed(table.make(only(but=("thing.base",)))) == {"thing.other@a"}


def test_no_ops_drift_and_rows_outside_the_selection_are_not_counted() -> None:
    table = Table()
    for name in ("one", "two"):
        applied(table, f"thing.{name}@a")
        table.want(f"thing.{name}@a", text="v1", patience=3)
        table.world["a"].data[f"/{name}"] = {"text": "v1", "mode": "0600"}
    assert [str(c.address) for c in table.make(only("thing.one")).metadata_only] == ["thing.one@a"]
    assert table.make(only("thing.one")).noop == 1
    for name in ("one", "two"):
        table.world["a"].data[f"/{name}"] = {"text": "by hand"}
    assert [str(d.address) for d in table.make(only("thing.one")).drift] == ["thing.one@a"]


@pytest.mark.parametrize(
    ("user", "selection", "expected"),
    [
        # the dependent changes: it must first stop using what is deleted
        ("v2", only("thing.old"), {"old", "user"}),
        ("v2", only(but=("thing.user",)), set()),
        ("v2", only("thing.user"), {"user"}),
        ("v2", only(but=("thing.old",)), {"user"}),
        # the dependent is deleted, too
        (None, only("thing.old"), {"old", "user"}),
        (None, only(but=("thing.user",)), set()),
        (None, only("thing.user"), {"user"}),
        (None, only(but=("thing.old",)), {"user"}),
        # the dependent is unchanged: nothing to wait for
        ("v1", only("thing.old"), {"old"}),
        ("v1", only(but=("thing.user",)), {"old"}),
    ],
)
def test_what_used_a_deleted_thing_is_selected_with_it(
    user: str | None, selection: Selection, expected: set[str]
) -> None:
    table = Table()
    applied(table, "thing.old@a")
    applied(table, "thing.user@a", needs=("thing.old@a",))
    if user is not None:
        table.want("thing.user@a", text=user)
    assert changed(table.make(selection)) == {f"thing.{name}@a" for name in expected}


def test_a_recorded_need_that_stays_is_not_held_back() -> None:
    table = Table()
    applied(table, "thing.base@a")
    applied(table, "thing.user@a", needs=("thing.base@a",))
    table.want("thing.base@a", text="v2")
    table.want("thing.user@a", text="v2", needs=["thing.base"])
    assert changed(table.make(only(but=("thing.user",)))) == {"thing.base@a"}


def gates(*, weight: dict[str, int | None]) -> Table:
    """A recorded pair; each host with its new weight, None: removed from the stack."""
    table = Table()
    table.world.vips["v"] = ["a", "b"]
    for host, new in weight.items():
        table.record(replace(row_of(f"gate.g@{host}", vip="v"), attrs={"weight": 100}))
        table.world[host].data["gate:v"] = {"weight": 100}
        if new is not None:
            table.want(f"gate.g@{host}", vip="v", weight=new)
    return table


@pytest.mark.parametrize(
    ("a", "b", "target", "exclude"),
    [
        (7, 7, {"a", "b"}, set()),
        (7, 100, {"a"}, set()),
        (7, None, {"a"}, {"b"}),
        (None, None, {"a"}, {"b"}),
        (None, 7, {"a"}, {"b"}),
    ],
)
def test_members_that_guard_each_other_change_together(
    a: int | None, b: int | None, target: set[str], exclude: set[str]
) -> None:
    table = gates(weight={"a": a, "b": b})
    made, without = table.make(only("gate.g@a")), table.make(only(but=("gate.g@a",)))
    assert changed(made) == {f"gate.g@{host}" for host in target}
    assert why(made) == ({"gate.g@b": "its members change together"} if "b" in target else {})
    assert changed(without) == {f"gate.g@{host}" for host in exclude}


def test_members_that_do_not_guard_each_other_are_selected_alone() -> None:
    table = Table()
    for host in ("a", "b"):
        table.want(f"thing.x@{host}", text="v1")
    assert changed(table.make(only("thing.x@a"))) == {"thing.x@a"}
    assert changed(table.make(only("thing.x"))) == {"thing.x@a", "thing.x@b"}


def sections() -> Table:
    """Sections of /k: one is new, one changes, one is removed, one stays; and sections of other files."""
    table = Table()
    for name in ("changes", "goes", "stays"):
        table.record(row_of(f"conf.{name}@a", path="/k", name=name, text="v1"))
    table.world["a"].data["/k"] = {"sections": dict.fromkeys(("changes", "goes", "stays"), "v1")}
    for name, text in (("new", "v1"), ("changes", "v2"), ("stays", "v1")):
        table.want(f"conf.{name}@a", path="/k", name=name, text=text)
    table.want("conf.far@b", path="/k", name="far", text="v1")
    table.want("conf.else@a", path="/other", name="else", text="v1")
    return table


@pytest.mark.parametrize("target", ["new", "changes", "goes"])
def test_what_is_in_one_file_changes_together(target: str) -> None:
    file = {f"conf.{name}@a" for name in ("new", "changes", "goes")}
    made = sections().make(only(f"conf.{target}"))
    assert changed(made) == file
    assert why(made) == dict.fromkeys(file - {f"conf.{target}@a"}, "it is in /k, which is written whole")
    assert changed(sections().make(only(but=(f"conf.{target}",)))) == {"conf.far@b", "conf.else@a"}


@pytest.mark.parametrize("target", ["conf.else", "conf.stays"])
def test_a_section_of_another_file_or_without_a_change_brings_no_other(target: str) -> None:
    made = sections().make(only(target))
    assert changed(made) == ({"conf.else@a"} if target == "conf.else" else set())


def test_packages_share_a_task_and_not_a_selection() -> None:
    table = Table()
    table.want("pack.p@a", names=("p",))
    table.want("pack.q@a", names=("q",))
    assert changed(table.make(only("pack.p"))) == {"pack.p@a"}


def renamed() -> Table:
    table = Table()
    table.record(row_of("thing.old@a", key="/k", text="v1"))
    table.world["a"].data["/k"] = {"text": "v1"}
    table.want("thing.new@a", key="/k", text="v1")
    table.want("thing.other@a", text="v1")
    return table


@pytest.mark.parametrize("name", ["old", "new"])
def test_the_former_and_the_new_name_are_selected_together(name: str) -> None:
    assert changed(renamed().make(only(f"thing.{name}"))) == {"thing.old@a", "thing.new@a"}
    assert changed(renamed().make(only(but=(f"thing.{name}",)))) == {"thing.other@a"}


# -- daemons


def daemon(table: Table, *, exists: bool = True, recorded: bool = False, loaded: str = "v1") -> None:
    """A daemon that reads thing.x."""
    if exists:
        table.world["a"].units["web"] = {"running": True, "loaded": {}}
    if recorded:
        mark = digest({"text": same_sha(loaded)})
        row = row_of("daemon.web@a", unit="web", reload_on=("thing.x",), needs=("thing.x@a",))
        table.record(replace(row, loaded={"thing.x@a": mark}))
    table.want("daemon.web@a", unit="web", reload_on=("thing.x",), needs=["thing.x"])


def changing() -> Table:
    table = Table()
    applied(table, "thing.x@a")
    table.want("thing.x@a", text="v2")
    table.want("thing.y@a", text="v1")
    return table


@pytest.mark.parametrize(
    ("exists", "recorded", "target", "expected"),
    [
        # it runs and is not managed yet: its reload cannot stay pending
        (True, False, "thing.x", {"thing.x@a", "daemon.web@a"}),
        # it does not exist: its start is a change of its own
        (False, False, "thing.x", {"thing.x@a"}),
        # it is managed: only its reload comes along
        (True, True, "thing.x", {"thing.x@a", "daemon.web@a"}),
        # nothing that it reads changes
        (True, False, "thing.y", {"thing.y@a"}),
    ],
)
def test_a_daemon_comes_along_for_its_reload(exists: bool, recorded: bool, target: str, expected: set[str]) -> None:
    table = changing()
    daemon(table, exists=exists, recorded=recorded)
    made = table.make(only(target))
    assert changed(made) == expected
    reloads = [t for t in made.tasks if t.op is Op.TRIGGER]
    assert len(reloads) == ("daemon.web@a" in expected)


def test_an_excluded_daemon_is_not_even_reloaded() -> None:
    table = changing()
    daemon(table, recorded=True)
    made = table.make(only(but=("daemon.web",)))
    assert changed(made) == {"thing.x@a", "thing.y@a"}
    assert [t.op for t in made.tasks] == [Op.CHANGE, Op.CHANGE]


def test_a_pending_reload_outside_the_selection_stays_pending() -> None:
    table = Table()
    applied(table, "thing.x@a")
    table.want("thing.x@a", text="v1")
    table.want("thing.y@a", text="v1")
    daemon(table, recorded=True, loaded="v0")
    assert changed(table.make(only("thing.y"))) == {"thing.y@a"}
    assert changed(table.make(only("daemon.web"))) == {"daemon.web@a"}


def test_a_daemon_outside_the_selection_is_reloaded_as_it_runs_now() -> None:
    """It is to be stopped by a change that was not selected."""
    table = changing()
    daemon(table, recorded=True)
    table.want("daemon.web@a", unit="web", running=False, reload_on=("thing.x",), needs=["thing.x"])
    made = table.make(only("thing.x"))
    (change,) = [c for c in made.changes if str(c.address) == "daemon.web@a"]
    assert change.desired is not None
    assert (change.effect, dict(change.desired.attrs or {}), change.attrs) == ("reload web", {"running": True}, ())
    assert made.left_out == 1  # thing.y; of the daemon the reload is made


# -- hosts


def asked(table: Table, selection: Selection) -> set[str]:
    return hosts_to_ask(table.inputs(selection))


def spread() -> Table:
    """Things on three hosts: c needs what is on a, and b has something that only the state knows."""
    table = Table(World("a", "b", "c"))
    table.want("thing.x@a", text="v1")
    applied(table, "thing.old@b")
    table.want("thing.z@c", text="v1", needs=["thing.x@a"])
    return table


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (only(), {"a", "b", "c"}),
        (only("thing.x"), {"a"}),
        (only("thing.z"), {"a", "c"}),
        (only("thing.old"), {"b"}),
        (only(but=("thing.old",)), {"a", "c"}),
        (only(but=("thing.x",)), {"b", "c"}),
        (only("thing.z", but=("thing.z",)), {"a"}),
    ],
)
def test_only_hosts_that_a_selection_may_change_are_asked(selection: Selection, expected: set[str]) -> None:
    assert asked(spread(), selection) == expected


def test_the_members_of_a_guarded_group_are_asked_together() -> None:
    table = spread()
    for host in ("b", "c"):
        table.want(f"gate.g@{host}", vip="v")
    assert asked(table, only("thing.x")) == {"a"}
    assert asked(table, only("thing.old")) == {"b", "c"}
    assert asked(table, only("gate.g@c")) == {"b", "c"}
    table.instances.clear()  # the pair is only recorded
    for host in ("b", "c"):
        table.record(replace(row_of(f"gate.g@{host}", vip="v"), attrs={"weight": 100}))
    assert asked(table, only("thing.old")) == {"b", "c"}


def test_recorded_hosts_and_those_of_the_stack_are_asked() -> None:
    table = Table(World("a", "b", "c"))
    table.record(replace(row_of("shared.s", vip="v"), attrs={"holders": 1}, hosts=("a", "b")))
    table.want("shared.s", vip="v", hosts=("b", "c"))
    assert asked(table, only("shared.s")) == {"a", "b", "c"}


@pytest.mark.parametrize(("target", "expected"), [("thing.x", {"a", "b"}), ("daemon.web", {"a", "b"})])
def test_the_hosts_of_daemons_that_may_be_reloaded_are_asked(target: str, expected: set[str]) -> None:
    table = Table()
    table.want("thing.x@a", text="v1")
    table.want("daemon.web@b", unit="web", reload_on=("thing.x",), needs=["thing.x@a"])
    assert asked(table, only(target)) == expected


def test_the_hosts_of_what_used_a_deleted_thing_are_asked() -> None:
    table = Table()
    applied(table, "thing.old@a")
    applied(table, "thing.user@b", needs=("thing.old@a",))
    assert asked(table, only("thing.old")) == {"a", "b"}
    assert asked(table, only("thing.user")) == {"b"}
