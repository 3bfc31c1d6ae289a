"""A pair that serves: what restarts goes around the one that holds, and never both at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import groupby

import pytest

from hacore.testing import Machine
from tests.engine.play import Play, turns

PAIR = """
thing:
  bin: {key: /bin/web, text: v1}
daemon:
  web: {reads: [/bin/web], restart_on: [thing.bin]}
gate:
  g: {vip: v}
shared:
  s: {vip: v, instance: gate.g}
"""


@pytest.fixture
def pair(play: Play) -> Iterator[Play]:
    play.world.vips["v"] = ["a", "b"]
    yield play
    for machine in play.world:
        assert machine.drained == set(), f"{machine.name} was left drained"
        assert machine.lock == "", f"{machine.name} was left locked"


def watch(play: Play) -> list[str]:
    story: list[str] = []

    def hear(machine: Machine, text: str) -> None:
        word = text.split()[0]
        if word in ("drain", "undrain", "restart", "write"):
            story.append(f"{machine.name} {word}")

    for machine in play.world:
        machine.watchers.append(hear)
    return story


async def test_the_first_install_has_nothing_to_guard(pair: Play) -> None:
    result = await pair.make(PAIR)
    assert not any(m.did("drain *") for m in pair.world), pair.story(result)


async def test_a_restart_is_drained_on_the_host_that_does_not_hold_first(pair: Play) -> None:
    await pair.make(PAIR)
    assert pair.world.holder("v") == "a"
    story = watch(pair)
    result = await pair.make(PAIR.replace("v1", "v2"))
    moves = [s for s in story if "write" not in s]
    assert moves == [
        "b drain", "b restart", "b undrain",
        "a drain", "a restart", "a undrain",
    ], pair.story(result)  # fmt: skip
    assert pair.world.cuts == []


async def test_what_goes_from_under_a_daemon_goes_while_its_host_does_not_serve(pair: Play) -> None:
    """From one build to another: the old one is deleted before the restart that is to know nothing of it."""
    await pair.make(PAIR)
    before = pair.world.snapshot()
    story: list[str] = []
    for machine in pair.world:
        machine.watchers.append(lambda m, text: story.append(f"{m.name} {text}"))
    result = await pair.make(PAIR.replace("bin", "tool"))
    moves = [s for s in story if s.split()[1] in ("drain", "undrain", "restart", "restore")]
    assert moves == [
        "b drain v", "b restore /bin/web", "b restart web /tool/web", "b undrain v",
        "a drain v", "a restore /bin/web", "a restart web /tool/web", "a undrain v",
    ], pair.story(result)  # fmt: skip
    assert pair.world.cuts == []
    assert (await pair.rollback()).ok
    assert pair.world.snapshot() == before
    assert pair.world.cuts == []


async def test_a_vip_that_moved_since_the_plan_is_asked_for_again(pair: Play) -> None:
    await pair.make(PAIR)
    story = watch(pair)
    pair.stack(PAIR.replace("v1", "v2"))
    pair.world.holders["v"] = "b"
    assert (await pair.apply()).ok
    assert next(s for s in story if "drain" in s) == "a drain"
    assert pair.world.cuts == []


async def test_a_reload_is_not_drained(pair: Play) -> None:
    stack = PAIR.replace("restart_on", "reload_on")
    await pair.make(stack)
    await pair.make(stack.replace("v1", "v2"))
    assert not any(m.did("drain *") for m in pair.world)
    assert all(m.did("reload *") for m in pair.world)


BETWEEN = """
thing:
  bin: {key: /bin/web, text: v1}
  conf: {key: /etc/proxy, text: v1}
daemon:
  web: {reads: [/bin/web], restart_on: [thing.bin]}
  proxy: {reads: [/etc/proxy], reload_on: [thing.conf], needs: [daemon.web]}
  app: {reads: [/bin/web], restart_on: [thing.bin], needs: [daemon.proxy]}
gate:
  g: {vip: v}
shared:
  s: {vip: v, instance: gate.g}
