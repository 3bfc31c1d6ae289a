"""The user's act: going back to before a run."""

from __future__ import annotations

import asyncio

import pytest

from hacore.engine import RollbackPlan
from hacore.errors import Cancelled, PlanError, StoreError, UnreachableError
from hacore.plan import plan_json
from hacore.testing import Machine
from tests.engine.play import Play, turns

WEB = """
thing:
  conf: {hosts: a, key: /etc/web.conf, text: v1}
  other: {hosts: b, key: /etc/other, text: v1}
daemon:
  web: {hosts: a, reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


async def test_a_rollback_brings_hosts_and_rows_back(play: Play) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    await play.make(WEB.replace("v1", "v2"))
    result = await play.rollback()
    assert result.ok, play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == rows
    play.stack(WEB)
    assert await play.actions() == {}


async def test_a_rollback_of_the_first_run_leaves_the_hosts_as_they_were(play: Play) -> None:
    play.world["a"].data["/etc/web.conf"] = {"text": "by hand", "mode": "0600"}
    before = play.world.snapshot()
    await play.make(WEB)
    result = await play.rollback()
    assert result.ok, play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == {}


async def test_rollbacks_go_back_run_by_run_and_then_say_that_nothing_is_left(play: Play) -> None:
    snapshots = [play.world.snapshot()]
    for version in ("v1", "v2", "v3"):
        await play.make(WEB.replace("v1", version))
        snapshots.append(play.world.snapshot())
    for expected in reversed(snapshots[:-1]):
        assert (await play.rollback()).ok
        assert play.world.snapshot() == expected
    with pytest.raises(StoreError, match="no run is left"):
        await play.rollback()


async def test_a_rollback_of_a_destroy_brings_everything_back(play: Play) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    assert (await play.apply(destroy=True)).ok
    assert play.rows() == {}
    result = await play.rollback()
    assert result.ok, play.story(result)
    assert play.rows() == rows
    assert play.world.snapshot()["b"] == before["b"]
    assert play.text("/etc/web.conf") == "v1"
    assert play.world["a"].units["web"]["running"]
    assert await play.actions() == {}


async def test_a_rollback_remembers_what_was_forgotten(play: Play) -> None:
    await play.make("thing: {x: {hosts: a, key: /x, text: v1, lifecycle: {on_delete: keep}}}")
    rows = play.rows()
    await play.make("thing: {y: {hosts: a, key: /y, text: v1}}")
    assert set(play.rows()) == {"thing.y@a"}
    assert (await play.rollback()).ok
    assert play.rows() == rows


async def test_a_rollback_brings_back_a_block_whose_names_another_had(play: Play) -> None:
    both = "pack: {one: {hosts: a, names: [gcc]}, two: {hosts: a, names: [gcc, git]}}"
    await play.make(both)
    rows = play.rows()
    await play.make("pack: {two: {hosts: a, names: [gcc, git]}}")
    assert set(play.rows()) == {"pack.two@a"}
    assert (await play.rollback()).ok
    assert play.rows() == rows


async def test_what_changed_since_refuses_the_rollback(play: Play) -> None:
    await play.make(WEB)
    await play.make(WEB.replace("v1", "v2"))
    play.world["a"].data["/etc/web.conf"] = {"text": "by hand"}
    with pytest.raises(PlanError, match=r"thing\.conf@a changed since run 2"):
        await play.rollback()
    assert play.text("/etc/web.conf") == "by hand"
    assert (await play.rollback(force=True)).ok
    assert play.text("/etc/web.conf") == "v1"


async def test_the_plan_of_a_rollback_is_shown_first(play: Play) -> None:
    await play.make(WEB)
    play.stack("thing: {conf: {hosts: a, key: /etc/web.conf, text: v2}, new: {hosts: a, text: v1}}")
    assert (await play.apply()).ok
    shown: list[RollbackPlan] = []

    async def no(plan: RollbackPlan) -> bool:
        shown.append(plan)
        return False

    before = play.world.snapshot()
    with pytest.raises(Cancelled):
        await play.rollback(approve=no)
    assert play.world.snapshot() == before
    assert {(i.address, i.do) for i in shown[0].items} == {
        ("thing.conf@a", "restore"),
        ("thing.new@a", "delete"),
        ("thing.other@b", "bring_back"),
        ("daemon.web@a", "bring_back"),
    }


async def test_a_host_that_cannot_be_reached_refuses_the_rollback(play: Play) -> None:
    await play.make(WEB)
    play.world["b"].reachable = False
    with pytest.raises(UnreachableError):
        await play.rollback()
    assert play.text("/etc/web.conf") == "v1"


async def test_a_host_that_answers_only_in_part_refuses_the_rollback(play: Play) -> None:
    await play.make(WEB)
    play.world["b"].silent["value"] = "the disk hangs"
    with pytest.raises(UnreachableError, match="the disk hangs"):
        await play.rollback()
    assert play.text("/etc/web.conf") == "v1"


async def test_a_stop_interrupts_and_the_rollback_takes_it_back(play: Play) -> None:
    """Ctrl-C: what runs ends, nothing new begins; then only rollback works."""
    stop = asyncio.Event()

    async def press(_machine: Machine) -> None:
        stop.set()
        await turns()

    before = play.world.snapshot()
    play.world["a"].on("write /etc/web.conf", press)
    play.stack(WEB.replace("other: {hosts: b", "other: {needs: [daemon.web@a], hosts: b"))
    result = await play.apply(stop=stop)
    assert result.status == "interrupted", play.story(result)
    assert {t.addresses[0]: t.status for t in result.tasks} == {
        "thing.conf@a": "done",
        "daemon.web@a": "do",
        "thing.other@b": "do",
    }
    with pytest.raises(PlanError, match="was interrupted"):
        await play.apply()
    rolled = await play.rollback()
    assert rolled.ok, play.story(rolled)
    assert play.world.snapshot() == before
    assert play.rows() == {}
    assert (await play.apply()).ok


async def test_a_rollback_can_be_tried_again(play: Play) -> None:
    await play.make(WEB)
    before = play.world.snapshot()
    await play.make(WEB.replace("v1", "v2"))
    play.world["a"].fail("restore /etc/web.conf", "disk is gone")
    result = await play.rollback()
    assert not result.ok
    assert any("disk is gone" in t.error for t in result.tasks)
    again = await play.rollback()
    assert again.ok, play.story(again)
    assert play.world.snapshot() == before


async def test_a_daemon_on_another_host_takes_part_in_the_rollback(play: Play) -> None:
    stack = """
