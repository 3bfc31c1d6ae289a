"""Apply over hosts in memory: what is promised of a run that goes well."""

from __future__ import annotations

import asyncio

import pytest

from hacore.errors import LockedError
from hacore.store.place import Place
from tests.engine.play import Play

WEB = """
thing:
  conf: {key: /etc/web.conf, text: v1}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


async def test_after_an_apply_the_plan_is_empty(play: Play) -> None:
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "done", play.story(result)
    assert result.leftover is None, play.story(result)
    assert play.text("/etc/web.conf", "b") == "v1"
    assert play.loaded("web", "/etc/web.conf") == "v1"
    assert await play.actions() == {}
    assert (await play.apply()).status == "nothing"


async def test_a_change_is_loaded_by_its_daemon(play: Play) -> None:
    await play.make(WEB)
    await play.make(WEB.replace("v1", "v2"))
    assert play.loaded("web", "/etc/web.conf") == "v2"
    assert play.world["a"].did("reload *") == ["reload web /etc/web.conf"]


async def test_a_state_on_a_network_file_system_is_warned_of(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Place, "network_file_system", lambda _place: "nfs4")
    await play.make("thing: {one: {hosts: a, key: /one, text: v1}}")

    (warning,) = [e.message for e in play.events if e.type == "warning"]
    assert "is on a network file system (nfs4)" in warning


async def test_a_run_that_is_in_progress_is_not_called_interrupted(play: Play) -> None:
    await play.make(WEB)
    play.stack(WEB.replace("v1", "v2"))
    at_work, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_machine: object) -> None:
        at_work.set()
        await go_on.wait()

    play.world["a"].on("write *", pause)
    run = asyncio.create_task(play.apply())
    await at_work.wait()
    with pytest.raises(LockedError, match=r"cannot apply: run 2 is in progress, by .*tester@test.*`hacore unlock`"):
        await play.apply()
    go_on.set()
    assert (await run).ok


async def test_a_host_that_is_silent_after_a_run_is_named(play: Play) -> None:
    play.stack("thing: {x: {hosts: b, key: /x, text: v1}, y: {hosts: a, key: /y, text: v1, needs: [thing.x@b]}}")

    def hang(_machine: object) -> None:
        play.world["b"].silent["value"] = "the disk hangs"

    play.world["a"].on("write /y", hang)
    result = await play.apply()
    assert result.status == "done", play.story(result)
    warnings = [e.message for e in play.events if e.type == "warning"]
    assert any(text.startswith("b was not checked after the run: ") and "the disk hangs" in text for text in warnings)
