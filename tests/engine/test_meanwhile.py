"""What happens between two steps of a command: while the user reads a plan, between two probes, between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hacore.engine import drift
from hacore.errors import PlanError
from hacore.testing import World
from tests.engine.play import HEAD, Play, changed
from tests.engine.test_crash import die_at
from tests.engine.test_machines import TWO, burned
from tests.engine.test_markers import second

WEB = "thing: {x: {hosts: a, key: /x, text: v1}, y: {hosts: a, key: /y, text: v1, needs: [thing.x]}}"
PAIR = "gate: {g: {vip: v}}\nshared: {s: {vip: v, instance: gate.g}}"


@pytest.mark.parametrize("force", [False, True])
async def test_a_change_by_hand_while_the_user_reads_a_rollback_is_not_overwritten(play: Play, force: bool) -> None:
    await play.make(WEB)
    await play.make(WEB.replace("v1", "v2"))

    async def by_hand(_plan: object) -> bool:
        play.world["a"].data["/x"] = {"text": "by hand"}
        return True

    if force:
        assert (await play.rollback(approve=by_hand, force=True)).ok
        assert play.text("/x") == "v1"
        return
    with pytest.raises(PlanError, match=r"thing\.x@a changed since the plan was shown; --force overwrites the change"):
        await play.rollback(approve=by_hand)
    assert (play.text("/x"), play.text("/y")) == ("by hand", "v2")
    assert [run.command for run in play.runs()] == ["apply", "apply"]
    assert play.world["a"].lock == ""


async def test_a_rollback_that_is_finished_leaves_a_new_machine_alone(play: Play) -> None:
    play.world["b"].data["/x"] = {"text": "of the old machine"}
    await play.make(TWO)
    await play.make(TWO.replace("v1", "v2"))
    play.world["b"].fail("restore /y")
    assert (await play.rollback()).status == "failed"
    burned(play.world["b"])
    result = await play.rollback()
    assert result.plan is not None and [machine.host for machine in result.plan.new_machines] == ["b"]
    assert play.world["b"].data == {"/x": {"text": "of the new machine"}}
    assert (play.text("/x"), play.text("/y")) == ("v1", "v1")


@pytest.mark.parametrize("command", ["apply", "resume", "rollback"])
async def test_a_host_taken_over_while_the_user_reads_is_left_alone(play: Play, tmp_path: Path, command: str) -> None:
    await play.make(WEB)
    play.stack(WEB.replace("v1", "v2"))
    if command == "resume":
        await die_at(play, "write /y", after=False)
    elif command == "rollback":
        assert (await play.apply()).ok
    other = second(play, tmp_path / "other", WEB.replace("v1", "v3"), HEAD)
    other.options = {"take_over": True}

    async def yes(*_shown: object) -> bool:
        assert (await other.apply()).ok
        return True

    what = {"apply": "apply", "resume": "resume", "rollback": "roll back"}[command]
    with pytest.raises(PlanError, match=rf"cannot {what}: a@192\.0\.2\.1 is managed by another state"):
        await (
            play.rollback(approve=yes, force=True)
            if command == "rollback"
            else play.apply(approve=yes, resume=command == "resume")
        )
    assert (play.text("/x"), play.text("/y")) == ("v3", "v3")


async def test_a_run_between_the_reading_of_the_state_and_the_probe_is_no_drift(play: Play) -> None:
    """It began and ended within a check: only the serial of the state shows it."""
    await play.make(WEB)
    play.stack(WEB.replace("v1", "v2"))
    runs: list[Any] = []

    async def connect(host: Any) -> Any:
        link = await play.world.connect(host)
        ask = link.facts

        async def facts(asks: Any) -> Any:
            if not runs:
                runs.append(await play.apply())
            return await ask(asks)

        link.facts = facts  # type: ignore[method-assign]
        return link

    report = await drift(play.url, changed(play.request, connect=connect).means)
    assert (runs[0].ok, report.drift) == (True, ())


async def test_only_what_spans_hosts_is_probed_twice(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make(f"{PAIR}\nthing: {{x: {{key: /x, text: v1}}}}")
    for machine in play.world:
        machine.data["/x"] = {"text": "by hand"}
    before = {machine.name: machine.execs for machine in play.world}
    assert len((await play.drift()).drift) == 2
    assert {machine.name: machine.execs - before[machine.name] for machine in play.world} == {"a": 1, "b": 1}

    monkeypatch.setattr(World, "holder", lambda _world, _vip: None)
    assert len((await play.drift()).drift) == 3
    assert {machine.name: machine.execs - before[machine.name] for machine in play.world} == {"a": 3, "b": 3}


async def test_what_spans_hosts_is_not_probed_twice_while_one_is_silent(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make(PAIR)
    monkeypatch.setattr(World, "holder", lambda _world, _vip: None)
    play.world["b"].reachable = False
    before = play.world["a"].execs
    await play.drift()
    assert play.world["a"].execs - before == 1


async def test_a_row_of_which_only_the_metadata_changed_keeps_its_run_and_its_origin(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "before"}
    await play.make(WEB)
    row = play.row("thing.x@a")
    play.stack(WEB.replace("text: v1}, y", "text: v1, lifecycle: {prevent_destroy: true}}, y"))
    assert (await play.apply()).status == "nothing"
    after = play.row("thing.x@a")
    assert (after.run, after.origin, after.found) == (row.run, row.origin, "different")
    assert after.lifecycle.prevent_destroy and not row.lifecycle.prevent_destroy
