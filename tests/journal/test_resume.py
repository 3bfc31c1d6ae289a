"""Resuming an interrupted run: what becomes of each task, what continues it, and what waits for what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.graph import Graph
from hacore.journal import RunningTask
from hacore.journal.resume import UnfinishedTasks, join, left_over, takers
from hacore.model import Action, Op, Row, Status
from hacore.plan import PlanTask
from hacore.store import row_to_json
from hacore.testing import KINDS
from tests.journal.runs import changed, row_of, task, trigger

X, Y, Z, WEB = "thing.x@a", "thing.y@a", "thing.z@a", "daemon.web@a"
GROUPS = ("kept", "doubtful", "back", "again")


def of_op(op: Op, status: Status) -> RunningTask:
    live = task("t1", X, status=status)
    changes = live.task.changes if op in (Op.CHANGE, Op.ENSURE) else ()
    images = live.image_ids if op in (Op.CHANGE, Op.ENSURE) else {}
    return replace(live, task=replace(live.task, op=op, changes=changes), image_ids=images)


@pytest.mark.parametrize("between", ["trigger", "change", "undone"])
@pytest.mark.parametrize("status", [Status.DONE, Status.DOING, Status.ERROR])
def test_what_depends_on_a_change_that_is_undone_is_undone_before_it(status: Status, between: str) -> None:
    """A replacement that ended while its lane began to roll back: its delete was `undo` already, it was not."""
    first = task("t1", X, status=Status.UNDO)
    middle = trigger("t2", WEB, "reload", X, needs=("t1",))
    if between != "trigger":
        middle = task("t2", Y, needs=("t1",), status=Status.DONE if between == "change" else Status.UNDONE)
    last = task("t3", Z, needs=("t2",), status=status)
    other = task("t4", "thing.other@a", status=Status.DONE)
    stays = task("t5", "thing.stays@a", needs=("t1",), status=Status.DONE)
    stays = replace(stays, task=replace(stays.task, keep_on_failure=True))
    left = left_over([first, middle, last, other, stays])
    assert [live.id for live in left.back] == (["t1", "t2", "t3"] if between == "change" else ["t1", "t3"])
    assert [live.id for live in left.kept] == (["t2", "t4", "t5"] if between == "trigger" else ["t4", "t5"])
    assert left.doubtful == [] and left.again == []


@pytest.mark.parametrize(
    ("status", "op", "group"),
    [
        (Status.DONE, Op.CHANGE, "kept"),
        (Status.DONE, Op.VERIFY, "kept"),
        (Status.DOING, Op.CHANGE, "doubtful"),
        (Status.ERROR, Op.CHANGE, "doubtful"),
        (Status.DOING, Op.ENSURE, "doubtful"),
        # its daemon may have loaded the sources; its host may be out of service
        (Status.DOING, Op.TRIGGER, "kept"),
        (Status.ERROR, Op.TRIGGER, "kept"),
        (Status.DOING, Op.DRAIN, "kept"),
        (Status.ERROR, Op.DRAIN, "kept"),
        # nothing to restore
        (Status.DOING, Op.VERIFY, "again"),
        (Status.ERROR, Op.UNDRAIN, "again"),
        (Status.UNDO, Op.CHANGE, "back"),
        (Status.UNDOING, Op.TRIGGER, "back"),
        (Status.DO, Op.CHANGE, "again"),
        (Status.HOLD, Op.TRIGGER, "again"),
        (Status.UNDONE, Op.CHANGE, None),
    ],
)
def test_what_becomes_of_a_task(status: Status, op: Op, group: str | None) -> None:
    live = of_op(op, status)
    left = left_over([live])
    assert {name: getattr(left, name) for name in GROUPS if getattr(left, name)} == ({group: [live]} if group else {})


@pytest.mark.parametrize(
    ("action", "image", "doubtful"), [("~", True, True), ("-", True, True), ("~", False, False), ("=", True, False)]
)
def test_only_what_has_images_of_a_host_may_be_half_done(action: str, image: bool, doubtful: bool) -> None:
    live = task("t1", X, action, status=Status.DOING, image=image)
    left = left_over([live])
    assert (left.doubtful, left.again) == (([live], []) if doubtful else ([], [live]))
    assert left.actions == ({Address.parse(X): live.task.changes[0].action} if doubtful else {})


# -- takers


@pytest.mark.parametrize(
    ("was", "now", "taken"),
    [
        (("~", {}), ("~", {}), True),
        (("+", {}), ("~", {"text": "newer"}), True),
        (("-", {}), ("-", {}), True),
        # to be deleted now, or no longer
        (("~", {}), ("-", {}), False),
        (("-", {}), ("+", {}), False),
        # in another place, or in one more: its images are of the old one
        (("~", {"key": "/old"}), ("~", {"key": "/new"}), False),
        # what a kind only uses is not its own
        (("~", {"uses": ("unit:u",)}), ("~", {}), True),
        (("~", {}), ("=", {}), False),
    ],
)
def test_a_task_of_the_new_plan_continues_a_half_done_one_of_the_same_places(
    was: tuple[str, dict[str, Any]], now: tuple[str, dict[str, Any]], taken: bool
) -> None:
    half, other = task("t1", X, was[0], status=Status.DOING, **was[1]), task("t2", Y, status=Status.DOING)
    new = [task("t5", Z).task, task("t6", X, now[0], **now[1]).task]
    assert takers([half, other], new, KINDS) == (
        ({"t6": half}, [other]) if taken else ({}, [half, other])
    )  # fmt: skip


@pytest.mark.parametrize("wider", ["was", "now"])
def test_a_task_of_more_addresses_is_another_one(wider: str) -> None:
    one = task("t1", X, status=Status.DOING)
    both = replace(one, task=replace(one.task, changes=(*one.task.changes, changed(Y, "~"))))
    half, new = (both, one) if wider == "was" else (one, both)
    assert takers([half], [new.task], KINDS) == ({}, [half])


def test_a_trigger_continues_nothing() -> None:
    half = task("t1", WEB, status=Status.DOING)
    assert takers([half], [trigger("t2", WEB, "reload", X).task], KINDS) == ({}, [half])


# -- join

FROM = {X: (), Y: (X,), Z: (Y,), WEB: (X,), "thing.far@b": ()}


def joined(kept: list[RunningTask], fresh: list[RunningTask], **more: Any) -> dict[str, tuple[str, ...]]:
    """The needs of the new tasks."""
    return {live.id: live.task.needs for live in whole(kept, fresh, **more).fresh}


def whole(kept: list[RunningTask], fresh: list[RunningTask], **more: Any) -> Any:
    order = tuple(map(Address.parse, FROM))
    graph = Graph(order, {Address.parse(a): tuple(map(Address.parse, needs)) for a, needs in FROM.items()})
    given: dict[str, Any] = {"prefix": "r", "graph": graph, "providers": KINDS, "guards": lambda _address: None}
    taken = more.pop("taken", {})
    drains = more.pop("drains", ())
    return join(UnfinishedTasks(kept=kept), fresh, taken, drains, **given | more)


def user_of(need: str) -> Row:
    return row_of(WEB, needs=(need,), unit="web")


@pytest.mark.parametrize(
    ("kept", "fresh", "needs"),
    [
        # of the same address, of one that it needs, of one beyond that
        (task("k1", X), task("t1", X), ("k1",)),
        (task("k1", X), task("t1", Y), ("k1",)),
        (task("k1", X), task("t1", Z), ("k1",)),
        # not of one that needs it
        (task("k1", Y), task("t1", X), ()),
        # but a delete waits for what needed it before
        (task("k1", WEB, before=user_of(Y)), task("t1", Y, "-"), ("k1",)),
        (task("k1", WEB, before=user_of(Y)), task("t1", Y), ()),
        (task("k1", WEB, before=user_of(Z)), task("t1", Y, "-"), ()),
        # the daemon reloads what is done
        (task("k1", Z), trigger("t1", WEB, "reload", Z), ("k1",)),
        (task("k1", Z), trigger("t1", WEB, "reload", Y), ()),
        (trigger("k1", WEB, "reload", X), task("t1", WEB), ("k1",)),
        # one place after the other
        (task("k1", "thing.gone@a", "-", key="/x"), task("t1", X), ("k1",)),
        (task("k1", "thing.gone@b", "-", key="/x"), task("t1", X), ()),
    ],
)
def test_a_new_task_waits_for_what_must_be_undone_after_it(
    kept: RunningTask, fresh: RunningTask, needs: tuple[str, ...]
) -> None:
    assert joined([kept], [fresh]) == {"rt1": needs}


def test_what_is_nearer_hides_what_is_beyond() -> None:
    assert joined([task("k1", X), task("k2", Y)], [task("t1", Z)]) == {"rt1": ("k2",)}


@pytest.mark.parametrize("op", [Op.DRAIN, Op.VERIFY, Op.UNDRAIN])
def test_guards_wait_only_for_their_block(op: Op) -> None:
    guard = RunningTask(PlanTask("t1", op, "thing", "a", (Address.parse(X),)))
    assert joined([task("k1", X)], [guard]) == {"rt1": ()}
    kept = replace(guard, task=replace(guard.task, id="k1"))
    assert joined([kept], [task("t1", X)]) == {"rt1": ()}


def test_new_tasks_have_ids_of_their_own_and_kept_ones_are_done() -> None:
    found = whole([task("t1", X, status=Status.DOING)], [task("t1", X), task("t2", Y, needs=("t1",))])
    assert [(live.id, live.status, live.task.needs) for live in found.lives] == [
        ("t1", Status.DONE, ()),
        ("rt1", Status.DONE, ("t1",)),
        ("rt2", Status.DONE, ("rt1", "t1")),
    ]
    assert [live.id for live in found.fresh] == ["rt1", "rt2"]


def test_what_continues_a_half_done_task_has_its_images_and_rows() -> None:
    half = task("t7", X, before=row_of(X, text="v0"), status=Status.DOING)
    fresh = [task("t1", X, status=Status.DO, image=False), task("t2", Y, status=Status.DO, image=False)]
    taker, other = whole([], fresh, taken={"t1": half}).fresh
    assert (taker.image_ids, taker.before, taker.intent) == (half.image_ids, half.before, True)
    assert taker.before == {Address.parse(X): row_to_json(row_of(X, text="v0"))}
    assert (other.image_ids, other.intent) == ({}, False)


def test_what_continues_a_half_done_task_gives_back_the_row_that_it_takes_over_now() -> None:
    """The half done one found X; by the time it is continued, X has no row, and inherits that of Y."""
    half = task("t7", X, before=row_of(X, text="v0"), status=Status.DOING)
    heir = task("t1", X, status=Status.DO, image=False)
    heir.before = {Address.parse(X): None, Address.parse(Y): row_to_json(row_of(Y, text="v1"))}
    (taker,) = whole([], [heir], taken={"t1": half}).fresh
    assert taker.before == {
        Address.parse(X): row_to_json(row_of(X, text="v0")),
        Address.parse(Y): row_to_json(row_of(Y, text="v1")),
    }


def test_an_open_block_that_nothing_continues_is_closed() -> None:
    drain = RunningTask(PlanTask("k1", Op.DRAIN, "gate", "a", (Address.parse("gate.g@a"),), group="g"), Status.DONE)
    found = whole([drain], [task("t1", X)], drains=["k1"])
    assert [(live.id, live.task.op, live.task.needs) for live in found.fresh] == [
        ("ru1", Op.UNDRAIN, ("k1",)),
        ("rt1", Op.CHANGE, ()),
    ]


@pytest.mark.parametrize(
    ("groups", "lanes"),
    [
        ({}, {"rt1": 0, "rt2": 1, "rt3": 0}),
        # of one guarded group: rolled back together
        ({X: "g", "thing.far@b": "g"}, {"rt1": 0, "rt2": 0, "rt3": 0}),
        ({X: "g", "thing.far@b": "h"}, {"rt1": 0, "rt2": 1, "rt3": 0}),
    ],
)
def test_what_is_connected_or_guarded_together_is_one_lane(groups: dict[str, str], lanes: dict[str, int]) -> None:
    fresh = [task("t1", X), task("t2", "thing.far@b"), task("t3", Y, needs=("t1",))]
    found = whole([], fresh, guards=lambda address: groups.get(str(address)))
    assert {live.id: live.task.lane for live in found.lives} == lanes


def test_actions_are_those_of_the_changes() -> None:
    left = UnfinishedTasks(doubtful=[task("t1", X, "+"), task("t2", Y, "-"), task("t3", Z, "=")])
    assert left.actions == {Address.parse(X): Action.CREATE, Address.parse(Y): Action.DELETE}
