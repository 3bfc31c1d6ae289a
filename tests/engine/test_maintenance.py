"""Who may be drained: decided by the verdict and the members of each address, without a host."""

from __future__ import annotations

import pytest

from hacore.contract import Drained, Member
from hacore.engine.maintenance import refusal, taker
from hacore.engine.verdicts import AddressStatus, VerdictWord, drained_words

HOLDER = Member("lb1", "MASTER", holds=True, able=True, priority=101)
STANDBY = Member("lb2", "BACKUP", able=True, priority=100)
THIRD = Member("lb3", "BACKUP", able=True, priority=90)
FAULT = Member("lb2", "FAULT", able=False, cause="the check web fails on lb2")
SILENT = Member("lb2", "unknown")
DRAINED = Member("lb2", "BACKUP", able=True, priority=1, drained=True)


def status(*members: Member, verdict: VerdictWord = "healthy", cause: str = "") -> AddressStatus:
    return AddressStatus(
        "192.0.2.1", verdict, cause, holders=tuple(m.host for m in members if m.holds), members=members
    )


@pytest.mark.parametrize(
    ("found", "host", "why"),
    [
        (status(HOLDER, STANDBY), "lb1", ""),
        (status(HOLDER, STANDBY), "lb2", ""),
        (status(HOLDER, FAULT), "lb1", "no other member would take over 192.0.2.1: the check web fails on lb2"),
        (status(HOLDER, FAULT), "lb2", ""),
        (status(HOLDER, DRAINED), "lb1", "no other member would take over 192.0.2.1: lb2 is drained"),
        (status(HOLDER, DRAINED, THIRD), "lb1", ""),
        (status(HOLDER, SILENT), "lb1", "lb2 did not answer, and nobody else would take over 192.0.2.1"),
        (status(HOLDER, SILENT, THIRD), "lb1", ""),
        (
            status(HOLDER, STANDBY, verdict="no-redundancy", cause="nginx is stopped on lb2 and should run there"),
            "lb1",
            "no other member would take over 192.0.2.1: nginx is stopped on lb2 and should run there",
        ),
        (status(HOLDER, STANDBY, verdict="no-redundancy", cause="nginx is stopped on lb2"), "lb2", ""),
        (
            status(STANDBY, verdict="no-holder", cause="all are stopped"),
            "lb2",
            "192.0.2.1 is no-holder: all are stopped",
        ),
        (status(HOLDER, STANDBY, verdict="split-brain"), "lb1", "192.0.2.1 is split-brain: see `hacore status`"),
        # the one that is to stay does not serve: draining the standby would hide that
        (status(HOLDER, STANDBY, verdict="not-serving", cause="502"), "lb2", "192.0.2.1 is not served by lb1: 502"),
        # the one that is to go does not serve: the drain is the cure
        (status(HOLDER, STANDBY, verdict="not-serving", cause="502"), "lb1", ""),
    ],
)
def test_refusal(found: AddressStatus, host: str, why: str) -> None:
    assert refusal(found, host) == why


@pytest.mark.parametrize(
    ("members", "host", "next_one"),
    [
        ((HOLDER, STANDBY), "lb1", "lb2"),
        ((HOLDER, STANDBY), "lb2", "lb1"),
        ((HOLDER, THIRD, STANDBY), "lb1", "lb2"),
        ((HOLDER, THIRD, DRAINED), "lb1", "lb3"),
        ((HOLDER, FAULT), "lb1", None),
        ((HOLDER, SILENT), "lb1", None),
    ],
)
def test_the_taker_is_the_holder_else_the_highest_able_member(
    members: tuple[Member, ...], host: str, next_one: str | None
) -> None:
    assert taker(status(*members), host) == next_one


def member(order: Drained | None, *, overdue: bool = False) -> Member:
    return Member("lb1", "BACKUP", drained=True, order=order, overdue=overdue)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (member(None), "lb1 is drained"),
        (member(Drained()), "lb1 is drained"),
        (
            member(Drained("ann@desk", 1_795_000_000.0, None, "kernel")),
            "lb1 is drained since 2026-11-18 11:06 UTC by ann@desk (kernel)",
        ),
        (
            member(Drained("ann@desk", 1_795_000_000.0, 1_795_003_600.0), overdue=True),
            "lb1 is drained since 2026-11-18 11:06 UTC by ann@desk until 2026-11-18 12:06 UTC, which is overdue",
        ),
        (
            member(Drained("ann@desk", 1_795_000_000.0), overdue=True),
            "lb1 is drained since 2026-11-18 11:06 UTC by ann@desk, for more than a day",
        ),
    ],
)
def test_a_drain_in_words(given: Member, words: str) -> None:
    assert drained_words(given) == words


@pytest.mark.parametrize(
    ("order", "now", "overdue"),
    [
        (Drained(since=0.0, until=100.0), 100.0, False),
        (Drained(since=0.0, until=100.0), 160.0, False),
        (Drained(since=0.0, until=100.0), 161.0, True),
        (Drained(since=0.0), 24 * 3600.0, False),
        (Drained(since=0.0), 24 * 3600.0 + 1, True),
        (Drained(), 1e12, False),
    ],
)
def test_when_a_drain_is_overdue(order: Drained, now: float, overdue: bool) -> None:
    assert order.overdue(now) is overdue
