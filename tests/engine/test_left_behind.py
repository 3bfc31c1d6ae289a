"""A daemon that existed before hacore, and stays after a destroy, loads what the destroy restores."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.play import Play
from tests.engine.test_crash import die_at

PAIR = """
thing: {conf: {key: /etc/c, text: v1}}
daemon: {d: {reads: [/etc/c], WORD_on: [thing.conf]}}
"""


async def adopted(play: Play, word: str = "reload") -> None:
    """On both hosts a daemon was running with a configuration that the stack changes."""
    for machine in play.world:
        machine.data["/etc/c"] = {"text": "v0"}
        machine.units["d"] = {"running": True, "loaded": {"/etc/c": {"text": "v0"}}}
    await play.make(PAIR.replace("WORD", word))
    assert [play.loaded("d", "/etc/c", host) for host in "ab"] == ["v1", "v1"]


@pytest.mark.parametrize("word", ["reload", "restart"])
async def test_destroy_reloads_it_after_the_restore(play: Play, word: str) -> None:
    await adopted(play, word)
    result = await play.apply(destroy=True)
    assert result.ok, play.story(result)
    assert [play.text("/etc/c", host) for host in "ab"] == ["v0", "v0"]
    assert [play.loaded("d", "/etc/c", host) for host in "ab"] == ["v0", "v0"]
    assert play.rows() == {}


async def test_the_plan_tells_it(play: Play) -> None:
    await adopted(play)
    from hacore.engine import plan

    made = (await plan(play.request, destroy=True)).plan
    effects = {str(c.address): c.effect for c in made.changes}
    assert "reload d" in effects["thing.conf@a"]


async def test_removing_both_blocks_does_the_same(play: Play) -> None:
    await adopted(play)
    await play.make("thing: {other: {key: /o, text: v1}}")
    assert [play.loaded("d", "/etc/c", host) for host in "ab"] == ["v0", "v0"]


async def test_removing_the_daemon_alone_changes_nothing_on_the_host(play: Play) -> None:
    await adopted(play)
    await play.make("thing: {conf: {key: /etc/c, text: v1}}")
    assert [play.loaded("d", "/etc/c", host) for host in "ab"] == ["v1", "v1"]


async def test_a_daemon_that_hacore_made_is_stopped_before_its_files_go(play: Play) -> None:
    await play.make(PAIR.replace("WORD", "reload"))
    result = await play.apply(destroy=True)
    assert result.ok, play.story(result)
    assert not any("d" in machine.units and machine.units["d"]["running"] for machine in play.world)
    assert all("reload d" not in machine.log[-6:] for machine in play.world)


async def test_a_failed_destroy_leaves_it_with_what_it_had(play: Play) -> None:
    await adopted(play)
    play.world["b"].fail("reload d *")
    result = await play.apply(destroy=True)
    assert result.status != "done"
    play.world["b"].rules.clear()
    assert play.text("/etc/c", "b") == play.loaded("d", "/etc/c", "b")
    assert not (await play.drift()).drift


async def test_a_rollback_of_the_destroy_reloads_it_again(play: Play) -> None:
    await adopted(play)
    assert (await play.apply(destroy=True)).ok
    back = await play.rollback()
    assert back.ok, play.story(back)
    assert [play.text("/etc/c", host) for host in "ab"] == ["v1", "v1"]
    assert [play.loaded("d", "/etc/c", host) for host in "ab"] == ["v1", "v1"]


@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("point", ["restore /etc/c", "reload d *"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_destroy_that_is_killed(play: Play, way: str, point: str, after: bool) -> None:
    await adopted(play)
    play.stack("thing: {}")
    await die_at(play, point, after=after)
    if way == "resume":
        result: Any = await play.apply(resume=True)
        wanted = "v0"
    else:
        result = await play.rollback()
        wanted = "v1"
    assert result.ok, play.story(result)
    for host in "ab":
        assert play.text("/etc/c", host) == wanted
        assert play.loaded("d", "/etc/c", host) == wanted, point


async def test_a_selection_that_leaves_the_daemon_out(play: Play) -> None:
    """The file alone is deleted: the daemon is still managed, and is reloaded as always."""
    await adopted(play)
    play.stack("daemon: {d: {reads: [/etc/c], reload_on: []}}")
    result = await play.apply()
    assert result.ok, play.story(result)
    assert play.loaded("d", "/etc/c") == "v0"
