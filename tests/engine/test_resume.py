"""Going on with a run that was cut off: it stays one run, and can be taken back as one."""

from __future__ import annotations

import asyncio

import pytest

from hacore.errors import PlanError
from hacore.testing import Machine
from tests.engine.play import Play, turns
from tests.engine.test_crash import die_at
from tests.engine.test_guards import PAIR

WEB = """
thing:
  one: {hosts: a, key: /one, text: v1}
  conf: {hosts: a, key: /etc/web.conf, text: v1, needs: [thing.one]}
daemon:
  web: {hosts: a, reads: [/etc/web.conf], reload_on: [thing.conf]}
"""
V2 = WEB.replace("v1", "v2")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pattern", ["write /one", "write /etc/web.conf", "reload web *"])
async def test_a_run_that_died_goes_on_and_is_taken_back_as_one(play: Play, pattern: str, after: bool) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    play.stack(V2)
    await die_at(play, pattern, after=after)
    result = await play.apply(resume=True)
    assert result.ok, play.story(result)
    assert result.run == 2
    assert [(r.id, r.status) for r in play.runs()] == [(1, "done"), (2, "done")]
    assert play.loaded("web", "/etc/web.conf") == "v2"
    back = await play.rollback()
    assert back.ok, play.story(back)
    assert play.world.snapshot() == before
    assert play.rows() == rows


@pytest.mark.parametrize(("made", "left"), [("write /one", "write /etc/web.conf"), ("write /etc/web.conf", "reload")])
async def test_the_summary_is_that_of_the_whole_run(play: Play, made: str, left: str) -> None:
    await play.make(WEB)
    play.stack(V2 + "  other: {hosts: a}\n")
    await die_at(play, made, after=True)
    assert (await play.apply(resume=True)).ok
    assert play.world["a"].did(f"{left}*") != []
    summary = play.runs()[-1].summary
    assert {word: number for word, number in summary.items() if number and word != "noop"} == {
        "create": 1, "update": 2,
    }  # fmt: skip


async def test_what_is_as_wanted_already_is_recorded_and_not_done_again(play: Play) -> None:
    play.world["a"].data["/one"] = {"text": "by hand"}
    before = play.world.snapshot()
    play.stack(V2)
    await die_at(play, "write /one", after=True)
    writes = play.world["a"].did("write /one")
    assert (await play.apply(resume=True)).ok
    assert play.world["a"].did("write /one") == writes
    assert play.row("thing.one@a").found == "different"
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before


async def test_what_was_made_halfway_is_no_find(play: Play) -> None:
    """Adopted, it would stay when its block goes."""
    play.stack(WEB)
    await die_at(play, "write /etc/web.conf", after=True)
    assert (await play.apply(resume=True)).ok
    assert play.row("thing.conf@a").found == "absent"
    await play.make("thing: {one: {hosts: a, key: /one, text: v1}}")
    assert play.text("/etc/web.conf") is None


async def test_what_is_in_doubt_and_not_wanted_any_more_is_taken_back_first(play: Play) -> None:
    play.stack(WEB)
    await die_at(play, "write /etc/web.conf", after=True)
    play.stack("thing: {one: {hosts: a, key: /one, text: v1}}")
    result = await play.apply(resume=True)
    assert result.ok, play.story(result)
    assert play.text("/etc/web.conf") is None
    assert set(play.rows()) == {"thing.one@a"}
    assert any("the stack has changed since run 1 began" in e.message for e in play.events if e.type == "warning")


async def test_a_failure_after_the_resume_takes_back_the_whole_run(play: Play) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    play.stack(V2)
    await die_at(play, "write /etc/web.conf", after=False)
    play.world["a"].fail("write /etc/web.conf")
    result = await play.apply(resume=True)
    assert result.status == "rolled_back", play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == rows
    assert (await play.apply()).ok


async def test_a_failure_that_halts_leaves_what_is_half_done_in_doubt(play: Play) -> None:
    play.stack(WEB)
    await die_at(play, "write /etc/web.conf", after=True)
    play.world["a"].data["/one"] = {"text": "by hand"}  # so that it is planned again, above what is in doubt
    play.world["a"].fail("write /one")
    result = await play.apply(resume=True, on_failure="halt")
    assert result.status == "failed", play.story(result)
    assert play.row("thing.conf@a").tainted
    assert (await play.apply()).ok
    assert play.row("thing.conf@a").found == "absent"


async def test_a_stopped_run_goes_on(play: Play) -> None:
    stop = asyncio.Event()

    async def press(_machine: Machine) -> None:
        stop.set()
        await turns()

    play.world["a"].on("write /one", press)
    play.stack(WEB)
    assert (await play.apply(stop=stop)).status == "interrupted"
    with pytest.raises(PlanError, match="--resume"):
        await play.apply()
    result = await play.apply(resume=True)
    assert result.ok, play.story(result)
    assert play.world["a"].did("write /one") == ["write /one"]


async def test_a_destroy_goes_on_as_a_destroy(play: Play) -> None:
    before = play.world.snapshot()
    await play.make(WEB)
    stop = asyncio.Event()

    async def press(_machine: Machine) -> None:
        stop.set()
        await turns()

    play.world["a"].on("restore /etc/web.conf", press)
    assert (await play.apply(destroy=True, stop=stop)).status == "interrupted"
    result = await play.apply(resume=True)
    assert result.ok, play.story(result)
    assert play.world.snapshot() == before
    assert play.runs()[-1].command == "destroy"


async def test_without_an_unfinished_run_there_is_nothing_to_resume(play: Play) -> None:
    await play.make(WEB)
    with pytest.raises(PlanError, match="no run was interrupted"):
        await play.apply(resume=True)


@pytest.mark.parametrize("moment", ["drain v", "restart web *", "undrain v"])
@pytest.mark.parametrize("after", [False, True])
async def test_an_open_block_is_closed_before_the_other_host_is_drained(play: Play, moment: str, after: bool) -> None:
    play.world.vips["v"] = ["b", "a"]  # b holds: a goes first, and is where the run dies
    await play.make(PAIR)
    before = play.world.snapshot()
    play.stack(PAIR.replace("v1", "v2"))
    await die_at(play, moment, after=after)
    for machine in play.world:
        machine.lock = ""
    out: list[int] = []

    def watch(_machine: Machine, _text: str) -> None:
        out.append(sum(bool(m.drained) for m in play.world))

    for machine in play.world:
        machine.watchers.append(watch)
    result = await play.apply(resume=True)
    assert result.ok, play.story(result)
    assert max(out) <= 1
    assert not any(m.drained for m in play.world)
    assert play.world.cuts == []
    assert play.loaded("web", "/bin/web", "a") == play.loaded("web", "/bin/web", "b") == "v2"
    assert (await play.rollback()).ok
    assert play.world.snapshot() == before
    assert max(out) <= 1
