"""The rule of the holders in a whole run: a reload that loses a name fails, is undone, and what stays lost is told."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.contract import Check, Held, Observed, View
from hacore.render.result import rollback_result_json, rollback_result_text, run_text
from hacore.testing.machine import Machine
from hacore.testing.pairs import Gate, Shared
from hacore.testing.questions import HOLDS
from tests.engine.play import Play
from tests.engine.test_crash import die_at

SITE = """
thing:
  conf: {key: /etc/web.conf, text: v1}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
gate:
  g: {vip: v}
"""


def held(_self: Gate, view: View[Any]) -> Held | None:
    vip = view.spec.vip
    answer = view.facts.get(HOLDS, vip)
    return None if answer is None else Held(frozenset([vip] if answer else []), frozenset([vip]), frozenset([vip]))


@pytest.fixture
async def site(play: Play, monkeypatch: pytest.MonkeyPatch) -> Play:
    monkeypatch.setattr(Gate, "held", held, raising=False)
    monkeypatch.setattr("hacore.walk.held_check.PAUSE", 0.01)
    play.world.vips["v"] = ["a", "b"]
    await play.make(SITE)
    return play


def lose(world: Any) -> Any:
    def effect(_machine: Machine) -> None:
        world.vips.clear()

    return effect


async def test_a_reload_that_loses_a_name_is_undone_and_the_loss_is_told(site: Play) -> None:
    site.world["b"].on("reload web *", lose(site.world))
    site.stack(SITE.replace("v1", "v2"))
    result = await site.apply()
    assert result.status == "rolled_back", site.story(result)
    assert any("v, which a held before the run, is held by nobody" in task.error for task in result.tasks)
    assert all(site.loaded("web", "/etc/web.conf", host) == "v1" for host in "ab")
    assert result.lost == ("v, which a held before the run, is held by nobody",)
    assert not result.ok
    text = run_text(result, commands={"plan": "p", "resume": "r", "rollback": "b"})
    assert "Not held as before: v, which a held before the run, is held by nobody." in text
    assert "The changes were rolled back." not in text


async def test_a_move_to_the_other_host_is_no_loss(site: Play) -> None:
    def move(_machine: Machine) -> None:
        site.world.vips["v"] = ["b", "a"]

    site.world["b"].on("reload web *", move)
    site.stack(SITE.replace("v1", "v2"))
    result = await site.apply()
    assert result.ok, site.story(result)
    assert result.lost == ()


async def test_a_check_that_came_with_the_run_and_fails_is_a_warning(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_check: Check) -> str:
        return "status 502, not 200"

    monkeypatch.setattr("hacore.walk.health.ask", ask)
    monkeypatch.setattr("hacore.engine.run.CHECKS_WITHIN", 0.05)
    monkeypatch.setattr("hacore.engine.run.CHECKS_PAUSE", 0.01)

    def serve(_machine: Machine) -> None:
        play.world.vips["v"] = ["a", "b"]

    def observe(self: Shared, view: View[Any]) -> Observed | None:
        found = real(self, view)
        return found if found is not None and found.attrs["holders"] else None

    real = Shared.observe
    monkeypatch.setattr(Shared, "observe", observe)
    play.world["b"].on("write gate:v", serve)  # nobody holds it before the run
    play.stack(SITE + "shared: {s: {vip: v, instance: gate.g, checks: ['http://v/']}}\n")
    result = await play.apply()
    assert result.ok, play.story(result)
    warned = [e.message for e in play.events if e.type == "warning"]
    assert warned == ["shared.s: the check http://v/ fails after the run: status 502, not 200"]


async def test_a_rollback_that_loses_a_name_tells_it(site: Play) -> None:
    site.stack(SITE.replace("v1", "v2"))
    assert (await site.apply()).ok
    site.world["a"].on("reload web *", lose(site.world))
    result = await site.rollback()
    assert result.lost == ("v, which a held before the run, is held by nobody",)
    assert not result.ok, site.story(result)
    assert "Not held as before: v, which a held before the run" in rollback_result_text(result, commands=BACK)
    assert rollback_result_json(result)["lost"] == list(result.lost)


async def test_a_rollback_that_keeps_all_names_has_none_to_tell(site: Play) -> None:
    site.stack(SITE.replace("v1", "v2"))
    assert (await site.apply()).ok
    result = await site.rollback()
    assert (result.ok, result.lost) == (True, ()), site.story(result)


@pytest.mark.parametrize("losing", [True, False])
async def test_undoing_an_interrupted_run_tells_what_is_lost(site: Play, losing: bool) -> None:
    site.stack(SITE.replace("v1", "v2"))
    await die_at(site, "reload web *", after=True)
    site.world["b"].lock = ""
    if losing:
        site.world["a"].on("reload web *", lose(site.world))
    result = await site.rollback()
    assert result.status == "rolled_back", site.story(result)
    assert bool(result.lost) is losing
    assert result.ok is not losing


BACK = {"rollback": "hacore rollback", "undo": "hacore rollback 3"}
