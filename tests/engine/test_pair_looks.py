"""What is made of the answers of a pair: moves of its own runs, a second look, and results as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Daemon, Facts, Member, Served
from hacore.engine import drift, status
from hacore.engine.results import DriftReport, RollbackItem, RollbackPlan, RollbackResult, RunResult
from hacore.engine.verdicts import AddressStatus, assess
from hacore.plan import Drift, NewMachine, Ownership, Stranger
from hacore.probe import Marker
from hacore.store import PutRun, RunRecord, StateWriter
from tests.engine.duty import Duty, Pair
from tests.engine.play import Play
from tests.engine.test_plan_changes import made

SITE = "daemon: {web: {}}\nduty: {g: {vip: v}}"


@pytest.fixture
async def pair(play: Play, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr("hacore.engine.pair_looks.PAUSE", 0.005)
    play.world.vips["v"] = ["a", "b"]
    found = Pair(play.world)
    means = found.means(play.means)
    play.options = {"providers": means.providers, "connect": means.connect}
    await play.make(SITE)
    return found


@pytest.mark.parametrize(
    ("started", "ended", "foreign"),
    [
        (100.0, 200.0, (98.9, 210.1)),  # from a second before the run until the election after it
        (99.0, 150.0, (160.5, 200.0, 210.0, 210.1)),
        (98.0, None, ()),  # in progress
        (250.0, None, (98.9, 99.0, 150.0, 160.5, 200.0, 210.0, 210.1)),
    ],
)
async def test_a_move_during_a_run_is_the_runs(
    play: Play,
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    started: float,
    ended: float | None,
    foreign: Sequence[float],
) -> None:
    moves = (98.9, 99.0, 150.0, 160.5, 200.0, 210.0, 210.1)
    real = Duty._member

    def member(self: Duty, host: str, facts: Facts, spec: Any) -> Member:
        return replace(real(self, host, facts, spec), takeovers=moves)

    monkeypatch.setattr(Duty, "_member", member)
    async with await StateWriter.open(play.url, who="ann", what="apply") as writer:
        (run,) = writer.runs()
        await writer.commit(PutRun(replace(run, started=started, ended=ended)))
    (found,) = (await status(play.request, play.url)).addresses
    assert [m.takeovers for m in found.members] == [tuple(foreign)] * 2


async def test_an_outage_is_looked_at_twice_and_reported_if_it_lasts(
    play: Play, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, answers = type(pair.world).holder, iter([None] * 2)  # the first look at both hosts

    def seen(world: Any, vip: str) -> str | None:
        return next(answers, holder(world, vip))

    execs = [machine.execs for machine in pair.world]
    with monkeypatch.context() as patch:
        patch.setattr(type(pair.world), "holder", seen)
        report = await drift(play.url, pair.means(play.means))
    assert [one.verdict for one in report.addresses] == ["healthy"]
    assert [machine.execs - before for machine, before in zip(pair.world, execs, strict=True)] == [2, 2]
    assert not report.differs
    execs = [machine.execs for machine in pair.world]
    assert not (await drift(play.url, pair.means(play.means))).differs
    assert [machine.execs - before for machine, before in zip(pair.world, execs, strict=True)] == [1, 1]


# -- verdicts


A, B = Member("a", "MASTER", holds=True, able=True), Member("b", "BACKUP", able=True)


def verdict(*members: Member, daemons: dict[str, list[Daemon]] | None = None, checks: Any = ()) -> AddressStatus:
    return assess([("i", Served("v", members, checks=tuple(checks)))], daemons or {})[0]


def test_several_hosts_and_daemons_are_all_named() -> None:
    silent = [Member(name, "unknown") for name in "bc"]
    assert verdict(*silent).cause == "b and c did not answer, and no other member holds the address"
    down = [Daemon("nginx", up=False, wanted=True), Daemon("php", up=False, wanted=True), Daemon("x", up=True)]
    found = verdict(A, B, daemons={"b": down})
    assert found.cause == "nginx and php are stopped on b and should run there"
    assert found.remedy == "on b: systemctl start nginx"
    others = [
        Member(n, "stopped", able=False, cause=f"keepalived is stopped on {n}", remedy=f"start {n}") for n in "bc"
    ]
    found = verdict(A, *others)
    assert (found.cause, found.remedy) == ("keepalived is stopped on b; keepalived is stopped on c", "start b")


def test_addresses_are_in_order_and_their_members_are_put_together() -> None:
    seen = [("r2", Served("w", (A,))), ("r1", Served("v", (A,))), ("r3", Served("v", (B,))), ("r1", Served("v", (B,)))]
    first, second = assess(seen, {})
    assert (first.address, first.resources, [m.host for m in first.members]) == ("v", ("r1", "r3"), ["a", "b"])
    assert (second.address, second.verdict) == ("w", "no-redundancy")
    assert first.holders == ("a",)


# -- results


def run_of(**change: Any) -> RunRecord:
    return replace(RunRecord(3, "apply", "done", 1.0, 2.0, "ann", "web", "d", "halt"), **change)


@pytest.mark.parametrize(
    ("word", "leftover", "lost", "ok"),
    [
        ("done", False, (), True),
        ("nothing", False, (), True),
        ("done", True, (), False),
        ("done", False, ("v is held by nobody",), False),
        ("failed", False, (), False),
        ("rolled_back", False, (), False),
        ("interrupted", False, (), False),
    ],
)
def test_a_run_is_good_only_if_all_is_in_the_desired_state(word: Any, leftover: bool, lost: Any, ok: bool) -> None:
    planned: Any = None
    assert RunResult(3, word, planned, leftover=made() if leftover else None, lost=lost).ok is ok


@pytest.mark.parametrize(
    ("word", "lost", "ok"),
    [
        ("rolled_back", (), True), ("nothing", (), True), ("failed", (), False), ("interrupted", (), False),
        ("rolled_back", ("v is held by nobody",), False),
    ],
)  # fmt: skip
def test_a_rollback_is_good_only_if_all_was_rolled_back(word: Any, lost: Any, ok: bool) -> None:
    assert RollbackResult(3, word, lost=lost).ok is ok


def test_what_a_rollback_cannot_restore() -> None:
    good, bad = RollbackItem("file.a@a", "a", "restore"), RollbackItem("command.b@a", "a", "delete", "no undo")
    assert RollbackPlan(run_of(), (good, bad)).irreversible == (bad,)


HELD = AddressStatus("v", "healthy", holders=("a",), members=(A, B))
LATE = replace(HELD, members=(A, replace(B, drained=True, overdue=True)))
STRANGER = Stranger("a", "192.0.2.1", Marker("web", "", "a", "theirs", 9, "me", 0.0, {}), "lineage")


@pytest.mark.parametrize(
    ("change", "differs", "complete"),
    [
        ({}, False, True),
        ({"drift": (Drift(Address.parse("file.a@a"), (), "gone", "a"),)}, True, True),
        ({"unreachable": {"b": "no route"}}, False, False),
        ({"addresses": (HELD,)}, False, True),
        ({"addresses": (replace(HELD, verdict="no-redundancy"),)}, False, True),
        ({"addresses": (replace(HELD, verdict="no-holder"),)}, True, True),
        ({"addresses": (HELD, replace(HELD, verdict="split-brain"))}, True, True),
        ({"addresses": (LATE,)}, True, True),
        ({"ownership": Ownership(new_machines=(NewMachine("a", "192.0.2.1", "m1", "m2"),))}, True, True),
        ({"ownership": Ownership(foreign_hosts=(STRANGER,))}, True, True),
    ],
    ids=str,
)
def test_when_a_report_differs(change: dict[str, Any], differs: bool, complete: bool) -> None:
    report = replace(DriftReport("web", "l", 1, (), {}, 0), **change)
    assert (report.differs, report.complete) == (differs, complete)
