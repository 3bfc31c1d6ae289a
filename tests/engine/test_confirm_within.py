"""When a run's changes are confirmed, and by which connections. The hosts are real in tests/hosts/test_confirm.py."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from hacore.contract import Output
from hacore.engine.confirm_within import confirmed, prolonged, timer_of
from hacore.engine.connections import Hosts
from hacore.engine.request import Request
from hacore.errors import UnreachableError
from hacore.events import silent
from hacore.model import Host, Op, Status
from hacore.plan import PlanTask
from hacore.probe.revert import ARMED, PUT_BACK, confirm_script, look_script, prolong_script
from hacore.transport import Transport
from hacore.walk import Timer
from tests.engine.play import Play, changed, turns

GONE = 3  # nothing waits on the host
WITHIN = 1
SCRIPTS = {look_script(): "look", confirm_script(): "confirm", prolong_script(WITHIN): "prolong"}


@dataclass
class Waiting:
    """A host that waits for its confirmation; `log` has what it was asked, over which connection."""

    state: int = ARMED
    refuses: int = 0  # so many new connections
    loses: frozenset[str] = frozenset()  # scripts during which the connection is lost
    log: list[str] = field(default_factory=list)
    thrice: asyncio.Event = field(default_factory=asyncio.Event)  # it was asked three times


@dataclass
class Connection:
    host: Waiting
    name: str

    async def shell(self, script: str) -> Output:
        word = SCRIPTS[script]
        self.host.log.append(f"{self.name} {word}")
        if len(self.host.log) == 3:
            self.host.thrice.set()
        if word in self.host.loses:
            raise UnreachableError("connection lost")
        if word == "confirm" and self.host.state == ARMED:
            self.host.state = GONE
            return Output(0)
        return Output(self.host.state, b"put back, but for 0001.undo\n" if self.host.state == PUT_BACK else b"")


@dataclass
class Walked:
    """As much of a walk's context as a confirmation uses."""

    timer: Timer | None
    links: dict[str, Any]
    hosts: dict[str, Host]
    said: list[str] = field(default_factory=list)

    def say(self, _type: str, message: str) -> None:
        self.said.append(message)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hacore.engine.confirm_within.PAUSE", 0.01)


class Run:
    """A run over hosts that wait; all of them are armed unless `armed` names some."""

    def __init__(self, armed: tuple[str, ...] | None = None, **hosts: Waiting) -> None:
        self.waiting = hosts
        timer = Timer(WITHIN, "lineage", "run 7 of web", set(hosts if armed is None else armed))
        known = {name: Host(name=name, address="192.0.2.1") for name in hosts}
        self.ctx = Walked(timer, {name: Connection(host, "old") for name, host in hosts.items()}, known)
        self.hosts = Hosts(Transport(), silent, self.open)

    async def open(self, host: Host) -> Any:
        found = self.waiting[host.name]
        if found.refuses > 0:
            found.refuses -= 1
            raise UnreachableError(f"cannot reach {host.name}: connection refused")
        return Connection(found, "new")

    async def end(self, status: str, *lives: Any, halted: bool = False) -> str:
        ctx: Any = self.ctx
        return await confirmed(status, lives, ctx, self.hosts, halted=halted)

    def asked(self, name: str) -> list[str]:
        return self.waiting[name].log


@dataclass
class Live:
    status: Status
    task: PlanTask


def live(host: str, status: str) -> Live:
    return Live(Status(status), PlanTask("t1", Op.CHANGE, "thing", host, ()))


KEPT = ["old prolong", "new look", "new confirm"]


@pytest.mark.parametrize(("status", "halted"), [("done", False), ("failed", True)])
async def test_what_stays_is_confirmed_over_new_connections(status: str, halted: bool) -> None:
    run = Run(a=Waiting(), b=Waiting())
    assert await run.end(status, halted=halted) == status
    assert (run.asked("a"), run.asked("b"), run.ctx.said) == (KEPT, KEPT, [])


async def test_without_a_timer_or_a_changed_host_nothing_is_asked() -> None:
    run = Run((), a=Waiting())
    assert await run.end("done") == "done"
    run.ctx.timer = None
    assert await run.end("failed") == "failed"
    assert run.asked("a") == []


async def test_only_changed_hosts_are_confirmed() -> None:
    run = Run(("b",), a=Waiting(), b=Waiting())
    assert await run.end("done") == "done"
    assert (run.asked("a"), run.asked("b")) == ([], KEPT)


async def test_a_host_that_refuses_at_first_is_tried_again() -> None:
    run = Run(a=Waiting(), b=Waiting(refuses=2))
    assert await run.end("done") == "done"
    assert (run.asked("a"), run.asked("b")) == (KEPT, KEPT)


NOT_CONFIRMED = "run 7 of web is not confirmed: {}; a and b revert automatically within 1s; run `hacore rollback` "