"""


async def test_a_reload_between_two_restarts_of_a_host_has_the_turn_of_their_block(pair: Play) -> None:
    await pair.make(BETWEEN)
    before = pair.world.snapshot()
    story: list[str] = []
    for machine in pair.world:
        machine.watchers.append(lambda m, text: story.append(" ".join([m.name, *text.split()[:2]])))
    result = await pair.make(BETWEEN.replace("v1", "v2"))
    moves = [s for s in story if s.split()[1] in ("drain", "undrain", "restart", "reload")]
    one = ["drain v", "restart web", "reload proxy", "restart app", "undrain v"]
    assert moves == [f"{host} {move}" for host in "ba" for move in one], pair.story(result)
    assert (await pair.rollback()).ok
    assert pair.world.snapshot() == before
    assert pair.world.cuts == []


async def test_a_failure_in_a_block_goes_back_through_the_guards(pair: Play) -> None:
    await pair.make(PAIR)
    before, rows = pair.world.snapshot(), pair.rows()
    pair.world["a"].fail("restart web *", "does not start")
    pair.stack(PAIR.replace("v1", "v2"))
    result = await pair.apply()
    assert result.status == "rolled_back", pair.story(result)
    assert pair.world.cuts == [], pair.story(result)
    assert pair.world.snapshot() == before
    assert pair.rows() == rows
    for host in ("a", "b"):
        assert pair.loaded("web", "/bin/web", host) == "v1"


async def test_a_host_that_does_not_let_go_fails_the_block(pair: Play) -> None:
    await pair.make(PAIR)
    before = pair.world.snapshot()
    pair.world.holders["v"] = "a"

    def hold(machine: Machine) -> None:
        machine.drained.discard("v")

    pair.world["a"].on("drain v", hold, after=True, times=None)
    pair.stack(PAIR.replace("v1", "v2"))
    result = await pair.apply()
    assert result.status == "rolled_back", pair.story(result)
    assert any("it still serves" in t.error for t in result.tasks)
    assert pair.world.snapshot() == before


async def test_a_stop_in_an_open_block_ends_the_block(pair: Play) -> None:
    await pair.make(PAIR)
    stop = asyncio.Event()

    async def press(_machine: Machine) -> None:
        stop.set()
        await turns()

    pair.world["b"].on("drain v", press)
    pair.stack(PAIR.replace("v1", "v2"))
    result = await pair.apply(stop=stop)
    assert result.status == "interrupted", pair.story(result)
    assert pair.world["b"].did("undrain v")
    assert pair.loaded("web", "/bin/web", "b") == "v2"
    assert not pair.world["a"].did("drain v")
    rolled = await pair.rollback()
    assert rolled.ok, pair.story(rolled)
    assert pair.loaded("web", "/bin/web", "b") == "v1"
    assert pair.world.cuts == []


async def test_a_pair_with_nobody_in_service_is_not_guarded(pair: Play) -> None:
    """Nothing is in service, so nothing can be lost; and a drain could never become clear."""
    await pair.make(PAIR.replace("shared:\n  s: {vip: v, instance: gate.g}", ""))
    pair.world.vips.clear()
    result = await pair.make(PAIR.replace("v1", "v2").replace("shared:\n  s: {vip: v, instance: gate.g}", ""))
    assert not any(m.did("drain *") for m in pair.world), pair.story(result)


async def test_blocks_that_would_wait_for_each_other_are_cut_in_two(pair: Play) -> None:
    """a.one -> b -> a.two: in one block on a, b would have to be drained while a is."""
    stack = """
thing:
  one: {hosts: a, text: v1, disrupts: restart}
  mid: {hosts: b, text: v1, disrupts: restart, needs: [thing.one@a]}
  two: {hosts: a, text: v1, disrupts: restart, needs: [thing.mid@b]}
gate:
  g: {vip: v}
"""
    await pair.make(stack)
    story = watch(pair)
    result = await pair.make(stack.replace("v1", "v2"))
    assert story == [
        "a drain", "a write", "a undrain",
        "b drain", "b write", "b undrain",
        "a drain", "a write", "a undrain",
    ], pair.story(result)  # fmt: skip


LOADS_AN_EARLIER_BLOCK = """
thing:
  one: {hosts: a, text: v1, disrupts: restart}
  mid: {hosts: b, text: v1, disrupts: restart, needs: [thing.one@a]}
daemon:
  web: {hosts: a, reads: [/things/one], restart_on: [thing.one@a], needs: [thing.mid@b]}
gate:
  g: {vip: v}
