"""A plan as a whole: effects, counts, notes, order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Facts, Health, Observed
from hacore.model import Action
from hacore.plan import Plan
from hacore.testing.pairs import Shared
from hacore.testing.things import Daemon, Thing
from tests.plan.table import THING, Table, row_of
from tests.plan.test_tasks import old_thing


def effects(made: Plan) -> dict[str, tuple[str, str]]:
    return {str(c.address): (c.effect, c.disrupts) for c in made.changes}


def daemon(table: Table, host: str = "a", *, recorded: bool = True, unit: str = "web", **more: Any) -> None:
    """A running daemon that is managed."""
    where = f"daemon.{unit}@{host}"
    if recorded:
        table.record(row_of(where, unit=unit, **more))
    table.world[host].units[unit] = {"running": True, "loaded": {}}
    table.want(where, unit=unit, **more)


# -- effects


def test_a_change_names_the_daemons_that_it_reloads() -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v2")
    daemon(table, "a", reload_on=("thing.x",))
    daemon(table, "b", reload_on=("thing.x@a",))
    daemon(table, "b", unit="db", restart_on=("thing.x@a",))
    made = table.make()
    assert effects(made) == {
        "thing.x@a": ("reload web, reload web on b, restart db on b", "restart"),
        "daemon.web@a": ("reload web", "reload"),
        "daemon.web@b": ("reload web", "reload"),
        "daemon.db@b": ("restart db", "restart"),
    }
    assert {str(c.address): c.reason for c in made.changes if c.kind == "daemon"} == {
        "daemon.web@a": "reload because of thing.x@a",
        "daemon.web@b": "reload because of thing.x@a",
        "daemon.db@b": "restart because of thing.x@a",
    }


def test_an_effect_of_its_own_comes_first_and_each_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desire = Thing.desire
    monkeypatch.setattr(Thing, "desire", lambda self, view: replace(desire(self, view), effect="swap it"))
    table = Table()
    old_thing(table, "thing.x@a", text="v2", disrupts="reload")
    for unit in ("one", "two"):
        daemon(table, "a", unit=unit, reload_on=("thing.x",))
    monkeypatch.setattr(Daemon, "daemon", lambda *_: "")
    assert effects(table.make())["thing.x@a"] == ("swap it, reload one, reload two", "reload")
    monkeypatch.setattr(Daemon, "daemon", lambda *_: "both")
    assert effects(table.make())["thing.x@a"] == ("swap it, reload both", "reload")


def test_what_is_adopted_or_forgotten_reloads_nothing() -> None:
    table = Table()
    table.world["a"].data["/x"] = {"text": "v1"}
    table.want("thing.x@a", text="v1")
    daemon(table, recorded=False, reload_on=("thing.x",))
    assert effects(table.make()) == {"thing.x@a": ("", "none"), "daemon.web@a": ("", "none")}


def test_a_daemon_is_named_at_each_of_its_sources() -> None:
    table = Table()
    for name in ("x", "y"):
        old_thing(table, f"thing.{name}@a", text="v2")
    daemon(table, reload_on=("thing.x", "thing.y"))
    found = effects(table.make())
    assert found["thing.x@a"] == found["thing.y@a"] == ("reload web", "none")
    assert table.make().changes[0].reason == "reload because of thing.x@a, thing.y@a"


# -- what it counts and shows


def test_what_is_unchanged_is_counted_and_what_is_reloaded_is_not() -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v2")
    old_thing(table, "thing.y@a", text="v1")
    daemon(table, reload_on=("thing.x",))
    daemon(table, unit="db")
    made = table.make()
    assert made.noop == 2
    assert made.summary() == dict.fromkeys(("create", "replace", "delete", "adopt", "forget"), 0) | {
        "update": 2,
        "noop": 2,
    }


@pytest.mark.parametrize("word", ["create", "update", "replace", "delete", "adopt", "forget"])
def test_each_action_is_counted(word: str) -> None:
    table = Table()
    if word not in ("create", "adopt"):
        old_thing(table, "thing.x@a", text="v2")
    if word == "replace":
        table.want("thing.x@a", text="v2", replace_on=("text",))
    elif word in ("create", "adopt"):
        table.want("thing.x@a", text="v1")
    if word == "adopt":
        table.world["a"].data["/x"] = {"text": "v1"}
    if word in ("delete", "forget"):
        table.instances.clear()
    if word == "forget":
        table.want("conf.new@a", path="/x", name="new", text="v1")
    summary = table.make().summary()
    assert {w: n for w, n in summary.items() if n and (w, word) != ("create", "forget")} == {word: 1}


def test_changes_and_drift_are_sorted_by_address() -> None:
    table = Table()
    for name in ("m", "z", "b"):
        old_thing(table, f"thing.{name}@a", text="v2")
        table.world["a"].data[f"/{name}"] = {"text": "by hand"}
    table.want("thing.a@a", text="v1", needs=["thing.z"])
    made = table.make()
    assert [c.address.name for c in made.changes] == ["a", "b", "m", "z"]
    assert [d.address.name for d in made.drift] == ["b", "m", "z"]


def test_notes_and_health_are_of_what_hosts_serve_together(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table()
    table.world.vips["v"] = ("a", "b")  # type: ignore[assignment]
    table.want("shared.s", vip="v", hosts=("a", "b"))
    old_thing(table, "thing.x@a", text="v1")
    made = table.make()
    assert made.notes == {"shared.s": {"held by": ["a"]}}
    assert made.health == {"shared.s": Health("v", ("a",))}
    monkeypatch.setattr(Shared, "observe", lambda *_: Observed({"holders": 1}))
    made = table.make()
    assert (made.notes, made.health) == ({}, {})
    monkeypatch.setattr(Shared, "observe", lambda *_: None)
    made = table.make()
    assert (made.notes, made.health) == ({}, {})
    monkeypatch.setattr(Thing, "observe", lambda *_: Observed({"text": "t"}, {"size": 3}, health=Health("t")))
    assert (table.make().notes, table.make().health) == ({}, {})


def test_outputs_facts_and_views_are_the_stack_s_and_the_hosts() -> None:
    table = Table()
    old_thing(table, "thing.x@a", text="v1")
    given = table.inputs()
    made = table.make(stack=replace(given.stack, outputs={"url": "http://x/"}))
    assert made.outputs == {"url": "http://x/"}
    assert made.facts == given.facts
    assert list(map(str, made.views)) == list(map(str, made.observed)) == [THING]
    assert (made.stack, made.command, made.lineage, made.serial, made.refreshed) == ("test", "apply", "l", 1, True)
    assert (made.left_out, made.widened) == (0, {})


def test_a_plan_without_facts_is_not_refreshed() -> None:
    table = Table(down=("a", "b"))
    old_thing(table, "thing.x@a", text="v2")
    facts = {"a": Facts(), "b": Facts()}
    made = table.make(facts=facts, recall=lambda text: f"hmac:{text}")
    assert (made.refreshed, [c.action for c in made.changes], made.drift) == (False, [Action.UPDATE], ())
