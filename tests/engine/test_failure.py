"""A run that fails: what goes back, what stays, and what the state says."""

from __future__ import annotations

import pytest

from hacore.contract import Check
from hacore.errors import UnreachableError
from hacore.testing import Machine
from tests.engine.play import Play

WEB = """
thing:
  conf: {hosts: a, key: /etc/web.conf, text: v1}
  last: {hosts: a, key: /etc/last, text: v1, needs: [daemon.web]}
daemon:
  web: {hosts: a, reads: [/etc/web.conf], reload_on: [thing.conf]}
"""


async def test_a_failure_brings_host_and_rows_back(play: Play) -> None:
    play.world["a"].data["/etc/web.conf"] = {"text": "by hand", "mode": "0600"}
    before = play.world.snapshot()
    play.world["a"].fail("write /etc/last", "no space left")
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == {}
    assert any("no space left" in task.error for task in result.tasks)
    assert [run.status for run in play.runs()] == ["rolled_back"]


async def test_a_failed_change_leaves_the_rows_of_the_run_before(play: Play) -> None:
    await play.make(WEB)
    before, rows = play.world.snapshot(), play.rows()
    play.world["a"].fail("write /etc/last")
    play.stack(WEB.replace("v1", "v2"))
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)
    assert play.world.snapshot() == before
    assert play.rows() == rows
    assert set(await play.actions()) == {"daemon.web@a", "thing.conf@a", "thing.last@a"}


@pytest.mark.parametrize("after", [False, True])
async def test_an_undo_is_done_again_on_a_host_that_is_restarted_under_it(play: Play, after: bool) -> None:
    machine = play.world["a"]
    machine.data["/etc/web.conf"] = {"text": "by hand", "mode": "0600"}
    before = play.world.snapshot()
    machine.fail("write /etc/last", "no space left")
    machine.on("restore /etc/web.conf", Machine.restart, after=after)
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)
    assert play.world.snapshot() == before
    assert [run.status for run in play.runs()] == ["rolled_back"]


async def test_what_a_restart_cut_off_is_not_done_twice_but_undone(play: Play) -> None:
    machine = play.world["a"]
    before = play.world.snapshot()
    machine.on("write /etc/last", Machine.restart, after=True)
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)
    assert machine.did("write /etc/last") == ["write /etc/last"]
    assert play.world.snapshot() == before


async def test_a_lock_that_went_away_without_a_restart_ends_the_run(play: Play) -> None:
    machine = play.world["a"]

    def robbed(machine: Machine) -> None:
        machine.lock = ""

    machine.on("write /etc/web.conf", robbed, after=True)
    play.stack(WEB)
    result = await play.apply()
    assert not result.ok, play.story(result)
    assert any("the host's lock is missing" in task.error for task in result.tasks)


async def test_after_an_undo_the_daemon_has_loaded_what_is_back(play: Play) -> None:
    """Bytes right, daemon wrong: the reload must come after the sources are back, not before."""
    await play.make(WEB)
    play.world["a"].fail("write /etc/last")
    play.stack(WEB.replace("v1", "v2"))
    await play.apply()
    machine = play.world["a"]
    assert play.text("/etc/web.conf") == "v1"
    assert play.loaded("web", "/etc/web.conf") == "v1"
    settle = machine.log.index("restore /etc/web.conf")
    assert machine.log.index("reload web /etc/web.conf", settle) > settle


async def test_a_daemon_that_was_never_reloaded_is_not_reloaded_by_the_undo(play: Play) -> None:
    await play.make(WEB)
    play.stack(WEB.replace("v1", "v2"))
    play.world["a"].fail("write /etc/web.conf")
    await play.apply()
    assert play.world["a"].did("reload *") == []
    assert play.row("daemon.web@a").loaded == {"thing.conf@a": play.row("daemon.web@a").loaded["thing.conf@a"]}
    assert await play.drift() and not (await play.drift()).drift


