"""What daemons have loaded once a run was undone: what they read before, whatever the failed stack says of them."""

from __future__ import annotations

from tests.engine.play import Play
from tests.engine.test_guards import PAIR

READS = """
thing:
  t: {hosts: a, text: v1}
  last: {hosts: a, text: v1, needs: [daemon.d]}
daemon:
  d: {hosts: a, reads: [/things/t], WORD: [thing.t]}
"""
READS_NOT = """
thing:
  last: {hosts: a, text: v2, needs: [daemon.d]}
daemon:
  d: {hosts: a}
"""


async def undone(play: Play, one: str, two: str) -> None:
    """Apply one stack, then another one that fails at its end."""
    await play.make(one)
    play.stack(two)
    play.world["a"].fail("write /things/last")
    play.world["a"].log.clear()
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)


async def test_a_daemon_settles_by_what_is_recorded_of_it(play: Play) -> None:
    for word in ("reload", "restart"):
        one = READS.replace("WORD", f"{word}_on")
        await undone(play, one, READS_NOT)

        assert play.world["a"].did(f"{word} *") == [f"{word} d", f"{word} d /things/t"]
        assert play.loaded("d", "/things/t") == "v1"
        play.stack(one)
        assert await play.actions() == {}
        assert not (await play.drift()).drift


async def test_a_daemon_that_the_failed_stack_renames_settles_under_its_recorded_name(play: Play) -> None:
    one = READS.replace("WORD", "reload_on")
    named = one.replace("d: {hosts: a, reads", "e: {hosts: a, unit: d, reads").replace("daemon.d]", "daemon.e]")
    await undone(play, one, named.replace("v1", "v2"))

    assert play.text("/things/t") == "v1"
    assert play.loaded("d", "/things/t") == "v1"
    play.stack(one)
    assert await play.actions() == {}
    assert not (await play.drift()).drift


async def test_a_run_that_was_cut_off_is_taken_back_by_what_is_recorded(play: Play) -> None:
    one = READS.replace("WORD", "reload_on")
    await play.make(one)
    play.stack(READS_NOT)
    machine = play.world["a"]
    machine.fail("write /things/last")
    machine.fail("reload d /things/t")  # so the run ends halfway back
    assert (await play.apply()).status == "failed"

    result = await play.rollback(force=True)
    assert result.ok, play.story(result)
    assert play.loaded("d", "/things/t") == "v1"
    play.stack(one)
    assert await play.actions() == {}
    assert not (await play.drift()).drift


async def test_a_finished_rollback_of_a_pair_reloads_one_host_after_the_other(play: Play) -> None:
    """Also when it was cut off: whose turn it is must be in its record."""
    stack = PAIR.replace("restart_on", "reload_on")
    play.world.vips["v"] = ["a", "b"]
    await play.make(stack)
    await play.make(stack.replace("v1", "v2"))
    for machine in play.world:
        machine.fail("reload *")
    assert (await play.rollback()).status == "failed"

    play.events.clear()
    result = await play.rollback()
    assert result.ok, play.story(result)
    reloads = [(e.type, e.host) for e in play.events if e.type.startswith("task_") and e.data.get("op") == "reload"]
    assert reloads == [("task_started", "b"), ("task_done", "b"), ("task_started", "a"), ("task_done", "a")]
