"""Why a source reloads or restarts its consumer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Change, Trigger
from hacore.diff import AttrChange
from hacore.model import Action, Op, Row, digest, loaded_mark, pending_mark
from hacore.plan import PlannedChange
from hacore.plan.triggers import Reason, reason_of
from hacore.testing.sharing import Conf
from hacore.testing.things import Daemon, ThingSpec
from tests.plan.table import Table, row_of, same_sha
from tests.plan.test_tasks import of, old_thing

SOURCE = Address.parse("thing.x@a")
ROW = Row(SOURCE, {}, 1, {"text": "v1", "mode": "0644"})
LOADED = loaded_mark(ROW.attrs)
RELOAD, ON_TEXT = Trigger("thing.x", "reload"), Trigger("thing.x", "reload", ("text",))


def planned(action: Action, *paths: str) -> PlannedChange:
    change: Change[Any] = Change(SOURCE, action, ThingSpec())
    return PlannedChange(SOURCE, action, change, attrs=tuple(AttrChange(path) for path in paths))


@pytest.mark.parametrize(
    ("trigger", "change", "row", "loaded", "reason"),
    [
        (RELOAD, None, ROW, {}, None),
        (RELOAD, None, ROW, {str(SOURCE): LOADED}, None),
        (RELOAD, None, ROW, {str(SOURCE): None}, Reason.PENDING),
        (RELOAD, None, ROW, {str(SOURCE): "another"}, Reason.PENDING),
        (RELOAD, None, ROW, {str(SOURCE): pending_mark(LOADED)}, Reason.PENDING),
        (RELOAD, None, None, {str(SOURCE): None}, None),
        (RELOAD, planned(Action.UPDATE, "mode"), ROW, {str(SOURCE): LOADED}, Reason.CHANGED),
        (RELOAD, planned(Action.CREATE), None, {}, Reason.CHANGED),
        # a change beats what is pending: it is this plan that causes it
        (RELOAD, planned(Action.UPDATE, "mode"), ROW, {str(SOURCE): None}, Reason.CHANGED),
        # only some attrs count
        (ON_TEXT, planned(Action.UPDATE, "mode"), ROW, {}, None),
        (ON_TEXT, planned(Action.UPDATE, "text"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE, "text.a"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE, "text[0]"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.REPLACE, "mode"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE, "mode"), ROW, {str(SOURCE): None}, Reason.PENDING),
    ],
)
def test_why_a_source_pulls_a_trigger(
    trigger: Trigger,
    change: PlannedChange | None,
    row: Row | None,
    loaded: dict[str, str | None],
    reason: Reason | None,
) -> None:
    assert reason_of(SOURCE, trigger, change, row, loaded) is reason


# -- in a plan


def loaded(**marks: str | None) -> dict[str, str | None]:
    return {f"thing.{name}@a": mark for name, mark in marks.items()}


V1 = digest({"text": same_sha("v1")})


def reading(*names: str, marks: dict[str, str | None], run: int = 1, **more: Any) -> Table:
    """A daemon that reads values that are unchanged, with the marks of what it has loaded."""
    table = Table()
    for name in names:
        old_thing(table, f"thing.{name}@a", text="v1")
    for address, row in list(table.rows.items()):
        table.record(replace(row, run=run + names.index(address.name)))
    body = {"unit": "web", "reload_on": tuple(f"thing.{n}" for n in names), **more}
    table.record(replace(row_of("daemon.web@a", **body), loaded=marks))
    table.world["a"].units["web"] = {"running": True, "loaded": {}}
    table.want("daemon.web@a", **body)
    return table


def test_a_pending_reload_names_the_newest_run_that_left_it() -> None:
    made = reading("x", "y", "z", marks=loaded(x=None, y="other", z=V1), run=4).make()
    (change,) = made.changes
    assert change.reason == "reload pending since run 5: thing.x@a, thing.y@a"
    (task,) = made.tasks
    assert (task.op, [str(s) for s in task.sources]) == (Op.TRIGGER, ["thing.x@a", "thing.y@a"])
    turned = reading("x", "y", marks=loaded(x=None, y=None), run=4, reload_on=("thing.y", "thing.x")).make()
    assert turned.changes[0].reason == "reload pending since run 5: thing.y@a, thing.x@a"


def test_a_start_loads_everything() -> None:
    table = reading("x", marks=loaded(x=None))
    table.world["a"].units["web"]["running"] = False
    made = table.make()
    assert [(c.effect, c.action) for c in made.changes] == [("start web", Action.UPDATE)]
    assert [t.op for t in made.tasks] == [Op.CHANGE]


@pytest.mark.parametrize(
    ("mark", "running", "triggers"),
    [
        # it has loaded what is deleted now
        ("deleted", True, 1),
        ("deleted", False, 1),
        # an earlier run deleted it, and the reload is pending
        ("unaware", True, 1),
        ("unaware", False, 0),
        ("aware", True, 0),
    ],
)
def test_a_daemon_notices_what_is_deleted(mark: str, running: bool, triggers: int) -> None:
    marks = {"deleted": V1, "unaware": f"?{V1}", "aware": digest(None)}
    table = reading("x", marks=loaded(x=V1, old=marks[mark]))
    if mark == "deleted":
        table.record(row_of("thing.old@a", text="v1"))
        table.world["a"].data["/old"] = {"text": "v1"}
    table.world["a"].units["web"]["running"] = running
    made = table.make()
    found = of(made, Op.TRIGGER)
    assert len(found) == triggers
    for task in found:
        assert ([str(s) for s in task.sources], task.trigger) == (["thing.old@a"], "reload")
        if mark == "deleted":
            (delete,) = [t for t in made.tasks if "thing.old@a" in map(str, t.addresses)]
            assert delete.id in task.needs


def test_the_reload_of_what_is_deleted_is_that_of_the_recorded_trigger() -> None:
    """The block that names it is deleted from the stack with it."""
    table = reading("x", marks=loaded(old=V1))
    table.record(row_of("thing.old@a", text="v1"))
    table.world["a"].data["/old"] = {"text": "v1"}
    (address,) = [a for a in table.rows if a.kind == "daemon"]
    body = {"unit": "web", "reload_on": (), "restart_on": ("thing.old",)}
    table.record(replace(row_of("daemon.web@a", **body), loaded=loaded(old=V1)))
    made = table.make()
    (trigger,) = of(made, Op.TRIGGER)
    assert (trigger.trigger, trigger.addresses) == ("restart", (address,))
    (delete,) = [t for t in made.tasks if "thing.old@a" in map(str, t.addresses)]
    assert delete.disrupts == "restart"  # not while its host serves


def test_all_sources_of_a_daemon_with_the_attrs_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Daemon, "triggers", lambda *_: [Trigger("thing.x", "reload", ("text",)), Trigger("thing.y", "reload")]
    )
    table = reading("x", "y", marks=loaded(x=V1, y=V1))
    table.want("daemon.other@b", unit="other")
    monkeypatch.setattr(Conf, "triggers", lambda *_: [Trigger("thing.none", "reload")])
    table.want("conf.c@a", path="/k", name="c", text="v")
    found = {str(a): {str(s): attrs for s, attrs in of.items()} for a, of in table.make().sources.items()}
    expected = {"thing.x@a": ("text",), "thing.y@a": ()}
    assert found == {"daemon.web@a": expected, "daemon.other@b": expected}


def test_a_daemon_that_is_neither_recorded_nor_made_here_is_left_alone() -> None:
    table = Table(down=("b",))
    old_thing(table, "thing.x@a", text="v2")
    table.want("daemon.web@b", unit="web", reload_on=("thing.x@a",))
    made = table.make()
    assert [t.op for t in made.tasks] == [Op.CHANGE]
    assert Address.parse("daemon.web@b") not in made.observed


def test_a_daemon_on_a_silent_host_hides_no_other() -> None:
    table = Table(down=("a",))
    old_thing(table, "thing.x@b", text="v2")
    for where in ("daemon.one@a", "daemon.two@b"):
        table.record(row_of(where, unit="web"))
        table.want(where, unit="web", reload_on=("thing.x@b",))
    table.world["b"].units["web"] = {"running": True, "loaded": {}}
    assert [str(a) for t in of(table.make(), Op.TRIGGER) for a in t.addresses] == ["daemon.two@b"]


def test_a_source_that_is_loaded_hides_no_other() -> None:
    made = reading("x", "y", "z", marks=loaded(x=V1, y=None, z=V1)).make()
    assert [str(s) for t in made.tasks for s in t.sources] == ["thing.y@a"]


@pytest.mark.parametrize("ops", [("reload", "restart"), ("restart", "reload")])
def test_the_last_operation_does_not_win(ops: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    triggers = [Trigger(f"thing.{name}", op) for name, op in zip(("x", "y"), ops, strict=True)]  # type: ignore[arg-type]
    monkeypatch.setattr(Daemon, "triggers", lambda *_: triggers)
    (task,) = reading("x", "y", marks=loaded(x=None, y=None)).make().tasks
    assert (task.trigger, task.disrupts) == ("restart", "restart")
