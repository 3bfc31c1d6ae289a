"""A run that died: what was being done is a maybe, and the images are the way back."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from hacore.errors import HacoreError, PlanError
from hacore.testing import Machine
from tests.engine.play import Play

WEB = """
thing:
  one: {hosts: a, key: /one, text: v1}
  conf: {hosts: a, key: /etc/web.conf, text: v1, needs: [thing.one]}
daemon:
  web: {hosts: a, reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


async def die_at(play: Play, pattern: str, *, after: bool) -> None:
    """End an apply in the middle of an operation, as when its process is killed: nobody records its outcome."""
    reached = asyncio.Event()
    go = asyncio.Event()

    async def hold(_machine: Machine) -> None:
        reached.set()
        await go.wait()

    play.world["a"].on(pattern, hold, after=after)
    running = asyncio.create_task(play.apply())
    async with asyncio.timeout(60):
        await reached.wait()
    others = asyncio.all_tasks() - {asyncio.current_task(), running}
    for task in (running, *others):
        task.cancel()
    with suppress(asyncio.CancelledError, HacoreError):
        await running
    await asyncio.gather(*others, return_exceptions=True)
    play.world["a"].lock = ""  # the next run would find its holder dead


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pattern", ["write /one", "write /etc/web.conf", "reload web *"])
async def test_a_run_that_died_can_be_taken_back(play: Play, pattern: str, after: bool) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    play.stack(WEB.replace("v1", "v2"))
    await die_at(play, pattern, after=after)
    assert play.runs()[-1].status == "running"
    with pytest.raises(PlanError, match=r"run 2 .*was interrupted; resume with"):
        await play.apply()
    result = await play.rollback()
    assert result.ok, play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == rows
    assert (await play.apply()).ok
    assert play.loaded("web", "/etc/web.conf") == "v2"


async def test_a_run_that_died_may_be_planned(play: Play) -> None:
    play.stack(WEB)
    await die_at(play, "write /etc/web.conf", after=True)
    assert set(await play.actions()) == {"thing.conf@a", "daemon.web@a"}


async def test_a_rollback_that_died_is_taken_up_again(play: Play) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    await play.make(WEB.replace("v1", "v2"))
    reached = asyncio.Event()

    async def hold(_machine: Machine) -> None:
        reached.set()
        await asyncio.Event().wait()

    play.world["a"].on("restore /etc/web.conf", hold, after=True)
    running = asyncio.create_task(play.rollback())
    async with asyncio.timeout(60):
        await reached.wait()
    others = asyncio.all_tasks() - {asyncio.current_task(), running}
    for task in (running, *others):
        task.cancel()
    await asyncio.gather(running, *others, return_exceptions=True)
    play.world["a"].lock = ""
    result = await play.rollback(force=True)
    assert result.ok, play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == rows