thing:
  conf: {hosts: a, key: /etc/web.conf, text: v1}
daemon:
  web: {hosts: b, reads: [], reload_on: [thing.conf]}
"""
    await play.make(stack)
    await play.make(stack.replace("v1", "v2"))
    result = await play.rollback()
    assert result.ok, play.story(result)
    assert play.world["b"].did("reload *") == ["reload web"] * 2


async def test_what_tasks_of_two_levels_share_goes_back_in_the_reverse_order(play: Play) -> None:
    """Else the first to go back removes what the other one, which found it there, would bring back."""
    await play.make(
        """
        thing: {t: {text: one, hosts: a}}
        pack:
          late: {names: [make, gcc], hosts: a, needs: [thing.t]}
          early: {names: [make], hosts: a}
        """
    )
    tasks = {task["addresses"][0]: task for task in plan_json(play.asked[-1].plan)["tasks"]}
    assert tasks["pack.early@a"]["id"] in tasks["pack.late@a"]["needs"]

    await play.rollback()

    assert play.world["a"].data == {}


async def test_what_was_there_before_hacore_is_restored_and_the_plan_says_so(play: Play) -> None:
    play.world["a"].data["/things/t"] = {"text": "by hand"}
    await play.make("thing: {t: {text: ours, hosts: a}, new: {text: ours, hosts: a}}")

    result = await play.rollback()

    assert result.plan is not None
    assert {i.address: i.do for i in result.plan.items} == {"thing.t@a": "restore", "thing.new@a": "delete"}
    assert play.world["a"].data == {"/things/t": {"text": "by hand"}}
