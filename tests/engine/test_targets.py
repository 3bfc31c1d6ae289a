"""--target and --exclude: what comes along, what stays back, and that the rest is no failure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hacore.engine import RunResult, apply_saved, load_plan, plan, save_plan
from hacore.errors import PlanError, UsageError
from hacore.plan import Selection, plan_json
from hacore.testing import Machine
from tests.engine.play import Play
from tests.engine.test_crash import die_at

CHAIN = """
thing:
  base: {key: /base, text: v1}
  conf: {key: /conf, text: v1, needs: [thing.base]}
  site: {key: /site, text: v1, needs: [thing.conf]}
  other: {key: /other, text: v1}
"""
WEB = """
thing:
  conf: {hosts: a, key: /conf, text: v1}
  main: {hosts: a, key: /main, text: v1}
daemon:
  web: {hosts: a, reads: [/conf, /main], reload_on: [thing.conf], restart_on: [thing.main]}
"""


def select(play: Play, *targets: str, exclude: tuple[str, ...] = ()) -> None:
    play.options = {**play.options, "selection": Selection.parse(targets, exclude)}


async def only(play: Play, *targets: str, exclude: tuple[str, ...] = (), destroy: bool = False) -> dict[str, str]:
    select(play, *targets, exclude=exclude)
    return await play.actions(destroy=destroy)


async def done(play: Play, **more: Any) -> RunResult:
    """Apply; the plan of what was selected is empty then, and the rest is no failure."""
    result = await play.apply(**more)
    assert result.ok, play.story(result)
    assert await play.actions(destroy=more.get("destroy", False)) == {}
    return result


# -- what a target takes along


async def test_a_target_takes_what_it_needs_and_nothing_else(play: Play) -> None:
    play.stack(CHAIN)
    assert set(await only(play, "thing.conf@a")) == {"thing.base@a", "thing.conf@a"}
    shown = await play.plan()
    assert (shown["targets"], shown["left_out"], "excludes" in shown) == (["thing.conf@a"], 2, False)
    await done(play)
    assert set(play.rows()) == {"thing.base@a", "thing.conf@a"}
    assert play.world["b"].data == {}
    play.options = {}
    assert len(await play.actions()) == 6


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("thing.base", ["thing.base@a", "thing.base@b"]),
        ("thing.base@b", ["thing.base@b"]),
        ("thing.each", ['thing.each["x"]@a', 'thing.each["y.z"]@a']),
        ('thing.each["y.z"]', ['thing.each["y.z"]@a']),
        ("thing.each@a", ['thing.each["x"]@a', 'thing.each["y.z"]@a']),
    ],
)
async def test_what_an_address_covers(play: Play, selector: str, found: list[str]) -> None:
    play.stack(CHAIN + "  each: {hosts: a, for_each: [x, y.z]}")
    assert sorted(await only(play, selector)) == found


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("thing.cnf", "did you mean thing.conf?"),
        ("thing.conf@c", "did you mean thing.conf@"),
        ("thng.conf", "did you mean thing.conf?"),
        ("pack.nothing_like_it", "`hacore state list`"),
    ],
)
async def test_an_unknown_address_is_an_error_with_a_hint(play: Play, selector: str, hint: str) -> None:
    play.stack(CHAIN)
    for options in ({"targets": (selector,)}, {"exclude": (selector,)}):
        with pytest.raises(UsageError) as caught:
            await only(play, *options.get("targets", ()), exclude=options.get("exclude", ()))
        assert selector in str(caught.value) and hint in str(caught.value)


async def test_two_targets_are_both(play: Play) -> None:
    play.stack(CHAIN)
    assert set(await only(play, "thing.other@b", "thing.base@a")) == {"thing.other@b", "thing.base@a"}


async def test_the_reload_of_what_changes_comes_along_its_other_sources_do_not(play: Play) -> None:
    await play.make(WEB)
    play.stack(WEB.replace("v1", "v2"))
    assert await only(play, "thing.conf") == {"thing.conf@a": "update", "daemon.web@a": "update"}
    await done(play)
    assert (play.text("/conf"), play.text("/main")) == ("v2", "v1")
    assert play.world["a"].did("reload web*") and not play.world["a"].did("restart web*")
    assert play.loaded("web", "/conf") == "v2"
    play.options = {}
    assert await play.actions() == {"thing.main@a": "update", "daemon.web@a": "update"}
    await done(play)
    assert play.loaded("web", "/main") == "v2"


async def test_a_daemon_that_is_not_recorded_yet_is_left_out_or_taken_in_whole(play: Play) -> None:
    """It cannot be left pending: it has no row. Where it is not there yet, its start takes all in."""
    play.stack(WEB)
    assert set(await only(play, "thing.conf")) == {"thing.conf@a"}
    play.options = {}
    play.world["a"].units["web"] = {"running": True, "loaded": {}}
    assert await only(play, "thing.conf") == {
        "thing.conf@a": "create",
        "thing.main@a": "create",
        "daemon.web@a": "adopt",
    }


async def test_a_daemon_whose_own_change_is_left_out_takes_in_what_changes_all_the_same(play: Play) -> None:
    await play.make(WEB)
    play.stack(WEB.replace("conf, text: v1", "conf, text: v2"))
    play.world["a"].units["web"]["running"] = True
    await play.make(WEB.replace("hosts: a, reads", "hosts: a, running: true, reads"))
    play.stack(
        WEB.replace("conf, text: v1", "conf, text: v2").replace("hosts: a, reads", "hosts: a, running: false, reads")
    )
    found = await only(play, "thing.conf")
    assert found == {"thing.conf@a": "update", "daemon.web@a": "update"}
    (web,) = [c for c in (await play.plan())["changes"] if c["kind"] == "daemon"]
    assert (web["reason"], web["after"]) == ("reload because of thing.conf@a", {"running": True})
    await done(play)
    assert play.world["a"].units["web"]["running"] is True


async def test_a_reload_left_pending_is_the_daemons_own(play: Play) -> None:
    await play.make(WEB)
    play.stack(WEB.replace("conf, text: v1", "conf, text: v2"))
    await only(play, exclude=("daemon.web",))
    await done(play)
    assert play.loaded("web", "/conf") == "v1"
    assert await only(play, "thing.main") == {}
    play.options = {}
    assert await only(play, "daemon.web") == {"daemon.web@a": "update"}
    await done(play)
    assert play.loaded("web", "/conf") == "v2"


async def test_guards_stand_around_what_a_target_restarts(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    stack = """
gate: {g: {vip: v}}
shared: {s: {vip: v, instance: gate.g}}
thing: {c: {key: /c, text: v1}, z: {key: /z, text: v1}}
daemon: {d: {reads: [/c], restart_on: [thing.c], needs: [gate.g]}}
"""
    await play.make(stack)
    play.stack(stack.replace("v1", "v2"))
    select(play, "thing.c@a")
    assert [t["op"] for t in (await play.plan())["tasks"] if t["op"] in ("drain", "undrain")] == ["drain", "undrain"]
    result = await done(play)
    assert {t.op for t in result.tasks} >= {"drain", "verify", "undrain", "restart"}
    assert (play.world.cuts, play.world["b"].did("restart *")) == ([], [])
    assert (play.text("/c"), play.text("/c", "b"), play.text("/z")) == ("v2", "v1", "v1")


async def test_what_must_be_equal_on_all_members_widens_and_says_so(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make("gate: {g: {vip: v}}\nthing: {x: {text: v1}}")
    play.stack("gate: {g: {vip: v, weight: 7}}\nthing: {x: {text: v2}}")
    assert await only(play, "gate.g@a") == {"gate.g@a": "update", "gate.g@b": "update"}
    shown = await play.plan()
    assert shown["widened"] == [{"address": "gate.g@b", "reason": "its members change together"}]
    assert set(await only(play, exclude=("gate.g@b",))) == {"thing.x@a", "thing.x@b"}
    assert (await play.plan())["widened"][0]["address"] == "gate.g@a"


async def test_one_member_alone_that_changes_does_not_widen(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make("gate: {g: {vip: v}}")
    play.world["a"].data["gate:v"] = {"weight": 3}
    assert await only(play, "gate.g@a") == {"gate.g@a": "update"}
    assert (await play.plan())["widened"] == []


async def test_a_file_that_is_written_whole_widens_to_all_in_it(play: Play) -> None:
    stack = """