async def test_a_half_applied_step_is_undone_as_well(play: Play) -> None:
    """The step wrote and then failed: the failed task itself must go back."""
    before = play.world.snapshot()

    def half(machine: Machine) -> None:
        machine.data["/etc/web.conf"] = {"text": "hal"}

    play.world["a"].on("write /etc/web.conf", half)
    play.world["a"].fail("write /etc/web.conf")
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "rolled_back"
    assert play.world.snapshot() == before


async def test_a_change_that_does_not_show_in_the_probe_fails(play: Play) -> None:
    """Promise 11: recorded only after a probe saw it."""

    def spoil(machine: Machine) -> None:
        machine.data["/etc/web.conf"] = {"text": "not that"}

    play.world["a"].on("write /etc/web.conf", spoil, after=True)
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "rolled_back"
    assert "does not match the desired state" in result.tasks[0].error
    assert play.rows() == {}
    assert play.text("/etc/web.conf") is None


async def test_patience_waits_for_what_comes_later(play: Play) -> None:
    machine = play.world["a"]

    def forget(_machine: Machine) -> None:
        value = machine.data.pop("/etc/x")
        machine.on("never", lambda _m: None)
        seen = machine.execs

        def facts_again() -> None:
            if machine.execs > seen + 2:
                machine.data["/etc/x"] = value

        original = machine.facts

        def facts() -> object:
            facts_again()
            return original()

        machine.facts = facts  # type: ignore[assignment, method-assign]

    machine.on("write /etc/x", forget, after=True)
    play.stack("thing: {x: {hosts: a, key: /etc/x, text: v1, patience: 20}}")
    result = await play.apply()
    assert result.ok, play.story(result)


async def test_a_failure_in_one_lane_leaves_the_other_alone(play: Play) -> None:
    play.stack("thing: {x: {key: /etc/x, text: v1}, y: {hosts: b, key: /etc/y, text: v1, needs: [thing.x@b]}}")
    play.world["b"].fail("write /etc/y")
    result = await play.apply()
    assert result.status == "failed", play.story(result)
    assert {t.addresses: t.status for t in result.tasks} == {
        ("thing.x@a",): "done",
        ("thing.x@b",): "undone",
        ("thing.y@b",): "undone",
    }
    assert set(play.rows()) == {"thing.x@a"}


async def test_an_undo_that_fails_says_so_and_taints(play: Play) -> None:
    await play.make(WEB)
    play.stack(WEB.replace("v1", "v2"))
    play.world["a"].fail("write /etc/last")
    play.world["a"].fail("restore /etc/web.conf", "disk is gone")
    result = await play.apply()
    assert result.status == "failed"
    (bad,) = [t for t in result.tasks if "disk is gone" in t.error]
    assert bad.status == "error"
    assert play.row("thing.conf@a").tainted
    healed = await play.apply()
    assert healed.ok, play.story(healed)
    assert not play.row("thing.conf@a").tainted


async def test_halt_leaves_a_tainted_row_and_the_next_apply_heals(play: Play) -> None:
    await play.make("thing: {x: {hosts: a, key: /etc/x, text: v1}, free: {hosts: b, key: /etc/f, text: v1}}")
    origin = play.row("thing.x@a").origin
    stack = """
thing:
  x: {hosts: a, key: /etc/x, text: v2}
  y: {hosts: a, text: v2, needs: [thing.x]}
  free: {hosts: b, key: /etc/f, text: v2}
"""
    play.stack(stack)
    play.world["a"].fail("write /etc/x")
    result = await play.apply(on_failure="halt")
    assert {t.addresses[0]: t.status for t in result.tasks} == {
        "thing.x@a": "error",
        "thing.y@a": "hold",
        "thing.free@b": "done",
    }
    assert result.status == "failed"
    assert play.row("thing.x@a").tainted
    assert play.row("thing.x@a").origin == origin
    assert play.text("/etc/f", "b") == "v2"
    again = await play.apply()
    assert again.ok, play.story(again)
    assert not play.row("thing.x@a").tainted
    assert play.row("thing.x@a").origin == origin


