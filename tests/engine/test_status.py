"""Status: what hosts serve together, by the stack or else by the state; what of it is reported once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hacore.engine import status
from hacore.engine.drift_memory import news, read, write
from hacore.engine.status_check import StatusReport
from hacore.errors import HacoreError, UnreachableError
from hacore.model import Host
from hacore.probe import HostLink
from hacore.store import RunRecord, StateWriter
from tests.engine.duty import Pair
from tests.engine.play import Play

SITE = "daemon: {web: {}}\nduty: {g: {vip: v}}"


@pytest.fixture
async def pair(play: Play, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr("hacore.engine.pair_looks.PAUSE", 0.005)
    play.world.vips["v"] = ["a", "b"]
    found = Pair(play.world)
    means = found.means(play.means)
    play.options = {"providers": means.providers, "connect": means.connect}
    play.stack(SITE)
    return found


async def look(play: Play) -> StatusReport:
    return await status(play.request, play.url)


@pytest.mark.usefixtures("pair")
async def test_before_the_first_apply_the_stack_is_asked(play: Play) -> None:
    found = await look(play)
    assert (found.stack, found.lineage, found.serial, found.problem) == ("test", "", 0, "")
    assert [(one.address, one.verdict) for one in found.addresses] == [("v", "healthy")]
    assert found.plan is not None
    assert not found.plan.empty
    assert found.loaded is not None
    assert found.drill is None
    assert not list(play.states.iterdir()), "status writes nothing"


@pytest.mark.parametrize("broken", [False, True], ids=["by the stack", "by the state"])
async def test_a_pair_that_works(play: Play, pair: Pair, broken: bool) -> None:
    await play.make(SITE)
    if broken:
        play.stack("nonsense: {x: {}}")
    found = await look(play)
    assert (found.stack, found.serial > 0, found.verdict, found.complete) == ("test", True, "healthy", True)
    assert found.lineage
    (one,) = found.addresses
    assert (one.address, one.holders, one.resources) == ("v", ("a",), ("duty.g",))
    assert {host: [(d.name, d.up) for d in daemons] for host, daemons in found.daemons.items()} == {
        "a": [("web", True)],
        "b": [("web", True)],
    }
    assert (found.plan is None, found.loaded is None) == (broken, broken)
    assert ("nonsense" in found.problem) is broken
    assert (found.running, found.unfinished) == (False, None)
    assert [machine.lock for machine in pair.world] == ["", ""]


@pytest.mark.parametrize("broken", [False, True], ids=["by the stack", "by the state"])
async def test_a_host_that_does_not_answer_and_a_stopped_daemon(play: Play, pair: Pair, broken: bool) -> None:
    await play.make(SITE)
    if broken:
        play.stack("nonsense: {x: {}}")
    pair.world["b"].units["web"]["running"] = False
    found = await look(play)
    assert (found.verdict, found.complete) == ("no-redundancy", True)
    assert found.addresses[0].cause == "web is stopped on b and should run there"
    pair.world["b"].reachable = False
    found = await look(play)
    assert (found.verdict, found.complete) == ("no-redundancy", False)
    assert found.hosts["b"].error == "cannot reach b@192.0.2.2: no route to host"


async def test_a_stack_that_cannot_be_used_is_an_error_where_nothing_is_recorded(play: Play, pair: Pair) -> None:
    play.stack("nonsense: {x: {}}")
    with pytest.raises(HacoreError, match="nonsense"):
        await look(play)


@pytest.mark.usefixtures("pair")
async def test_of_several_mistakes_the_first_one_is_named_and_the_others_counted(play: Play) -> None:
    await play.make(SITE)
    play.stack("nonsense: {x: {}}")
    assert "(and " not in (await look(play)).problem
    play.stack("nonsense: {x: {}}\nrubbish: {y: {}}\nthing: {z: {colour: red}}")
    problem = (await look(play)).problem
    assert problem.endswith("(and 2 more)")
    assert "\n" not in problem


@pytest.mark.usefixtures("pair")
async def test_the_run_in_progress_the_interrupted_one_and_the_last_drill(play: Play) -> None:
    await play.make(SITE)
    record = RunRecord(0, "drill", "done", 1.0, 2.0, "ann", "test", "d", "halt")
    async with await StateWriter.open(play.url, who="ann@desk", what="apply") as writer:
        await writer.new_run(record, [])
        drill = await writer.new_run(replace(record, started=3.0), [])
        run = await writer.new_run(replace(record, command="apply", status="running", ended=None), [])
        found = await look(play)
        assert found.running
        assert found.unfinished is not None
        assert found.unfinished.id == run
        assert found.drill is not None
        assert found.drill.id == drill
    assert not (await look(play)).running


# -- what a check for drift reports once


async def test_an_outage_is_new_once_and_again_when_another_host_has_it(play: Play, pair: Pair, tmp_path: Path) -> None:
    memory = tmp_path / "drift.json"
    await play.make(SITE)

    async def reported() -> tuple[list[str], int, bool]:
        from hacore.engine import drift

        report = await drift(play.url, pair.means(play.means))
        seen = news(report, read(memory))
        write(memory, report, read(memory))
        return [one.verdict for one in seen.report.addresses], seen.known, seen.fresh

    assert await reported() == (["healthy"], 0, False)
    for machine in pair.world:
        machine.drained.add("v")
    assert await reported() == (["no-holder"], 0, True)
    assert await reported() == ([], 1, False)
    pair.world["b"].drained.clear()
    assert await reported() == (["drained"], 0, False)
    pair.world["b"].drained.add("v")
    assert await reported() == (["no-holder"], 0, True)


# -- connections


async def test_hosts_are_connected_once_and_closed(play: Play) -> None:
    """A pool of connections: one for each host, however often it is named, and no error for one that fails."""
    asked: list[str] = []

    async def connect(host: Host) -> HostLink:
        asked.append(host.name)
        return await play.world.connect(host)

    play.world["b"].reachable = False
    hosts = replace(play.means, connect=connect).hosts()
    known = {name: Host(name=name, address="192.0.2.1") for name in ("a", "b")}
    hosts.connect(known)
    hosts.connect(known)
    await asyncio.sleep(0)
    assert list(await hosts.links(["a", "b", "c"])) == ["a"]
    assert (await hosts.link("a")).host == known["a"]
    with pytest.raises(UnreachableError, match="cannot reach b@"):
        await hosts.link("b")
    await hosts.close()
    assert sorted(asked) == ["a", "b"]
    with pytest.raises(UnreachableError):
        invalid = hosts.anew()
        invalid.connect({"x": Host.model_construct(name="x", address="-oProxyCommand=x")})
        await invalid.link("x")
    assert sorted(asked) == ["a", "b"], "an invalid address is not connected to"