"""
"""Three blocks, on a, b and a: the daemon of the third loads what the first one changes."""


async def test_a_failed_restart_is_undone_with_what_an_earlier_block_changed(pair: Play) -> None:
    """The daemon settles after its source is restored: a block of its host is opened beside the one that is open."""
    await pair.make(LOADS_AN_EARLIER_BLOCK)
    before = pair.world.snapshot()
    pair.world["a"].fail("restart web *", "does not start")
    worst = 0

    def count(_machine: Machine, _text: str) -> None:
        nonlocal worst
        worst = max(worst, sum("v" in m.drained for m in pair.world))

    for machine in pair.world:
        machine.watchers.append(count)
    pair.stack(LOADS_AN_EARLIER_BLOCK.replace("v1", "v2"))
    result = await pair.apply()
    assert result.status == "rolled_back", pair.story(result)
    assert pair.world.snapshot() == before, pair.story(result)
    assert worst == 1
    assert pair.world.cuts == []


async def test_a_host_whose_undo_failed_stays_drained_when_an_earlier_block_of_it_is_undone(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make(LOADS_AN_EARLIER_BLOCK)
    play.world["a"].fail("restart web *", "does not start", times=None)
    play.stack(LOADS_AN_EARLIER_BLOCK.replace("v1", "v2"))
    result = await play.apply()
    assert result.status == "failed", play.story(result)
    assert play.world["a"].drained == {"v"}
    assert play.world["b"].drained == set()
    assert play.world.cuts == []


async def test_a_halt_leaves_the_host_drained_says_so_and_the_next_apply_ends_it(pair: Play) -> None:
    """What failed is not undone, so its host is in doubt and stays out of service; the other one is not touched."""
    await pair.make(PAIR)
    pair.world["b"].fail("restart web *", "does not start")
    pair.stack(PAIR.replace("v1", "v2"))
    result = await pair.apply(on_failure="halt")
    assert result.status == "failed", pair.story(result)
    assert not pair.world["a"].did("drain v"), pair.story(result)
    assert pair.world["b"].drained == {"v"}
    assert any("b stays out of service" in e.message for e in pair.events if e.type == "warning")
    healed = await pair.apply()
    assert healed.ok, pair.story(healed)
    assert pair.loaded("web", "/bin/web", "a") == pair.loaded("web", "/bin/web", "b") == "v2"
    assert pair.world.cuts == []


@pytest.mark.parametrize("first", ["a", "b"])
async def test_a_rollback_of_both_hosts_drains_one_at_a_time(pair: Play, first: str) -> None:
    await pair.make(PAIR)
    before = pair.world.snapshot()
    pair.world.holders["v"] = first
    await pair.make(PAIR.replace("v1", "v2"))
    worst = 0

    def count(_machine: Machine, _text: str) -> None:
        nonlocal worst
        worst = max(worst, sum("v" in m.drained for m in pair.world))

    for machine in pair.world:
        machine.watchers.append(count)
    result = await pair.rollback()
    assert result.ok, pair.story(result)
    assert worst == 1
    assert pair.world.cuts == []
    assert pair.world.snapshot() == before


async def test_what_was_made_in_a_block_goes_again_in_one(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make("gate: {g: {vip: v}}")
    before = play.world.snapshot()
    await play.make("gate: {g: {vip: v}}\nthing: {c: {key: /c, text: v1, disrupts: restart}}")
    back = await play.rollback()
    assert back.ok, play.story(back)
    assert {t.op for t in back.tasks} >= {"drain", "verify", "undrain"}
    assert {n: m["data"] for n, m in play.world.snapshot().items()} == {n: m["data"] for n, m in before.items()}


async def test_what_a_run_healed_goes_back_to_what_somebody_had_made_of_it(pair: Play) -> None:
    stack = PAIR.replace("reads:", "disrupts: restart, reads:")
    await pair.make(stack)
    for machine in pair.world:
        machine.units["web"] = {"running": False, "loaded": {}}  # by hand
    before = pair.world.snapshot()
    healed = await pair.make(stack)
    assert all(machine.units["web"]["running"] for machine in pair.world), pair.story(healed)

    back = await pair.rollback()

    assert back.ok, pair.story(back)
    assert pair.world.snapshot() == before


BLOCKS = """
thing:
  bin: {text: v1, disrupts: restart}
  last: {text: v1, disrupts: restart, needs: [thing.bin]}
gate:
  g: {vip: v}
"""


async def test_an_undo_that_fails_in_a_block_leaves_the_host_drained_and_says_so(play: Play) -> None:
    """It may be broken: it must not serve, and the other host must not be drained."""
    play.world.vips["v"] = ["a", "b"]
    await play.make(BLOCKS)
    before, rows = play.world.snapshot(), play.rows()
    play.world["a"].fail("write /things/last")
    play.world["a"].fail("restore /things/bin", "disk is gone")
    play.stack(BLOCKS.replace("v1", "v2"))
    result = await play.apply()
    assert result.status == "failed", play.story(result)
    assert play.world["a"].drained == {"v"}
    assert play.world["b"].drained == set()
    assert play.text("/things/bin", "b") == "v2"  # to take it back b would have to be drained as well
    assert any("a stays out of service" in e.message for e in play.events if e.type == "warning")
    stuck = {t.error for t in result.tasks if t.host == "b" and t.status == "error"}
    assert stuck == {"not undone: a host of its group stays out of service"}
    assert play.row("thing.bin@a").tainted
    again = await play.rollback()
    assert again.ok, play.story(again)
    assert play.world.snapshot() == before
    assert play.rows() == rows
    assert play.world.cuts == []


async def test_a_gate_that_changes_its_name_in_the_run_of_a_restart_is_drained_by_the_name_that_serves(
    pair: Play,
) -> None:
    """The daemon that serves knows the new name only once it is loaded."""
    await pair.make(PAIR)
    story = watch(pair)
    pair.world.vips["w"] = []
    result = await pair.make(PAIR.replace("v1", "v2").replace("g: {vip: v}", "g: {vip: w}"))
    assert [s for s, _ in groupby(s for s in story if "write" not in s)] == [
        "b drain", "b restart", "b undrain",
        "a drain", "a restart", "a undrain",
    ], pair.story(result)  # fmt: skip
    assert pair.world.cuts == []