async def test_halt_on_a_create_keeps_the_true_origin(play: Play) -> None:
    """Halted half way: the next run captures hacore's own half, but destroy must bring back what was first."""
    play.world["a"].data["/etc/x"] = {"text": "by hand"}

    def half(machine: Machine) -> None:
        machine.data["/etc/x"] = {"text": "hal"}

    play.world["a"].on("write /etc/x", half)
    play.world["a"].fail("write /etc/x")
    play.stack("thing: {x: {hosts: a, key: /etc/x, text: v1}}")
    await play.apply(on_failure="halt")
    assert play.row("thing.x@a").found == "different"
    assert (await play.apply()).ok
    assert (await play.apply(destroy=True)).ok
    assert play.text("/etc/x") == "by hand"


async def test_a_lost_connection_fails_the_task_and_the_state_knows(play: Play) -> None:
    def cut(machine: Machine) -> None:
        machine.reachable = False
        raise UnreachableError("cannot reach a: the connection is lost")

    play.world["a"].on("write /etc/web.conf", cut)
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "failed"
    assert result.tasks[0].status == "error"
    assert play.runs()[-1].status == "failed"
    play.world["a"].reachable = True
    play.world["a"].lock = ""
    assert (await play.apply()).ok


async def test_a_step_may_ask_for_another_try(play: Play) -> None:
    play.world["a"].fail("write /etc/web.conf", "not yet", rc=75)
    play.stack(WEB)
    result = await play.apply()
    assert result.status == "rolled_back"  # things do not ask for tries


SITE = """
thing:
  conf: {key: /etc/web.conf, text: v1}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
gate:
  g: {vip: v}
shared:
  s: {vip: v, instance: gate.g, checks: ['http://v/'], needs: [daemon.web]}
"""


@pytest.mark.parametrize("passes_before", [True, False])
async def test_a_check_undoes_only_what_it_saw_working(
    play: Play, monkeypatch: pytest.MonkeyPatch, passes_before: bool
) -> None:
    """One that failed before the run is a warning, whoever is to blame; one that passed must pass again."""
    play.world.vips["v"] = ["a", "b"]

    def ask(_check: Check) -> str:
        good = passes_before and all(play.loaded("web", "/etc/web.conf", h) == "v1" for h in "ab")
        return "" if good else "status 502, not 200"

    monkeypatch.setattr("hacore.walk.health.ask", lambda _check: "")
    await play.make(SITE)
    before, rows = play.world.snapshot(), play.rows()
    play.events.clear()
    monkeypatch.setattr("hacore.walk.health.ask", ask)
    play.stack(SITE.replace("v1", "v2"))
    result = await play.apply()
    warned = [e.message for e in play.events if e.type == "warning"]
    if passes_before:
        assert result.status == "rolled_back", play.story(result)
        assert any("a check that passed before fails now" in t.error for t in result.tasks)
        assert play.world.snapshot() == before
        assert play.rows() == rows
        assert warned == []
    else:
        assert result.ok, play.story(result)
        assert warned == ["shared.s: the check http://v/ failed before the run: status 502, not 200"]


async def test_a_name_that_nobody_holds_any_more_undoes_the_run(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hacore.walk.health.ask", lambda _check: "")
    play.world.vips["v"] = ["a", "b"]
    await play.make(SITE)
    before = play.world.snapshot()

    def lose(_machine: Machine) -> None:
        play.world.vips.clear()

    play.world["b"].on("reload web *", lose)
    play.stack(SITE.replace("v1", "v2"))
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)
    assert any("holders is 0, not 1" in t.error for t in result.tasks)
    assert play.world.snapshot() == before
