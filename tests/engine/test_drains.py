"""Drain, undrain, move and roll of a pair in memory: what they do to the hosts, what they refuse, what they report."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from hacore.engine.maintenance import DrainOrder, Moved, drain, move, undrain
from hacore.engine.roll import Act, Rolled, order_of, rest_of, roll
from hacore.errors import PlanError, UsageError
from tests.engine.duty import Faults, Pair
from tests.engine.play import Play

SITE = """
daemon: {web: {}}
duty:
  one: {vip: v}
  two: {vip: w}
"""
RESTART = Act("command", json.dumps([["restart", "web"]]))


@pytest.fixture
async def pair(play: Play, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Host a holds v and w, host b would take over."""
    for module in ("maintenance", "maintenance_site", "roll", "pair_looks"):
        monkeypatch.setattr(f"hacore.engine.{module}.PAUSE", 0.005)
    for name in ("SETTLE", "REBOOT"):
        monkeypatch.setattr(f"hacore.engine.roll.{name}", 0.05)
    play.world.vips.update(v=["a", "b"], w=["a", "b"])
    found = Pair(play.world)
    means = found.means(play.means)
    play.options = {"providers": means.providers, "connect": means.connect}
    await play.make(SITE)
    for machine in play.world:
        machine.log.clear()
    return found


def holders(pair: Pair) -> tuple[str | None, str | None]:
    return pair.world.holder("v"), pair.world.holder("w")


# -- drain


async def test_a_drain_moves_the_addresses_and_reports_them(play: Play, pair: Pair) -> None:
    warned: list[str] = []
    order = DrainOrder("a", 3600.0, "kernel", hard=True)
    found = await drain(pair.means(play.means), play.url, order, warned.append)

    assert holders(pair) == ("b", "b")
    assert (found.host, found.names, found.connections) == ("a", ("v", "w"), 3)
    assert found.moved == (Moved("v", "a", "b"), Moved("w", "a", "b"))
    assert found.costs == ("requests fail for a moment",)
    assert [one.address for one in found.addresses] == ["v", "w"]
    assert warned == ["3 open connections to v, w on a end with the move"]
    assert found.order is not None
    assert (found.order.by, found.order.reason, found.order.hard) == ("tester@test", "kernel", True)
    assert found.order.since is not None
    assert found.order.until == found.order.since + 3600
    kept = pair.world["a"].data["order:v"]
    assert kept == {
        "by": "tester@test", "reason": "kernel", "until": found.order.until, "hard": True, "units": ["web"],
    }  # fmt: skip
    assert "src v or src w" in pair.shells[0]
    assert pair.world["a"].lock == ""


async def test_only_what_is_named_is_drained(play: Play, pair: Pair) -> None:
    found = await drain(pair.means(play.means), play.url, DrainOrder("a", only=("w",)), lambda _: None)
    assert holders(pair) == ("a", "b")
    assert (found.names, found.moved) == (("w",), (Moved("w", "a", "b"),))
    assert found.order is not None
    assert found.order.until is None


@pytest.mark.parametrize(("connections", "known"), [("", None), ("0\n", 0), ("none\n", None)])
async def test_without_open_connections_nothing_is_warned_of(
    play: Play, pair: Pair, connections: str, known: int | None
) -> None:
    pair.connections = connections
    warned: list[str] = []
    found = await drain(pair.means(play.means), play.url, DrainOrder("a"), warned.append)
    assert (found.connections, warned) == (known, [])


async def test_the_standby_is_drained_without_a_move(play: Play, pair: Pair) -> None:
    found = await drain(pair.means(play.means), play.url, DrainOrder("b"), lambda _: None)
    assert holders(pair) == ("a", "a")
    assert (found.moved, found.costs, found.connections) == ((), (), 0)
    assert pair.shells == []
    with pytest.raises(PlanError, match="cannot drain a: no other member would take over v: b is drained"):
        await drain(pair.means(play.means), play.url, DrainOrder("a"), lambda _: None)
    assert holders(pair) == ("a", "a")


