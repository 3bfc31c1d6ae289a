"""The verdict on an address: pure, from what the kinds report of its members."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.contract import VERDICTS, Daemon, Member, Served, Verdict
from hacore.engine.verdicts import AddressStatus, assess, worst

A = Member("a", "MASTER", holds=True, able=True)
B = Member("b", "BACKUP", able=True)
SILENT = Member("b", "unknown", cause="b did not answer")
DOWN = Member("b", "stopped", able=False, cause="keepalived is stopped on b", remedy="on b: start it")
GOOD, BAD = Verdict("http://v/", True, "ok"), Verdict("http://v/", False, "status 502, not 200")


@pytest.mark.parametrize(
    ("members", "checks", "asked", "verdict", "cause"),
    [
        ((A, B), [GOOD], [GOOD], "healthy", ""),
        ((replace(A, holds=False), B), [], [], "no-holder", "why"),
        ((A, replace(B, holds=True)), [BAD], [], "split-brain", "why"),
        ((A, B), [BAD], [GOOD], "not-serving", "http://v/: status 502, not 200 (asked by a)"),
        ((A, B), [GOOD], [BAD], "not-serving", "http://v/: status 502, not 200 (asked by hacore)"),
        ((A, DOWN), [BAD], [], "not-serving", "http://v/: status 502, not 200 (asked by a)"),
        ((replace(B, host="a"), SILENT), [], [], "unknown", "b did not answer, and no other member holds the address"),
        ((A, SILENT), [], [], "no-redundancy", "b did not answer"),
        ((A, DOWN), [], [], "no-redundancy", "keepalived is stopped on b"),
        ((A,), [], [], "no-redundancy", "no other member is configured"),
        ((A, DOWN, replace(B, host="c")), [], [], "healthy", ""),
        ((replace(A, drained=True), B), [], [], "drained", "a is drained"),
        ((A, replace(B, drained=True)), [], [], "drained", "b is drained"),
        ((replace(A, cause="its daemon is stopped"), B), [], [], "no-redundancy", "its daemon is stopped"),
    ],
)
def test_the_verdict(
    members: tuple[Member, ...], checks: list[Verdict], asked: list[Verdict], verdict: str, cause: str
) -> None:
    pair = Served("192.0.2.9", members, cause="why", remedy="how")
    vip = Served("192.0.2.9", checks=tuple(checks))
    (found,) = assess([("vip.v", vip), ("vrrp_instance.i", pair)], {}, {"192.0.2.9": asked})
    assert (found.verdict, found.cause) == (verdict, cause)
    assert found.resources == ("vip.v", "vrrp_instance.i")
    assert bool(found.remedy) == (cause == "why" or verdict == "not-serving" or "stopped on b" in cause)


def test_a_wanted_daemon_that_is_stopped_on_the_standby_ends_the_redundancy() -> None:
    seen = [("i", Served("v", (A, B)))]
    stopped = {"b": [Daemon("nginx", up=False, wanted=True)]}
    assert assess(seen, stopped)[0].verdict == "no-redundancy"
    assert assess(seen, stopped)[0].remedy == "on b: systemctl start nginx"
    assert assess(seen, {"b": [Daemon("nginx", up=False, wanted=False)]})[0].verdict == "healthy"
    assert assess(seen, {"b": [Daemon("nginx", up=False)]})[0].verdict == "healthy"


def test_the_worst_verdict_is_that_of_the_stack() -> None:
    found = [AddressStatus(str(n), word) for n, word in enumerate(VERDICTS)]
    for number, word in enumerate(VERDICTS):
        assert worst(reversed(found[number:])) == word
    assert worst([]) is None


def test_checks_alone_make_no_address() -> None:
    assert assess([("vip.v", Served("192.0.2.9", checks=(GOOD,)))], {}) == ()
