"""What a plan does follows from fields; reasons are only shown. And saved plans, of today and of before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Desired, Health, Observed, Verdict
from hacore.model import Action, Lifecycle, Op
from hacore.plan import NO_SELECTION, Inputs, Ownership, Plan, drift_of, tasks
from hacore.plan.inputs import Comparison
from hacore.plan.saved_format import plan_from_json, plan_to_json
from hacore.testing.things import Daemon
from tests.plan.table import THING, Table, row_of, same_sha

HEALTH = {
    "vip.front": Health(
        "192.0.2.9", ("a",), (Verdict("http://x/", True, "ok"), Verdict("http://y/", None, "not asked"))
    )
}


def seal(text: str) -> str:
    return f"hmac:{text}"


def moved() -> Plan:
    table = Table()
    table.record(row_of(THING, text="v1", key="/old"))
    table.world["a"].data["/old"] = {"text": "v1"}
    table.want(THING, text="v1", key="/new")
    return table.make()


def saved(made: Plan) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(plan_to_json(made, seal)))
    return data


def test_what_moves_says_so_and_is_a_delete_and_a_create() -> None:
    made = moved()
    assert [(c.action, c.moves) for c in made.changes] == [(Action.REPLACE, True)]
    assert [[c.action for c in t.changes] for t in made.tasks] == [[Action.DELETE], [Action.REPLACE]]


def test_what_is_replaced_in_place_does_not_move() -> None:
    table = Table()
    table.record(row_of(THING, text="v1"))
    table.world["a"].data["/x"] = {"text": "v1", "mode": "0600"}
    table.want(THING, text="v1", mode="0644", replace_on=("mode",))
    made = table.make()
    assert [(c.action, c.moves) for c in made.changes] == [(Action.REPLACE, False)]
    assert [[c.action for c in t.changes] for t in made.tasks] == [[Action.REPLACE]]


@pytest.mark.parametrize("reason", ["", "now at another path", "it lives somewhere else now"])
def test_the_wording_of_a_reason_decides_nothing(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tasks.build_tasks

    def reworded(outcome: Comparison, drafts: Any, given: Inputs) -> Any:
        outcome.changes = [replace(c, reason=reason) for c in outcome.changes]
        return built(outcome, drafts, given)

    monkeypatch.setattr("hacore.plan.make.build_tasks", reworded)
    assert [[c.action for c in t.changes] for t in moved().tasks] == [[Action.DELETE], [Action.REPLACE]]
    table = Table()
    table.want(THING, text="v1")
    assert [t.op for t in table.make().tasks] == [Op.CHANGE]


def test_the_words_of_an_effect_do_not_disrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Daemon, "desire", lambda *_: Desired({"running": True}, effect="restart the counting"))
    table = Table()
    table.want("daemon.web@a", unit="web")
    assert [(c.effect, c.disrupts) for c in table.make().changes] == [("restart the counting", "none")]


def test_a_restart_that_is_pulled_disrupts() -> None:
    table = Table()
    table.record(row_of(THING, text="v0"))
    table.world["a"].data["/x"] = {"text": "v0"}
    table.want(THING, text="v1")
    table.record(row_of("daemon.db@a", unit="db-main", needs=(THING,)))
    table.world["a"].units["db-main"] = {"running": True, "loaded": {}}
    table.want("daemon.db@a", unit="db-main", restart_on=["thing.x"], needs=["thing.x"])
    found = {str(c.address): (c.disrupts, c.effect) for c in table.make().changes}
    assert found[THING] == ("restart", "restart db-main")


def test_drift_says_that_something_is_gone() -> None:
    table = Table()
    for where in ("thing.x@a", "thing.y@a"):
        table.record(row_of(where, text="v1"))
        table.want(where, text="v1")
    table.world["a"].data["/y"] = {"text": "v2"}
    assert [(str(d.address), d.gone) for d in table.make().drift] == [("thing.x@a", True), ("thing.y@a", False)]


@pytest.mark.parametrize(
    ("recorded", "observed", "found"),
    [
        ({"text": "1"}, None, ("was deleted", True, False)),
        (None, {"text": "1"}, ("exists again", False, True)),
        ({"text": "1"}, {"text": "2"}, ("", False, False)),
        ({"text": "1"}, {"text": "1", "more": "x"}, None),
        (None, None, None),
    ],
)
def test_what_drift_is(recorded: Any, observed: Any, found: tuple[str, bool, bool] | None) -> None:
    row = replace(row_of(THING), attrs=recorded)
    drift = drift_of(row, None if observed is None else Observed(observed), seal)
    assert (None if drift is None else (drift.reason, drift.gone, drift.again)) == found
    assert drift is None or (drift.address, drift.host) == (row.address, "a")


def test_drift_is_of_the_recorded_attrs_by_their_seal_and_without_ignored_ones() -> None:
    row = replace(row_of(THING), attrs={"text": seal('"1"'), "mode": "0600", "size": 1}, sensitive=("text",))
    row = replace(row, lifecycle=Lifecycle(ignore_changes=("size",)))
    assert drift_of(row, Observed({"text": "1", "mode": "0600", "size": 2}), seal) is None
    drift = drift_of(row, Observed({"text": "2", "mode": "0644", "size": 2, "more": 1}), seal)
    assert drift is not None
    assert [(a.path, a.sensitive) for a in drift.attrs] == [("text", True), ("mode", False)]


def test_a_saved_plan_keeps_the_fields() -> None:
    table = Table()
    table.record(row_of("thing.y@a", text="v1"))
    made = replace(moved(), drift=table.make().drift, health=HEALTH)
    read = plan_from_json(saved(made))
    assert [c.moves for c in read.changes] == [True]
    assert [d.gone for d in read.drift] == [True]
    assert read.health == HEALTH
    # the delete of the old place is no change of the plan
    assert [[c.action for c in t.changes] for t in read.tasks] == [[Action.DELETE], [Action.REPLACE]]
    assert [[str(c.address) for c in t.changes] for t in read.tasks] == [[THING], [THING]]


def test_a_saved_delete_keeps_its_secrets() -> None:
    table = Table()
    table.record(replace(row_of(THING, text="v1"), sensitive=("text",)))
    table.world["a"].data["/x"] = {"text": "v1"}
    data = saved(table.make())
    assert data["changes"][0]["observed"] == {"text": seal(f'"{same_sha("v1")}"')}
    (read,) = plan_from_json(data).changes
    assert read.desired is None
    assert read.row is not None
    assert read.row.sensitive == ("text",)


def test_a_plan_of_nothing_has_nothing() -> None:
    nothing = Plan("web", "apply", "l", 1, {}, (), (), ())
    assert set(nothing.summary().values()) == {0}
    assert (nothing.empty, nothing.complete, nothing.refreshed, nothing.has_housekeeping) == (True, True, True, False)
    assert (nothing.unreachable, nothing.left_out, nothing.selection) == ((), 0, NO_SELECTION)


@pytest.mark.parametrize(
    ("more", "housekeeping"),
    [
        ({"ownership": Ownership(lost=frozenset({Address.parse(THING)}))}, True),
        ({"ownership": Ownership(due=("a",))}, True),
        ({"metadata_only": moved().changes}, True),
        ({"ownership": Ownership(lineage="l")}, False),
    ],
)
def test_what_is_written_without_a_question(more: dict[str, Any], housekeeping: bool) -> None:
    assert replace(Plan("web", "apply", "l", 1, {}, (), (), ()), **more).has_housekeeping is housekeeping


def test_a_plan_that_was_saved_without_the_fields_is_read_by_its_words() -> None:
    table = Table()
    table.record(row_of("thing.y@a", text="v1"))
    made = replace(moved(), drift=table.make().drift)
    data = saved(made)
    for item in data["changes"]:
        del item["moves"]
        item["reason"] = "it lives somewhere else now"
    for item in data["drift"]:
        del item["gone"], item["again"], item["pending"]
        item["reason"] = "is gone"
    for item in data["hosts"].values():
        del item["answered"]
    del data["health"]
    checks = {"http://x/": "ok", "http://y/": "not asked"}
    data["notes"] = {"vip.front": {"held_by": ["a"], "address": "192.0.2.9", "checks": checks}}
    read = plan_from_json(data)
    assert [(c.address, c.moves) for c in read.changes] == [(Address.parse(THING), True)]
    assert [(d.gone, d.again, d.pending) for d in read.drift] == [(True, False, ())]
    assert not any(status.answered for status in read.hosts.values())
    assert read.health == HEALTH
