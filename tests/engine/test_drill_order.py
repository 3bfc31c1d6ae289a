"""What a drill would do to a pair, what it refuses, and when a scenario is over: nothing is played here."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from hacore.contract import Budget, Check, FailOver, Partition, Step
from hacore.drill.measured import Look, Word
from hacore.engine.drilling.order import LEARN, DrillOrder, acts, rehearsed, targets
from hacore.engine.drilling.watch import doubled, is_back, moved, single
from hacore.engine.maintenance_site import MaintenanceSite, maintenance_site
from hacore.errors import PlanError, UsageError
from tests.engine.duty import Faults, Pair
from tests.engine.play import Play

DRAIN, STOP, SERVICE, BACK = (Budget(seconds, f"{seconds}") for seconds in (1.0, 2.0, 3.0, 4.0))
DOUBLE, SINGLE = Budget(5.0, "5"), Budget(6.0, "6")
PARTS = FailOver("v", "moves", DRAIN, STOP, SERVICE, BACK, ("/usr/bin/notify",))
PARTITION = Partition(Step("ready"), Step("isolate"), Step("rejoin"), DOUBLE, SINGLE)
URL = "http://192.0.2.9/"


@pytest.fixture
async def pair(play: Play, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Host a holds v and w."""
    monkeypatch.setattr("hacore.engine.pair_looks.PAUSE", 0.005)
    monkeypatch.setattr("hacore.walk.health.ask", lambda _check: "")
    play.world.vips.update(v=["a", "b"], w=["a", "b"])
    found = Pair(play.world)
    found.kind.parts, found.kind.urls = PARTS, (URL,)
    means = found.means(play.means)
    play.options = {"providers": means.providers, "connect": means.connect}
    await play.make("daemon: {web: {}}\nduty: {one: {vip: v}, two: {vip: w}}")
    return found


def site_of(play: Play, pair: Pair) -> AbstractAsyncContextManager[MaintenanceSite]:
    return maintenance_site(pair.means(play.means), play.url, "a", "drill")


# -- which addresses


async def test_one_address_of_each_holder_is_drilled(play: Play, pair: Pair) -> None:
    async with site_of(play, pair) as site:
        assert [one.address for one in targets(site, DrillOrder())] == ["v"]
    pair.world.vips["w"] = ["b", "a"]
    pair.world.holders["w"] = "b"
    async with site_of(play, pair) as site:
        assert [one.address for one in targets(site, DrillOrder())] == ["v", "w"]
        assert [one.address for one in targets(site, DrillOrder(url=URL))] == ["v"]


async def test_a_drill_begins_healthy(play: Play, pair: Pair) -> None:
    pair.world["b"].units["web"]["running"] = False
    async with site_of(play, pair) as site:
        why = "cannot drill: v is no-redundancy: web is stopped on b and should run there; a drill begins healthy"
        with pytest.raises(PlanError, match=why):
            targets(site, DrillOrder())


async def test_without_a_shared_address_there_is_nothing_to_drill(play: Play, pair: Pair) -> None:
    await play.make("daemon: {web: {}}")
    async with site_of(play, pair) as site:
        with pytest.raises(UsageError, match="cannot drill: no address is served by several hosts"):
            targets(site, DrillOrder())


# -- what a scenario does


@pytest.mark.parametrize(
    ("word", "budget", "script", "undo"),
    [
        ("drain", DRAIN, '["drain", "v"]', '["undrain", "v"]'),
        ("stop", STOP, "systemctl stop -- moves", "systemctl start -- moves"),
        ("service", SERVICE, "systemctl stop -- web", "systemctl start -- web"),
    ],
)
async def test_a_scenario_has_a_budget_an_act_and_its_mirror(
    play: Play, pair: Pair, word: Word, budget: Budget, script: str, undo: str
) -> None:
    async with site_of(play, pair) as site:
        (address,) = targets(site, DrillOrder())
        one = rehearsed(site, address, word, DrillOrder())
        assert (one.scenario, one.address, one.host, one.taker) == (word, "v", "a", "b")
        assert (one.budget, one.back, one.notify, one.finding) == (budget, BACK, ("/usr/bin/notify",), "")
        assert one.check == Check(URL)
        act, mirror = acts(site, one)
    assert script in act.script
    assert undo in mirror.script


async def test_a_crash_kills_without_a_last_advert_and_removes_what_it_left(play: Play, pair: Pair) -> None:
    async with site_of(play, pair) as site:
        (address,) = targets(site, DrillOrder())
        with pytest.raises(UsageError, match="when a member misses a dead holder of v is not known"):
            rehearsed(site, address, "crash", DrillOrder())
        pair.kind.parts = replace(PARTS, partition=PARTITION)
        one = rehearsed(site, address, "crash", DrillOrder())
        assert one.budget is not None
        assert (one.budget.seconds, one.double, one.back, one.partition) == (LEARN, DOUBLE, BACK, None)
        act, mirror = acts(site, one)
    stop, kill, end = act.script.splitlines()
    assert "--signal=STOP -- moves" in stop and "--signal=KILL -- moves" in kill and end == "systemctl stop -- moves"
    assert "for address in v w; do" in mirror.script
    assert mirror.script.rstrip().endswith("systemctl start -- moves")