async def test_what_must_not_be_drained_is_not(play: Play, pair: Pair) -> None:
    means = pair.means(play.means)

    async def refused(order: DrainOrder, error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            await drain(means, play.url, order, lambda _: None)
        assert pair.world["a"].did("drain *") == []
        assert holders(pair) == ("a", "a")

    await refused(DrainOrder("c"), UsageError, "cannot drain c: the state has no such host; ")
    await refused(DrainOrder("a", only=("x",)), UsageError, "cannot drain x on a: ")
    pair.kind.faults = Faults(refusal="it is not configured for that")
    await refused(DrainOrder("a"), PlanError, "cannot drain a: it is not configured for that")
    pair.kind.faults = Faults(unable={"b": "the check web fails on b"})
    await refused(DrainOrder("a"), PlanError, "no other member would take over v: the check web fails on b")
    pair.kind.faults = Faults()
    pair.world["b"].reachable = False
    await refused(DrainOrder("a"), PlanError, "b did not answer, and nobody else would take over v")


async def test_a_drain_without_an_effect_is_taken_back(play: Play, pair: Pair) -> None:
    machine = pair.world["a"]
    machine.on("drain w", lambda m: m.drained.discard("w"), after=True)
    with pytest.raises(PlanError, match="cannot drain a: w still serves; a is undrained again"):
        await drain(pair.means(play.means), play.url, DrainOrder("a"), lambda _: None)
    assert machine.drained == set()
    assert machine.did("undrain *") == ["undrain v", "undrain w"]
    pair.world.holders.clear()
    machine.on("drain *", lambda m: m.drained.clear(), times=2, after=True)
    with pytest.raises(PlanError, match="cannot drain a: v, w still serve; a is undrained again"):
        await drain(pair.means(play.means), play.url, DrainOrder("a"), lambda _: None)


async def test_the_output_of_a_step_that_fails_is_the_reason(play: Play, pair: Pair) -> None:
    pair.world["a"].fail("drain v", "no space left")
    with pytest.raises(PlanError, match=r"cannot drain a: no space left$"):
        await drain(pair.means(play.means), play.url, DrainOrder("a"), lambda _: None)
    pair.world["a"].fail("drain v", "", rc=4)
    with pytest.raises(PlanError, match=r"cannot drain a: exit code 4$"):
        await drain(pair.means(play.means), play.url, DrainOrder("a"), lambda _: None)


async def test_a_host_without_such_a_resource_is_named(play: Play, pair: Pair) -> None:
    await play.make("daemon: {web: {}}")
    with pytest.raises(UsageError, match="cannot drain a: nothing on it serves an address together with another host"):
        await drain(pair.means(play.means), play.url, DrainOrder("a"), lambda _: None)
    with pytest.raises(UsageError, match="cannot undrain a: nothing on it serves an address"):
        await undrain(pair.means(play.means), play.url, "a")


# -- undrain


async def test_undrain_is_the_mirror(play: Play, pair: Pair) -> None:
    means = pair.means(play.means)
    await drain(means, play.url, DrainOrder("a"), lambda _: None)
    found = await undrain(means, play.url, "a", ["v"])
    assert pair.world["a"].drained == {"w"}
    assert (found.names, found.order, found.moved, found.costs, found.connections) == (("v",), None, (), (), None)
    await undrain(means, play.url, "a")
    assert pair.world["a"].drained == set()
    assert holders(pair) == ("b", "b"), "an address stays where it is"


async def test_undrain_waits_for_the_addresses_that_return(play: Play, pair: Pair) -> None:
    means = pair.means(play.means)
    await drain(means, play.url, DrainOrder("a"), lambda _: None)
    pair.kind.faults = Faults(returns="a has the higher priority")
    pair.world["a"].on("undrain *", lambda _: pair.world.holders.clear(), times=None, after=True)
    found = await undrain(means, play.url, "a")
    assert found.moved == (Moved("v", "b", "a"), Moved("w", "b", "a"))
    assert found.costs == (), "that is no move that the operator ordered"


async def test_an_undrain_without_an_effect_names_the_log(play: Play, pair: Pair) -> None:
    means = pair.means(play.means)
    await drain(means, play.url, DrainOrder("a"), lambda _: None)
    pair.world["a"].on("undrain w", lambda m: m.drained.add("w"), after=True)
    with pytest.raises(PlanError, match=r"cannot undrain a: w is still drained there.*on a: journalctl -u keepalived"):
        await undrain(means, play.url, "a")


# -- move


@pytest.mark.parametrize("to", [None, "b"])
async def test_a_move_leaves_nobody_drained(play: Play, pair: Pair, to: str | None) -> None:
    found = await move(pair.means(play.means), play.url, to, lambda _: None)
    assert holders(pair) == ("b", "b")
    assert all(machine.drained == set() for machine in pair.world)
    assert (found.host, found.moved) == ("a", (Moved("v", "a", "b"), Moved("w", "a", "b")))
    assert (found.order, found.costs, found.connections) == (None, (), 3)
    assert pair.world["a"].data["order:v"]["reason"] == "hacore move"


async def test_a_move_that_would_not_last_or_has_no_taker_is_refused(play: Play, pair: Pair) -> None:
    means = pair.means(play.means)

    async def refused(to: str | None, error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            await move(means, play.url, to, lambda _: None)
        assert all(machine.did("drain *") == [] for machine in pair.world)

    await refused("a", PlanError, "cannot move the addresses to a: it holds them already")
    await refused("c", UsageError, "cannot move c: the state has no such host")
    pair.kind.faults = Faults(returns="a has the higher priority")
    await refused("b", PlanError, "away from a: they would return at once, as a has the higher priority; `hacore drain")
    pair.kind.faults = Faults(unable={"b": "the check web fails on b"})
    await refused("b", PlanError, "cannot move v to b: nobody would take it over")
    pair.kind.faults = Faults()
    pair.world.vips["w"] = ["b", "a"]
    pair.world.holders["w"] = "b"
    await refused("b", PlanError, "cannot move the addresses: a and b hold them; `hacore status` shows why")


async def test_nothing_is_moved_before_the_first_apply(play: Play) -> None:
    with pytest.raises(UsageError, match="no host is recorded yet: `hacore apply` first"):
        await move(play.means, play.url, None, lambda _: None)
    with pytest.raises(UsageError, match="cannot roll: no host is recorded yet: `hacore apply` first"):
        await order_of(play.means, play.url, [])


# -- roll


async def test_a_roll_acts_on_one_host_after_the_other_while_it_is_drained(play: Play, pair: Pair) -> None:
    means, said = pair.means(play.means), list[str]()
    order = await order_of(means, play.url, [])
    assert order == ["b", "a"], "the one that serves is the last"

    found = await roll(means, play.url, RESTART, order, said.append)

    assert found.ok
    assert found.hosts == (Rolled("b", "done"), Rolled("a", "done"))
    for machine in pair.world:
        seen = [text for text in machine.log if text.startswith(("drain", "undrain", "restart"))]
        assert seen == ["drain v", "drain w", "restart web", "undrain v", "undrain w"]
    assert pair.world.cuts == [], "no daemon was restarted where its host served"
    assert [line for line in said if line.startswith("b: ")] == [
        "b: drained", f"b: {RESTART}: done", "b: in service",
    ]  # fmt: skip
    run = play.runs()[-1]
    assert (run.id, run.command, run.status, run.who, run.stack) == (found.run, "roll", "done", "tester@test", "test")
    assert run.ended is not None
    assert run.started <= run.ended
    assert pair.world["a"].data["order:v"]["reason"] == f"hacore roll: {RESTART}"
    with pytest.raises(UsageError, match=rf"cannot resume run {found.run}: all of its hosts are done"):
        rest_of(play.url, found.run)


async def test_a_roll_stops_at_the_first_failure_and_is_resumed_there(play: Play, pair: Pair) -> None:
    means = pair.means(play.means)
    pair.world["b"].fail("restart web", "no such unit")
    found = await roll(means, play.url, RESTART, ["b", "a"], lambda _: None)
    assert not found.ok
    first, second = found.hosts
    assert (first.host, first.status, second) == ("b", "failed", Rolled("a", "hold"))
    assert first.error.endswith("no such unit; b stays drained: `hacore undrain b` once it is good")
    assert pair.world["b"].drained == {"v", "w"}
    assert pair.world["a"].did("*drain *") == []
    assert play.runs()[-1].status == "failed"
    assert rest_of(play.url, found.run) == (RESTART, ["b", "a"])
    with pytest.raises(UsageError, match="cannot resume run 1: it is not a roll"):
        rest_of(play.url, 1)
    with pytest.raises(UsageError, match="cannot resume run 99: it is not a roll"):
        rest_of(play.url, 99)
    await undrain(means, play.url, "b")
    assert (await roll(means, play.url, *rest_of(play.url, found.run), lambda _: None)).ok


async def test_a_roll_that_begins_with_a_refusal_is_none(play: Play, pair: Pair) -> None:
    pair.kind.faults = Faults(unable={"b": "the check web fails on b"})
    runs = len(play.runs())
    with pytest.raises(PlanError, match="no other member would take over v"):
        await roll(pair.means(play.means), play.url, RESTART, ["a", "b"], lambda _: None)
    assert len(play.runs()) == runs


async def test_a_roll_that_is_stopped_begins_no_further_host(play: Play, pair: Pair) -> None:
    stop = asyncio.Event()

    def say(line: str) -> None:
        if line == "b: in service":
            stop.set()

    found = await roll(pair.means(play.means), play.url, RESTART, ["b", "a"], say, stop)
    assert found.hosts == (Rolled("b", "done"), Rolled("a", "hold"))
    assert rest_of(play.url, found.run) == (RESTART, ["a"])


async def test_a_host_is_in_service_again_only_with_its_units(play: Play, pair: Pair) -> None:
    pair.world["b"].on("restart web", lambda m: m.units["web"].update(running=False), after=True)
    found = await roll(pair.means(play.means), play.url, RESTART, ["b", "a"], lambda _: None)
    assert found.hosts[0].error.startswith("cannot verify b: web is stopped; b stays drained")
    assert pair.world["b"].drained == {"v", "w"}


async def test_a_reboot_is_over_when_the_host_has_another_boot_id(play: Play, pair: Pair) -> None:
    found = await roll(pair.means(play.means), play.url, Act("reboot"), ["b"], lambda _: None)
    assert found.ok, found
    assert pair.world["b"].did("reboot") == ["reboot"]
    assert pair.world["a"].did("reboot") == []
    assert pair.world["b"].drained == set()
    pair.world["a"].restart = lambda: None  # type: ignore[method-assign]
    found = await roll(pair.means(play.means), play.url, Act("reboot"), ["a"], lambda _: None)
    assert "cannot reboot a: it did not answer again within 0 minutes; a stays drained" in found.hosts[0].error


async def test_the_order_is_of_known_hosts(play: Play, pair: Pair) -> None:
    means = pair.means(play.means)
    assert await order_of(means, play.url, ["a"]) == ["a"]
    assert await order_of(means, play.url, ["a", "b"]) == ["b", "a"]
    with pytest.raises(UsageError, match=r"cannot roll c: the state has no such host; it has a, b"):
        await order_of(means, play.url, ["a", "c"])
    await play.make("daemon: {web: {}}")
    with pytest.raises(UsageError, match="cannot roll: no address is served by several hosts"):
        await order_of(play.means, play.url, [])


def test_an_act_in_words() -> None:
    acts = (Act("restart", "nginx"), Act("reboot"), Act("command", "apt-get update"))
    assert [str(act) for act in acts] == ["restart nginx", "reboot", "apt-get update"]
    assert replace(acts[1], text="x") == Act("reboot", "x")