conf:
  c: {hosts: a, path: /c, text: v1}
  d: {hosts: a, path: /c, text: v1}
  e: {hosts: a, path: /e, text: v1}
"""
    await play.make(stack)
    play.stack(stack.replace("v1", "v2"))
    assert set(await only(play, "conf.c")) == {"conf.c@a", "conf.d@a"}
    assert (await play.plan())["widened"] == [{"address": "conf.d@a", "reason": "it is in /c, which is written whole"}]
    await done(play)
    assert set(await only(play, exclude=("conf.c",))) == {"conf.e@a"}


# -- deletes, renames, moves


async def test_the_delete_of_a_target_takes_who_needs_it(play: Play) -> None:
    await play.make(CHAIN)
    assert set(await only(play, "thing.conf@a", destroy=True)) == {"thing.conf@a", "thing.site@a"}
    await done(play, destroy=True)
    assert (play.text("/base"), play.text("/conf"), play.text("/site"), play.text("/site", "b")) == (
        "v1",
        None,
        None,
        "v1",
    )


async def test_what_is_excluded_from_a_destroy_keeps_what_it_needs(play: Play) -> None:
    await play.make(CHAIN)
    assert set(await only(play, exclude=("thing.conf@a",), destroy=True)) == {
        "thing.site@a",
        "thing.other@a",
        *(f"thing.{n}@b" for n in ("base", "conf", "site", "other")),
    }
    await done(play, destroy=True)
    assert (play.text("/base"), play.text("/conf"), play.text("/site")) == ("v1", "v1", None)


async def test_what_left_the_stack_is_not_deleted_along_with_another_target(play: Play) -> None:
    await play.make(CHAIN)
    play.stack("thing: {base: {key: /base, text: v2}}")
    assert await only(play, "thing.base@a") == {"thing.base@a": "update"}
    assert await only(play, "thing.conf@a") == {"thing.conf@a": "delete", "thing.site@a": "delete"}


async def test_a_new_name_takes_the_old_one_along_and_the_other_way_round(play: Play) -> None:
    await play.make("thing: {old: {hosts: a, key: /x, text: v1}, z: {hosts: a, text: v1}}")
    play.stack("thing: {new: {hosts: a, key: /x, text: v1}, z: {hosts: a, text: v2}}")
    both = {"thing.new@a": "adopt", "thing.old@a": "forget"}
    assert await only(play, "thing.new") == both
    assert await only(play, "thing.old") == both
    assert await only(play, exclude=("thing.old",)) == {"thing.z@a": "update"}
    await only(play, "thing.new")
    await done(play)
    assert set(play.rows()) == {"thing.new@a", "thing.z@a"}


async def test_prevent_destroy_is_about_what_is_selected(play: Play) -> None:
    await play.make("thing: {x: {hosts: a, text: v1, lifecycle: {prevent_destroy: true}}, y: {hosts: a, text: v1}}")
    play.stack("thing: {y: {hosts: a, text: v2}}")
    assert await only(play, "thing.y") == {"thing.y@a": "update"}
    assert await only(play, exclude=("thing.x",)) == {"thing.y@a": "update"}
    with pytest.raises(PlanError, match="prevent_destroy"):
        await only(play, "thing.x")


async def test_a_destroy_of_something_that_was_never_made_is_nothing(play: Play) -> None:
    await play.make(CHAIN)
    play.stack(CHAIN + "  late: {hosts: a}")
    assert await only(play, "thing.late", destroy=True) == {}


# -- exclusion


async def test_an_exclusion_holds_back_what_rests_on_it(play: Play) -> None:
    play.stack(CHAIN)
    assert set(await only(play, exclude=("thing.conf@a",))) == {
        "thing.base@a",
        "thing.other@a",
        *(f"thing.{n}@b" for n in ("base", "conf", "site", "other")),
    }
    await done(play)
    assert play.text("/site") is None


async def test_what_rests_on_something_excluded_that_is_as_wanted_goes_on(play: Play) -> None:
    await play.make(CHAIN)
    play.stack(CHAIN.replace("site, text: v1", "site, text: v2"))
    assert set(await only(play, exclude=("thing.conf",))) == {"thing.site@a", "thing.site@b"}


async def test_a_target_without_part_of_it(play: Play) -> None:
    play.stack(CHAIN)
    assert set(await only(play, "thing.base", "thing.other", exclude=("thing.base@b",))) == {
        "thing.base@a",
        "thing.other@a",
        "thing.other@b",
    }
    with pytest.raises(UsageError, match="nothing is left"):
        await only(play, "thing.base@b", exclude=("thing.base",))


# -- hosts, drift, what is only written


async def test_only_the_hosts_it_is_about_are_asked(play: Play) -> None:
    play.stack(CHAIN)
    play.world["b"].reachable = False
    select(play, "thing.conf@a")
    assert (await play.plan())["complete"] is True
    await done(play)
    assert play.world["b"].execs == 0


async def test_with_a_guarded_host_come_the_others_of_its_group(play: Play) -> None:
    """Whether it may restart something cannot be told without them."""
    play.world.vips["v"] = ["a", "b"]
    stack = "gate: {g: {vip: v}}\nthing: {c: {key: /c, text: v1, disrupts: restart}}"
    await play.make(stack)
    play.stack(stack.replace("v1", "v2"))
    select(play, "thing.c@a")
    assert [t["op"] for t in (await play.plan())["tasks"]] == ["drain", "change", "verify", "undrain"]
    play.world["b"].reachable = False
    assert (await play.plan())["complete"] is False


async def test_drift_is_told_of_what_is_selected(play: Play) -> None:
    await play.make(CHAIN)
    for name in ("base", "other"):
        play.world["a"].data[f"/{name}"]["text"] = "by hand"
    select(play, "thing.conf")
    assert [d["address"] for d in (await play.plan())["drift"]] == ["thing.base@a"]


async def test_rows_that_are_only_written_afresh_are_those_selected(play: Play) -> None:
    one = "{hosts: a, text: v1}"
    await play.make(f"thing: {{x: {one}, y: {one}, z: {one}}}")
    needing = "{hosts: a, text: v1, needs: [thing.x]}"
    play.stack(f"thing: {{x: {one}, y: {needing}, z: {needing}}}")
    select(play, "thing.y")
    assert (await play.apply()).status == "nothing"
    assert (play.row("thing.y@a").needs, play.row("thing.z@a").needs) == (("thing.x@a",), ())


async def test_the_counts_are_of_what_was_asked_for(play: Play) -> None:
    await play.make(CHAIN)
    play.stack(CHAIN.replace("conf, text: v1", "conf, text: v2"))
    select(play, "thing.conf@a")
    assert (await play.plan())["summary"] == {
        **dict.fromkeys(("create", "replace", "delete", "adopt", "forget"), 0),
        "update": 1,
        "noop": 1,
    }


# -- going on, going back, and saved


async def test_a_target_that_a_run_deleted_before_it_died_is_no_unknown_one(play: Play) -> None:
    await play.make("thing: {x: {hosts: a}, y: {hosts: a, needs: [thing.x]}, z: {hosts: a}}")
    play.stack("thing: {z: {hosts: a}}")
    select(play, "thing.x", "thing.y")
    await die_at(play, "restore /things/x*", after=False)
    assert set(play.rows()) == {"thing.x@a", "thing.z@a"}
    play.options = {}
    result = await play.apply(resume=True)
    assert result.ok, play.story(result)
    assert set(play.rows()) == {"thing.z@a"}


async def test_a_run_that_was_stopped_goes_on_with_what_it_was_about(play: Play) -> None:
    play.stack(CHAIN)
    select(play, "thing.conf@a")
    stop = asyncio.Event()

    async def halt(_machine: Machine) -> None:
        stop.set()

    play.world["a"].on("write /base", halt)
    assert (await play.apply(stop=stop)).status == "interrupted"
    play.options = {}
    result = await play.apply(resume=True)
    assert result.ok, play.story(result)
    assert set(play.rows()) == {"thing.base@a", "thing.conf@a"}


async def test_a_partial_run_is_rolled_back_as_any_other(play: Play) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    play.stack(WEB.replace("v1", "v2"))
    select(play, "thing.conf")
    await done(play)
    assert (await play.rollback()).ok
    assert (play.world.snapshot(), play.rows()) == (before, rows)


async def test_a_saved_plan_keeps_its_selection(play: Play) -> None:
    await play.make(CHAIN)
    play.stack(CHAIN.replace("v1", "v2"))
    select(play, "thing.base@a", exclude=("thing.other",))
    planned = await plan(play.request)
    path = play.folder / "part.plan"
    save_plan(planned, play.request, path, redact=lambda value: value)
    saved = load_plan(path)
    assert plan_json(saved.plan) == plan_json(planned.plan)
    play.options = {}
    play.world["a"].data["/other"]["text"] = "by hand, which is none of its business"
    result = await apply_saved(saved, play.request)
    assert result.ok, play.story(result)
    assert (play.text("/base"), play.text("/base", "b"), play.text("/conf")) == ("v2", "v1", "v1")