@pytest.mark.parametrize(
    ("b", "why", "asked"),
    [
        (Waiting(refuses=10_000), "b: cannot reach b: connection refused", ["old prolong"]),
        (Waiting(PUT_BACK), "b: its timer expired: put back, but for 0001.undo", ["old prolong", "new look"]),
        (Waiting(GONE), "b: no pending confirmation on this host (was it rebooted?)", ["old prolong", "new look"]),
        (Waiting(loses=frozenset(["look"])), "b: connection lost", ["old prolong", "new look"]),
    ],
)
async def test_one_host_that_does_not_answer_reverts_all(b: Waiting, why: str, asked: list[str]) -> None:
    run = Run(a=Waiting(), b=b)
    assert await run.end("done") == "interrupted"
    assert "new confirm" not in run.asked("a")
    assert run.asked("b") == asked
    (said,) = run.ctx.said
    assert said.startswith(NOT_CONFIRMED.format(why))
    assert said.endswith("afterwards to undo the run in the state and on all other hosts")


async def test_a_confirmation_that_does_not_arrive_leaves_the_run_incomplete() -> None:
    run = Run(a=Waiting(loses=frozenset(["confirm"])))
    assert await run.end("done") == "interrupted"
    assert run.ctx.said[0].startswith("run 7 of web is not confirmed: a: connection lost; a reverts automatically")


async def test_an_old_connection_that_is_lost_does_not_matter() -> None:
    run = Run(a=Waiting(loses=frozenset(["prolong"])))
    assert await run.end("done") == "done"


# -- what was undone over the old connections


@pytest.mark.parametrize("status", ["rolled_back", "failed", "interrupted"])
@pytest.mark.parametrize("ended", ["undone", "hold", "do"])
async def test_a_host_where_all_was_undone_stops_waiting(status: str, ended: str) -> None:
    run = Run(a=Waiting())
    assert await run.end(status, live("a", "undone"), live("a", ended)) == status
    assert (run.asked("a"), run.ctx.said) == (["old confirm"], [])


@pytest.mark.parametrize("ended", ["done", "doing", "error", "undo", "undoing"])
async def test_a_host_where_something_stands_reverts_by_itself(ended: str) -> None:
    run = Run(a=Waiting(), b=Waiting())
    assert await run.end("failed", live("a", "undone"), live("a", ended), live("b", "undone")) == "failed"
    assert (run.asked("a"), run.asked("b")) == ([], ["old confirm"])
    (said,) = run.ctx.said
    assert said.startswith("run 7 of web could not be undone everywhere; a reverts automatically within 1s; ")


@pytest.mark.parametrize("lost", [True, False])
async def test_a_host_that_cannot_be_told_reverts_by_itself(lost: bool) -> None:
    run = Run(a=Waiting(loses=frozenset(["confirm"])), b=Waiting())
    if lost:
        del run.ctx.links["a"]
    await run.end("rolled_back", live("a", "undone"), live("b", "undone"))
    assert [said.partition("; ")[2].partition(" within")[0] for said in run.ctx.said] == ["a reverts automatically"]


# -- while tasks run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats without pauses."""
    without = SimpleNamespace(**{**vars(asyncio), "sleep": lambda _seconds: turns()})
    monkeypatch.setattr("hacore.engine.confirm_within.asyncio", without)


@pytest.mark.usefixtures("quick")
async def test_hosts_that_wait_are_heard_of_until_the_tasks_have_ended() -> None:
    run = Run(("a",), a=Waiting(loses=frozenset(["prolong"])), b=Waiting())
    async with prolonged(run.ctx.timer, run.ctx.links):
        await asyncio.wait_for(run.waiting["a"].thrice.wait(), 60)
    beats = len(run.asked("a"))
    for _ in range(5):
        await turns()
    assert len(run.asked("a")) == beats
    assert run.asked("b") == []


@pytest.mark.usefixtures("quick")
async def test_a_fault_of_the_tasks_is_not_hidden_and_no_timer_beats_nothing() -> None:
    run = Run(a=Waiting())
    with pytest.raises(ZeroDivisionError):
        async with prolonged(run.ctx.timer, run.ctx.links):
            raise ZeroDivisionError
    async with prolonged(None, run.ctx.links):
        await turns()
    assert run.asked("a") == []


def test_a_timer_only_where_one_is_asked_for(play: Play) -> None:
    request: Request = play.request
    assert timer_of(request, "lineage", "run 7 of web") is None
    timer = timer_of(changed(request, confirm_within=90), "lineage", "run 7 of web")
    assert timer is not None
    assert (timer.within, timer.lineage, timer.what, timer.armed) == (
        90,
        "lineage",
        "run 7 of web by tester@test",
        set(),
    )
