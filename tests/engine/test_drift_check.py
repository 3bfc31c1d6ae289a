"""Drift beside a run, and what of it is new."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.engine import DriftReport, drift
from hacore.engine.drift_memory import news, place, read, write
from hacore.errors import PlanError, StoreError
from hacore.testing import World
from tests.engine.play import Play

ONE, TWO = "thing: {one: {text: first}}", "thing: {one: {text: second}}"


async def look(play: Play, timeout: float | None = None) -> DriftReport:
    return await drift(play.url, play.means, timeout=timeout)


async def test_what_a_run_is_doing_is_no_drift(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hacore.engine.drift_check.AGAIN", 0.005)
    await play.make(ONE)
    play.stack(TWO)
    at_work, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_machine: object) -> None:
        at_work.set()
        await go_on.wait()

    play.world["a"].on("write *", pause, after=True)
    run = asyncio.create_task(play.apply())
    await at_work.wait()

    # the host has what the state has not recorded yet
    with pytest.raises(StoreError, match=r"a run by tester@test \(apply, .*\) is in progress; try again"):
        await look(play)
    with pytest.raises(StoreError, match=r"is in progress and did not end within 3s"):
        await look(play, 3)
    looks = [asyncio.create_task(look(play, 60)) for _ in range(2)]
    await asyncio.sleep(0)
    go_on.set()

    assert [report.drift for report in await asyncio.gather(*looks)] == [(), ()]
    assert (await run).ok


async def test_a_change_by_hand_beside_a_run_is_found_when_it_has_ended(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hacore.engine.drift_check.AGAIN", 0.005)
    await play.make("thing: {one: {text: first}, two: {text: mine}}")
    play.stack("thing: {one: {text: second}, two: {text: mine}}")

    async def by_hand(machine: Any) -> None:
        machine.data["/things/two"] = {"text": "by hand"}

    play.world["a"].on("write /things/one", by_hand, after=True)
    result, report = await asyncio.gather(play.apply(), look(play, 60))

    assert not result.ok  # its last look sees it, too
    assert [str(d.address) for d in (await look(play)).drift] == ["thing.two@a"]
    assert {str(d.address) for d in report.drift} <= {"thing.two@a"}


DIES = """
import asyncio, os, sys
from hacore.store import StateWriter
asyncio.run(StateWriter.open(sys.argv[1], who="somebody", what="apply"))
os._exit(9)
"""


async def test_a_run_that_died_is_not_waited_for(play: Play) -> None:
    await play.make(ONE)
    play.world["a"].data["/things/one"] = {"text": "by hand"}
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, play.url)

    assert await died.wait() == 9
    assert len((await look(play)).drift) == 1


# -- only what is new


async def test_what_was_told_is_not_told_again_until_it_changes(play: Play, tmp_path: Path) -> None:
    memory = tmp_path / "memory" / "drift.json"
    await play.make("thing: {one: {text: first}, two: {text: first, secret: true}}")

    async def told() -> tuple[list[str], int]:
        report = await look(play)
        seen = news(report, read(memory))
        write(memory, report, read(memory))
        return [str(d.address) for d in seen.report.drift], seen.known

    data = play.world["a"].data
    assert await told() == ([], 0)
    data["/things/one"] = {"text": "by hand"}
    assert await told() == (["thing.one@a"], 0)
    assert await told() == ([], 1)
    data["/things/two"] = {"text": "another password"}
    assert await told() == (["thing.two@a"], 1)
    data["/things/one"] = {"text": "by another hand"}
    assert await told() == (["thing.one@a"], 1)
    data["/things/one"] = {"text": "first"}
    assert await told() == ([], 1)
    data["/things/one"] = {"text": "by another hand"}
    assert await told() == (["thing.one@a"], 1)

    assert "password" not in memory.read_text()
    assert memory.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in memory.parent.iterdir()] == ["drift.json"]


async def test_a_host_that_does_not_answer_is_news_once_and_forgets_nothing(play: Play, tmp_path: Path) -> None:
    memory = tmp_path / "drift.json"
    await play.make("thing: {one: {text: first}}")
    play.world["a"].data["/things/one"] = {"text": "by hand"}
    write(memory, await look(play), read(memory))
    fresh = []
    for reachable in (True, False, False, True, False):
        play.world["a"].reachable = reachable
        report = await look(play)
        seen = news(report, read(memory))
        assert seen.report.drift == ()
        assert seen.report.unreachable == report.unreachable
        fresh.append(seen.fresh)
        write(memory, report, read(memory))

    assert fresh == [False, True, False, False, True]


async def test_another_machine_behind_an_address_is_news_once(play: Play, tmp_path: Path) -> None:
    memory = tmp_path / "drift.json"
    await play.make("thing: {one: {text: first}}")
    told = []
    for machine_id in ("", "new", "new", "newer", ""):
        play.world["a"].base = replace(play.world["a"].base, machine_id=machine_id)
        report = await look(play)
        seen = news(report, read(memory))
        told.append((len(report.ownership.new_machines), len(seen.report.ownership.new_machines)))
        write(memory, report, read(memory))

    assert told == [(0, 0), (1, 1), (1, 0), (1, 1), (0, 0)]


async def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    memory = tmp_path / "drift.json"
    for text in ("", "{", "[]", '{"format_version": 99}', json.dumps({"format_version": 1, "seen": 3})):
        memory.write_text(text)
        assert not read(memory).seen


def test_the_memory_is_the_user_s_and_the_state_s() -> None:
    assert place({"XDG_STATE_HOME": "/x"}, "abc") == Path("/x/hacore/drift/abc.json")
    assert place({"HOME": "/home/u"}, "abc") == Path("/home/u/.local/state/hacore/drift/abc.json")
    assert read(Path("/proc/nowhere/at/all")).seen == {}


HOLDER = World.holder
PAIR = "gate: {g: {vip: v}}\nshared: {s: {vip: v, instance: gate.g}}"


def moving(play: Play, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """The name is on no host for so many looks."""
    holder, till = HOLDER, sum(machine.execs for machine in play.world) + 2 * looks  # each look asks both hosts

    def seen(world: World, vip: str) -> str | None:
        return None if sum(machine.execs for machine in world) <= till else holder(world, vip)

    monkeypatch.setattr(World, "holder", seen)


async def test_an_address_on_its_way_from_one_host_to_the_other_is_no_drift(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make(PAIR)
    execs = {machine.name: machine.execs for machine in play.world}
    assert (await look(play)).drift == ()
    assert {machine.name: machine.execs - execs[machine.name] for machine in play.world} == {"a": 1, "b": 1}

    moving(play, monkeypatch, 1)
    assert (await look(play)).drift == ()
    moving(play, monkeypatch, 1)
    assert await play.actions() == {}
    moving(play, monkeypatch, 2)
    assert [str(d.address) for d in (await look(play)).drift] == ["shared.s"]
    moving(play, monkeypatch, 2)
    assert await play.actions() == {"shared.s": "update"}


async def test_an_address_on_its_way_does_not_keep_a_rollback_from_beginning(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.world.vips["v"] = ["a", "b"]
    await play.make(PAIR)
    await play.make(PAIR.replace("g: {vip: v}", "g: {vip: v, weight: 7}"))
    moving(play, monkeypatch, 2)
    with pytest.raises(PlanError, match=r"shared\.s changed since run 2; --force overwrites the change"):
        await play.rollback()
    moving(play, monkeypatch, 1)
    result = await play.rollback()
    assert result.ok, play.story(result)
    assert await play.actions() == {"gate.g@a": "update", "gate.g@b": "update"}
