"""A rollback in the words of its plan: address by address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.engine.rolling_back.summary import items_back, items_of
from hacore.journal import RollbackTasks, RunningTask
from hacore.model import Action, Op
from hacore.plan import PlanTask
from tests.journal.runs import task, trigger

X, Y = Address.parse("thing.x@a"), Address.parse("thing.y@a")


def planned(address: Address, action: Action, irreversible: str = "") -> RunningTask:
    """A change of a run, with an action that `task` does not know either."""
    live = task("t1", str(address))
    (change,) = live.task.changes
    changed = replace(change, action=action, irreversible=irreversible)
    return replace(live, task=replace(live.task, changes=(changed,)))


# -- an interrupted run is undone by its own journal


@pytest.mark.parametrize(
    ("action", "word"),
    [
        (Action.CREATE, "delete"),
        (Action.UPDATE, "restore"),
        (Action.REPLACE, "restore"),
        (Action.DELETE, "bring_back"),
        (Action.ADOPT, "forget"),
        (Action.FORGET, "remember"),
    ],
)
def test_what_undoing_a_change_does(action: Action, word: str) -> None:
    (item,) = items_of([planned(X, action, "no way back")])
    assert (item.address, item.host, item.do, item.irreversible) == ("thing.x@a", "a", word, "no way back")


def test_the_newest_task_is_undone_first() -> None:
    lives = [planned(X, Action.CREATE), planned(Y, Action.UPDATE), trigger("t3", "daemon.web@a", "restart", str(X))]
    assert [(i.address, i.do) for i in items_of([*lives, trigger("t4", "daemon.web@a", "reload", str(X))])] == [
        ("daemon.web@a", "reload"),
        ("daemon.web@a", "restart"),
        ("thing.y@a", "restore"),
        ("thing.x@a", "delete"),
    ]


# -- finished runs are undone by a run of its own


def restore(address: Address, action: Action = Action.UPDATE, host: str | None = "a") -> RunningTask:
    live = planned(address, action)
    return replace(live, task=replace(live.task, op=Op.RESTORE, host=host))


def words(lives: list[RunningTask], **more: Any) -> list[tuple[str, str, str]]:
    return [(i.address, i.do, i.irreversible) for i in items_back(RollbackTasks(lives, {}, **more))]


@pytest.mark.parametrize(
    ("action", "oldest", "word"),
    [
        (Action.CREATE, Action.CREATE, "bring_back"),
        (Action.DELETE, Action.DELETE, "delete"),
        (Action.UPDATE, Action.UPDATE, "restore"),
        (Action.REPLACE, Action.UPDATE, "restore"),
        # not recorded before, but it existed: what was found is restored
        (Action.DELETE, Action.UPDATE, "restore"),
        (Action.ADOPT, Action.UPDATE, "remember"),
        (Action.FORGET, Action.UPDATE, "forget"),
        (None, Action.UPDATE, "restore"),
    ],
)
def test_what_a_rollback_does(action: Action | None, oldest: Action, word: str) -> None:
    actions = {} if action is None else {X: action}
    found = words([restore(X, oldest)], actions=actions, irreversible={X: "no source offers it"})
    assert found == [("thing.x@a", word, "no source offers it")]


def test_each_address_is_named_once_and_triggers_by_their_operation() -> None:
    lives = [
        restore(X),
        restore(Y),
        restore(X),
        trigger("t4", "daemon.web@a", "reload", str(X)),
        trigger("t5", "daemon.web@a", "restart", str(Y)),
        trigger("t6", "daemon.web@a", "reload", str(Y)),
    ]
    assert [found[:2] for found in words(lives)] == [
        ("thing.x@a", "restore"),
        ("thing.y@a", "restore"),
        ("daemon.web@a", "reload"),
        ("daemon.web@a", "restart"),
    ]


def test_guards_and_tasks_of_the_state_alone_are_not_named() -> None:
    drain = RunningTask(PlanTask("t1", Op.DRAIN, "gate", "a", (Address.parse("gate.g@a"),)))
    assert words([drain, restore(X, host=None)]) == []


def test_changes_of_the_state_alone_are_last_and_in_order() -> None:
    actions = {Y: Action.ADOPT, X: Action.FORGET, Address.parse("thing.z@a"): Action.UPDATE}
    other = Address.parse("thing.zz@a")
    assert [found[:2] for found in words([restore(other)], actions={**actions, other: Action.DELETE})] == [
        ("thing.zz@a", "restore"),
        ("thing.x@a", "forget"),
        ("thing.y@a", "remember"),
    ]
    # what is restored on a host is not named again
    assert [found[:2] for found in words([restore(X)], actions={X: Action.ADOPT})] == [("thing.x@a", "remember")]
