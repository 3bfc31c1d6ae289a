"""Rollback over several runs: a run of its own, which can be undone, cut off, finished and taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hacore.address import Address
from hacore.engine import RollbackPlan, move
from hacore.errors import PlanError, StoreError
from hacore.journal import cancelled, way_back
from hacore.model import is_pending
from hacore.store import RunRecord
from hacore.testing import Machine
from tests.engine.play import Play, turns
from tests.engine.test_guards import PAIR

WEB = """
thing:
  conf: {hosts: a, key: /etc/web.conf, text: v1}
  other: {hosts: b, key: /etc/other, text: v1}
daemon:
  web: {hosts: a, reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


def run(number: int, *undoes: int, status: str = "done") -> RunRecord:
    command = "rollback" if undoes else "apply"
    return RunRecord(number, command, status, 0.0, 1.0, "me", "s", "", "halt", undoes=undoes)


@pytest.mark.parametrize(
    ("runs", "before", "way"),
    [
        ([run(1), run(2), run(3)], 2, [3, 2]),
        ([run(1), run(2), run(3, 2), run(4)], 1, [4, 1]),
        ([run(1), run(2), run(3, 2), run(4)], 2, [4]),
        ([run(1), run(2), run(3, 2), run(4)], 3, [4, 3]),
        ([run(1), run(2, 1), run(3, 2)], 1, [1]),
        ([run(1), run(2, 1), run(3, 2)], 2, []),
        ([run(1), run(2, 1), run(3, 2)], 3, [3]),
        ([run(1), run(2), run(3), run(4, 3, 2)], 3, [4, 3]),
        ([run(1), run(2), run(3, 2, status="failed")], 1, [3, 2, 1]),
        ([run(1), run(2, status="rolled_back"), run(3, 1, status="rolled_back")], 1, [1]),
    ],
)
def test_a_run_and_the_rollback_that_cancelled_it_are_skipped_together(
    runs: list[RunRecord], before: int, way: list[int]
) -> None:
    assert [r.id for r in way_back(runs, before)] == way


def test_a_rollback_that_was_rolled_back_cancels_nothing() -> None:
    assert cancelled([run(1), run(2, 1), run(3, 2)]) == {2: 3}
    assert cancelled([run(1), run(2, 1), run(3)]) == {1: 2}


async def versions(play: Play, *names: str, stack: str = WEB) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The hosts and rows before each run, and after the last one."""
    seen = [(play.world.snapshot(), play.rows())]
    for name in names:
        await play.make(stack.replace("v1", name))
        seen.append((play.world.snapshot(), play.rows()))
    return seen


@pytest.mark.parametrize("before", [1, 2, 3])
async def test_a_rollback_goes_back_to_before_a_run_and_forth_again(play: Play, before: int) -> None:
    seen = await versions(play, "v1", "v2", "v3")
    result = await play.rollback(run=before)
    assert result.ok, play.story(result)
    assert result.run == 4
    assert (play.world.snapshot(), play.rows()) == seen[before - 1]
    assert result.leftover == ()
    assert play.runs()[-1].undoes == tuple(range(3, before - 1, -1))
    again = await play.rollback(run=4)
    assert again.ok, play.story(again)
    assert (play.world.snapshot(), play.rows()) == seen[3]
    assert await play.actions() == {}
    third = await play.rollback(run=5)
    assert third.ok, play.story(third)
    assert (play.world.snapshot(), play.rows()) == seen[before - 1]


async def test_one_reload_for_all_runs(play: Play) -> None:
    await versions(play, "v1", "v2", "v3", "v4")
    reloads = len(play.world["a"].did("reload *"))
    result = await play.rollback(run=2)
    assert result.ok, play.story(result)
    assert len(play.world["a"].did("reload *")) == reloads + 1
    assert play.loaded("web", "/etc/web.conf") == "v1"


async def test_what_comes_back_to_what_is_loaded_reloads_nothing(play: Play) -> None:
    await versions(play, "v1", "v2", "v1")
    reloads = len(play.world["a"].did("reload *"))
    assert (await play.rollback(run=2)).ok
    assert len(play.world["a"].did("reload *")) == reloads
    assert not is_pending(play.row("daemon.web@a").loaded["thing.conf@a"])
    assert await play.actions() == {"thing.conf@a": "update"} or await play.actions() == {}


async def test_after_a_rollback_the_next_run_goes_on_and_is_undone_first(play: Play) -> None:
    seen = await versions(play, "v1", "v2")
    assert (await play.rollback()).ok
    play.stack(WEB.replace("v1", "v4"))
    assert (await play.apply()).ok
    assert [r.command for r in play.runs()] == ["apply", "apply", "rollback", "apply"]
    assert (await play.rollback()).ok
    assert (play.world.snapshot(), play.rows()) == seen[1]
    assert (await play.rollback()).ok
    assert (play.world.snapshot(), play.rows()) == seen[0]
    with pytest.raises(StoreError, match="no run is left"):
        await play.rollback()


async def test_a_run_that_was_undone_cannot_be_undone_again(play: Play) -> None:
    await versions(play, "v1", "v2")
    assert (await play.rollback()).ok
    with pytest.raises(StoreError, match=r"run 3 undid it.*rollback 3"):
        await play.rollback(run=2)
    with pytest.raises(StoreError, match="cannot roll back run 9: it is not recorded"):
        await play.rollback(run=9)


async def test_what_is_only_described_anew_comes_back_too(play: Play) -> None:
    both = "thing:\n  x: {hosts: a, text: v1}\n  y: {hosts: a, text: v1}\n"
    await play.make(both)
    rows = play.rows()
    await play.make(both.replace("y: {hosts: a, text: v1}", "y: {hosts: a, text: v2, needs: [thing.x]}"))
    await play.make(both.replace("x: {hosts: a, text: v1}", "x: {hosts: a, text: v3, needs: [thing.y]}"))
    assert play.rows()["thing.y@a"].needs == ()
    assert (await play.rollback(run=2)).ok
    assert play.rows() == rows
    assert (await play.rollback(run=4)).ok
    assert play.rows()["thing.x@a"].needs == ("thing.y@a",)


async def test_a_source_that_goes_is_taken_out_of_what_is_loaded(play: Play) -> None:
    one = "daemon:\n  web: {hosts: a, reads: [/extra]}\n"
    two = "thing:\n  extra: {hosts: a, key: /extra, text: v1}\n" + one.replace(
        "reads: [/extra]", "reads: [/extra], reload_on: [thing.extra]"
    )
    await play.make(one)
    before, rows = play.world.snapshot(), play.rows()
    await play.make(two)
    assert play.loaded("web", "/extra") is None or play.loaded("web", "/extra") == "v1"
    await play.make(two.replace("v1", "v2"))
    assert play.loaded("web", "/extra") == "v2"
    result = await play.rollback(run=2)
    assert result.ok, play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == rows


async def test_a_daemon_that_comes_back_needs_no_reload(play: Play) -> None:
    seen = await versions(play, "v1")
    assert (await play.apply(destroy=True)).ok
    result = await play.rollback()
    assert result.ok, play.story(result)
    assert play.rows() == seen[1][1]
    assert not play.world["a"].did("reload *")
    assert play.loaded("web", "/etc/web.conf") == "v1"


# --- guards ----------------------------------------------------------------------------------------


async def test_one_block_for_each_host_over_all_runs(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    seen = await versions(play, "v1", "v2", "v3", stack=PAIR)
    drains = {m.name: len(m.did("drain *")) for m in play.world}
    result = await play.rollback(run=2)
    assert result.ok, play.story(result)
    assert (play.world.snapshot(), play.rows()) == seen[1]
    assert {m.name: len(m.did("drain *")) - drains[m.name] for m in play.world} == {"a": 1, "b": 1}
    assert play.world.cuts == []


async def test_what_disrupts_in_each_run_is_in_one_block(play: Play) -> None:
    stack = """
thing:
  bin: {text: v1, disrupts: restart}
  conf: {text: v1, needs: [thing.bin]}
  last: {text: v1, disrupts: restart, needs: [thing.conf]}
gate:
  g: {vip: v}
"""
    play.world.vips["v"] = ["a", "b"]
    seen = await versions(play, "v1", "v2", "v3", stack=stack)
    drains = {m.name: len(m.did("drain *")) for m in play.world}
    result = await play.rollback(run=2)
    assert result.ok, play.story(result)
    assert (play.world.snapshot(), play.rows()) == seen[1]
    assert {m.name: len(m.did("drain *")) - drains[m.name] for m in play.world} == {"a": 1, "b": 1}


async def test_a_failed_restore_leaves_its_host_drained_until_the_rollback_is_finished(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    seen = await versions(play, "v1", "v2", stack=PAIR)
    for machine in play.world:
        machine.fail("restart web *", "does not start")
    result = await play.rollback()
    assert result.status == "failed", play.story(result)
    assert sum(bool(m.drained) for m in play.world) == 1
    assert any("stays out of service" in e.message for e in play.events if e.type == "warning")
    for machine in play.world:
        machine.rules.clear()
    again = await play.rollback()
    assert again.ok, play.story(again)
    assert again.run == result.run
    assert (play.world.snapshot(), play.rows()) == seen[1]
    assert play.world.cuts == []


# --- cut off ---------------------------------------------------------------------------------------


async def stopped_at(play: Play, pattern: str, **more: Any) -> Any:
    stop = asyncio.Event()

    async def press(_machine: Machine) -> None:
        stop.set()
        await turns()

    play.world["a"].on(pattern, press)
    return await play.rollback(stop=stop, **more)


async def test_a_stopped_rollback_is_finished(play: Play) -> None:
    stack = WEB.replace("other: {hosts: b", "other: {needs: [daemon.web@a], hosts: a")
    seen = await versions(play, "v1", "v2", stack=stack)
    result = await stopped_at(play, "restore /etc/other")
    assert result.status == "interrupted", play.story(result)
    assert play.text("/etc/other") == "v1"
    assert play.text("/etc/web.conf") == "v2"
    play.stack(stack)
    with pytest.raises(PlanError, match=r"run 3 \(rollback.*rollback 3"):
        await play.apply()
    with pytest.raises(PlanError, match="cannot resume"):
        await play.apply(resume=True)
    with pytest.raises(PlanError, match="end it first with"):
        await play.rollback(run=1)
    again = await play.rollback()
    assert again.ok, play.story(again)
    assert again.run == 3
    assert (play.world.snapshot(), play.rows()) == seen[1]
    assert play.world["a"].did("restore /etc/other") == ["restore /etc/other"]
    assert (await play.rollback(run=3)).ok
    assert (play.world.snapshot(), play.rows()) == seen[2]


async def test_a_stopped_rollback_is_taken_back_by_its_number(play: Play) -> None:
    stack = WEB.replace("other: {hosts: b", "other: {needs: [daemon.web@a], hosts: a")
    seen = await versions(play, "v1", "v2", stack=stack)
    await stopped_at(play, "restore /etc/other")
    back = await play.rollback(run=3)
    assert back.ok, play.story(back)
    assert play.runs()[-1].status == "rolled_back"
    assert (play.world.snapshot(), play.rows()) == seen[2]
    assert (await play.rollback()).ok
    assert (play.world.snapshot(), play.rows()) == seen[1]


async def test_a_stop_while_a_run_is_taken_back(play: Play) -> None:
    """What is being undone ends, nothing more is undone; it goes on from there."""
    stack = WEB.replace("other: {hosts: b", "other: {needs: [daemon.web@a], hosts: a")
    await play.make(stack)
    before, rows = play.world.snapshot(), play.rows()
    stop = asyncio.Event()

    async def press(_machine: Machine) -> None:
        stop.set()
        await turns()

    play.world["a"].on("write /etc/other", press, after=True)
    play.world["a"].fail("write /never")
    play.stack(stack.replace("v1", "v2") + "  late: {hosts: a, unit: late, reads: [], reload_on: [thing.other]}\n")
    assert (await play.apply(stop=stop)).status == "interrupted"
    result = await stopped_at(play, "restore /etc/other")
    assert result.status == "interrupted", play.story(result)
    assert play.text("/etc/web.conf") == "v2"
    again = await play.rollback()
    assert again.ok, play.story(again)
    assert play.world.snapshot() == before
    assert play.rows() == rows


async def test_a_failed_rollback_lets_others_end_and_is_finished(play: Play) -> None:
    seen = await versions(play, "v1", "v2", "v3")
    play.world["a"].fail("restore /etc/web.conf", "disk is gone", times=None)
    result = await play.rollback(run=2)
    assert result.status == "failed", play.story(result)
    assert play.text("/etc/other", "b") == "v1"
    assert play.row("thing.conf@a").tainted
    play.world["a"].rules.clear()
    again = await play.rollback()
    assert again.ok, play.story(again)
    assert (play.world.snapshot(), play.rows()) == seen[1]


async def test_after_a_failed_rollback_apply_goes_on_and_all_of_it_can_be_undone(play: Play) -> None:
    seen = await versions(play, "v1", "v2", "v3")
    play.world["a"].fail("restore /etc/web.conf", "disk is gone", times=None)
    assert not (await play.rollback(run=3)).ok
    play.world["a"].rules.clear()
    play.stack(WEB.replace("v1", "v5"))
    assert (await play.apply()).ok
    result = await play.rollback(run=2, force=True)
    assert result.ok, play.story(result)
    assert (play.world.snapshot(), play.rows()) == seen[1]
    assert play.runs()[-1].undoes == (5, 4, 3, 2)


# --- what it refuses -------------------------------------------------------------------------------


async def test_what_cannot_be_undone_is_marked_and_may_be_refused(play: Play) -> None:
    stack = "thing:\n  x: {hosts: a, text: v1}\n  db: {hosts: a, text: v1, irreversible: a schema has no way back}\n"
    await versions(play, "v1", "v2", stack=stack)
    shown: list[RollbackPlan] = []

    async def look(plan: RollbackPlan) -> bool:
        shown.append(plan)
        return True

    with pytest.raises(PlanError, match=r"no-irreversible.*a schema has no way back"):
        await play.rollback(no_irreversible=True, approve=look)
    assert shown == []
    assert (await play.rollback(approve=look)).ok
    assert {i.address: i.irreversible for i in shown[0].items} == {
        "thing.x@a": "",
        "thing.db@a": "a schema has no way back",
    }


async def test_drift_of_any_run_on_the_way_refuses(play: Play) -> None:
    seen = await versions(play, "v1", "v2")
    await play.make(WEB.replace("text: v1", "text: v2", 1))
    play.world["b"].data["/etc/other"] = {"text": "by hand"}
    with pytest.raises(PlanError, match=r"thing\.other@b changed since run 2"):
        await play.rollback(run=2)
    result = await play.rollback(run=2, force=True)
    assert result.ok, play.story(result)
    assert play.world.snapshot() == seen[1][0]
    assert (await play.rollback(run=result.run)).ok
    assert play.text("/etc/other", "b") == "by hand"


async def test_a_rollback_follows_what_was_moved_meanwhile(play: Play) -> None:
    """Rows that were only described anew, and a rollback's own images, by their new addresses."""
    both = "thing:\n  x: {hosts: a, text: v1}\n  y: {hosts: a, key: /y, text: v1}\n"
    await play.make(both)
    before = play.world.snapshot()
    await play.make(both.replace("x: {hosts: a, text: v1}", "x: {hosts: a, text: v2, needs: [thing.y]}"))
    await play.make(both.replace("v1", "v3"))
    after = play.world.snapshot()
    assert (await play.rollback(run=2)).ok
    await move(play.url, Address.parse("thing.y@a"), Address.parse("thing.z@a"))
    assert (await play.rollback(run=4)).ok
    assert play.world.snapshot() == after
    assert (await play.rollback(run=5)).ok
    assert play.world.snapshot() == before
    assert set(play.rows()) == {"thing.x@a", "thing.z@a"}


LATE = """
thing:
  base: {hosts: a, key: /etc/base, text: v1}
  conf: {hosts: a, key: /etc/web.conf, text: v1}
daemon:
  web: {hosts: a, reads: [/etc/web.conf], %s: [thing.conf], needs: [thing.base]}
"""


@pytest.mark.parametrize("pull", ["reload_on", "restart_on"])
async def test_a_daemon_that_an_undo_starts_before_its_file_is_restored_loads_it_afterwards(
    play: Play, pull: str
) -> None:
    """Of two runs a rollback restores the file, deletes the daemon, and fails; undone, the daemon starts first."""
    stack = LATE % pull
    await play.make(stack)
    await play.make(stack.replace("conf, text: v1", "conf, text: v2"))
    before = play.world.snapshot(), play.rows()
    play.world["a"].fail("restore /etc/base")
    failed = await play.rollback(run=1)
    assert not failed.ok
    assert "web" not in play.world["a"].units, play.story(failed)
    play.world["a"].rules.clear()
    undone = await play.rollback(run=failed.run)
    assert undone.ok, play.story(undone)
    assert (play.world.snapshot(), play.rows()) == before
    assert play.loaded("web", "/etc/web.conf") == "v2"
    assert await play.actions() == {}