async def test_a_service_that_no_check_watches_is_a_finding(play: Play, pair: Pair) -> None:
    pair.kind.parts = replace(PARTS, service=None)
    async with site_of(play, pair) as site:
        one = rehearsed(site, targets(site, DrillOrder())[0], "service", DrillOrder())
    assert one.finding.startswith("service: no check of keepalived would see")
    assert (one.budget, one.back) == (None, None)


async def test_a_service_of_which_the_unit_is_not_managed(play: Play, pair: Pair) -> None:
    pair.kind.parts = replace(PARTS, unit="web")
    async with site_of(play, pair) as site:
        one = rehearsed(site, targets(site, DrillOrder())[0], "service", DrillOrder())
        with pytest.raises(UsageError, match="no unit that should run on a is managed beside web"):
            acts(site, one)


@pytest.mark.parametrize("permitted", [False, True])
async def test_a_partition_may_do_harm_only_where_that_is_permitted(play: Play, pair: Pair, permitted: bool) -> None:
    order = DrillOrder(run_notify=permitted)
    async with site_of(play, pair) as site:
        (address,) = targets(site, order)
        with pytest.raises(UsageError, match="cannot drill partition: v has no way to play one"):
            rehearsed(site, address, "partition", order)
        pair.kind.parts = replace(PARTS, partition=PARTITION)
        one = rehearsed(site, address, "partition", order)
        assert one.budget is not None
        assert (one.budget.seconds, one.back, one.partition) == (1.0, SINGLE, PARTITION)
        assert [step.script for step in acts(site, one)] == ["isolate", "rejoin"]
        pair.kind.parts = replace(PARTS, partition=replace(PARTITION, hazards=("/bin/a", "/bin/b")))
        if permitted:
            assert rehearsed(site, address, "partition", order).partition is not None
        else:
            with pytest.raises(UsageError, match="a second holder starts /bin/a, /bin/b; --run-notify permits it"):
                rehearsed(site, address, "partition", order)


async def test_what_is_asked_while_it_moves(play: Play, pair: Pair) -> None:
    async with site_of(play, pair) as site:
        (address,) = targets(site, DrillOrder())
        pair.kind.urls = ("http://hmac:00/", "http://second/")
        assert rehearsed(site, address, "stop", DrillOrder()).check.http == "http://second/", (
            "a sealed one is not known"
        )
        assert rehearsed(site, address, "stop", DrillOrder(url="http://x/")).check == Check("http://x/")
        pair.kind.urls = ()
        with pytest.raises(UsageError, match="cannot drill v: its `vip` has no check to ask; give --url"):
            rehearsed(site, address, "stop", DrillOrder())
        pair.kind.parts = None
        with pytest.raises(UsageError, match="cannot drill: nothing on a moves v to another host"):
            rehearsed(site, address, "stop", DrillOrder(url="http://x/"))


async def test_a_host_that_cannot_revert_by_itself_or_has_no_taker_is_refused(play: Play, pair: Pair) -> None:
    async with site_of(play, pair) as site:
        (address,) = targets(site, DrillOrder())
        alone = replace(address, members=tuple(replace(m, able=m.holds) for m in address.members))
        with pytest.raises(PlanError, match="cannot drill: no other member would take over v"):
            rehearsed(site, alone, "stop", DrillOrder())
    pair.world["a"].base = replace(pair.world["a"].base, init="sysv")
    pair.kind.faults = Faults()
    async with site_of(play, pair) as site:
        with pytest.raises(PlanError, match="cannot drill: a has no systemd, so it could not revert by itself"):
            rehearsed(site, targets(site, DrillOrder())[0], "stop", DrillOrder())


# -- when a scenario has come, and is over


def looks(*holders: str) -> list[Look]:
    """A look at each second, from second 1 on; each letter is a holder."""
    return [Look(float(at), tuple(names)) for at, names in enumerate(holders, 1)]


@pytest.mark.parametrize(
    ("seen", "is_moved", "is_doubled", "back"),
    [
        ([], False, False, False),
        (["a"], False, False, True),
        (["b"], True, True, False),
        (["ab"], False, True, False),
        ([""], False, False, False),
        (["b", "a", "a", "a"], False, False, True),  # long ago
        (["b", "a", "a"], True, True, True),
    ],
)
def test_who_held_it_lately(seen: list[str], is_moved: bool, is_doubled: bool, back: bool) -> None:
    found = looks(*seen)
    assert (moved(found, 1.0, "a"), doubled(found, 1.0, "a"), is_back(found, 1.0, "a")) == (is_moved, is_doubled, back)
    late = len(seen) + 1.0  # what was seen before the act does not count
    assert not any((moved(found, late, "a"), doubled(found, late, "a"), is_back(found, late, "a")))


@pytest.mark.parametrize(
    ("seen", "over"),
    [
        (["a"] * 4, False),
        (["a"] * 5, True),
        (["ab", *["b"] * 5], True),
        (["a", "b", "b", "b", "b"], False),
        (["ab"] * 5, False),
        ([""] * 5, False),
        (["a", "a", "a", "a", "ab"], False),
    ],
)
def test_a_partition_is_over_when_one_host_alone_has_it_five_times(seen: list[str], over: bool) -> None:
    assert single(looks(*seen), 1.0) is over
    assert not single(looks(*seen), 2.0 + len(seen) - 5)
