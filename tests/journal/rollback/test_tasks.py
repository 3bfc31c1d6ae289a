"""Needs and numbers of a rollback's tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.address import Address
from hacore.errors import PlanError
from hacore.journal.rollback.tasks import ordered_tasks, restore_task, trigger_task, with_triggers
from hacore.journal.rollback.triggers import PendingTrigger
from hacore.journal.rollback.types import Restore
from hacore.model import Disrupts, Op
from hacore.plan import PlanTask
from tests.journal.runs import row_of, task

WEB = Address.parse("daemon.web@a")


def made(id: str, disrupts: Disrupts = "none", host: str = "a") -> PlanTask:
    return PlanTask(id, Op.RESTORE, "thing", host, (Address.parse(f"thing.{id}@{host}"),), disrupts=disrupts)


@pytest.mark.parametrize(
    ("needs", "due", "found"),
    [
        ({"x": set()}, {"needs": {"x"}}, {"x": set(), "reload daemon.web@a": {"x"}}),
        # what it still runs with is deleted after the reload
        ({"x": set(), "lib": set()}, {"needs": {"x"}, "holds": {"lib"}},
         {"x": set(), "lib": {"reload daemon.web@a"}, "reload daemon.web@a": {"x"}}),
        # unless the reload waits for that delete itself
        ({"x": {"lib"}, "lib": set()}, {"needs": {"x"}, "holds": {"lib"}},
         {"x": {"lib"}, "lib": set(), "reload daemon.web@a": {"x"}}),
    ],
)  # fmt: skip
def test_a_trigger_comes_after_its_sources_and_before_what_it_holds(
    needs: dict[str, set[str]], due: dict[str, set[str]], found: dict[str, set[str]]
) -> None:
    copy = {key: set(wanted) for key, wanted in needs.items()}
    assert with_triggers(needs, [PendingTrigger(WEB, "reload", {}, **due)]) == found
    assert needs == copy


@pytest.mark.parametrize(
    ("done", "disruptive", "disrupts"),
    [
        ("none", False, "none"),
        ("reload", False, "reload"),
        ("restart", False, "restart"),
        ("none", True, "restart"),
        ("reload", True, "restart"),
    ],
)
def test_a_restore_has_nothing_of_its_task_but_the_place_and_what_it_interrupts(
    done: Disrupts, disruptive: bool, disrupts: Disrupts
) -> None:
    where, old = Address.parse("thing.x@a"), row_of("thing.x@a", text="old")
    live = task("t3", str(where), before=old, disrupts=done, needs=("t1",))
    full = replace(
        live.task, lane=4, sources=(WEB,), trigger="reload", group="g", guarded=(WEB,), reload_group="g",
        keep_on_failure=True, exclusive="packs",
    )  # fmt: skip
    restore = Restore("2 t3", 2, replace(live, task=full), {}, dict(live.before))
    assert restore_task(restore, disruptive=disruptive) == PlanTask(
        "2 t3", Op.RESTORE, "thing", "a", (where,), restore.changes, exclusive="packs", disrupts=disrupts,
        restores={where: 3}, rows=live.before,
    )  # fmt: skip


@pytest.mark.parametrize("op", ["reload", "restart"])
def test_a_trigger_interrupts_as_its_operation_does(op: Disrupts) -> None:
    first, second = Address.parse("thing.x@a"), Address.parse("thing.y@a")
    found = trigger_task(PendingTrigger(WEB, op, {second: (), first: ()}, needs={"k"}))
    assert found == PlanTask(
        f"{op} {WEB}", Op.TRIGGER, "daemon", "a", (WEB,), trigger=op, sources=(first, second), disrupts=op
    )


def test_tasks_are_numbered_in_order() -> None:
    found = ordered_tasks([made("x"), made("y")], {"x": {"y"}, "y": set()})
    assert [(t.id, str(t.addresses[0]), t.needs) for t in found] == [
        ("t1", "thing.y@a", ()),
        ("t2", "thing.x@a", ("t1",)),
    ]


@pytest.mark.parametrize(("host", "disrupts"), [("a", "restart"), ("b", "none")])
def test_what_lies_between_two_restarts_of_its_host_is_part_of_their_block(host: str, disrupts: str) -> None:
    tasks = [made("top", "restart"), made("mid", host=host), made("low", "restart")]
    found = ordered_tasks(tasks, {"top": {"mid"}, "mid": {"low"}, "low": set()})
    assert {str(t.addresses[0]): t.disrupts for t in found}[f"thing.mid@{host}"] == disrupts


def test_a_circle_is_an_error_that_names_its_tasks() -> None:
    with pytest.raises(PlanError, match="in a circle: x, y"):
        ordered_tasks([made("x"), made("y")], {"x": {"y"}, "y": {"x"}})
