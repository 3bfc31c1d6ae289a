"""The state of members, derived from addresses, the process and its log; lines as keepalived 2.2.7 writes them."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.contract import Facts, HostFacts
from hacore_providers.facts.addresses import InterfaceAddress
from hacore_providers.facts.keepalived_daemon import DAEMON, DaemonState, LogLine
from hacore_providers.facts.links import Link
from hacore_providers.vrrp_instance.members import master_down, member, served
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import pair, spec

NOW = 10_000.0
VIP = "192.168.1.200"


def facts(
    *log: tuple[float, str], held: str = "", age: float | None = 5000.0, drained: bool = False, link: str = "up"
) -> Facts:
    own = [InterfaceAddress("lo", "127.0.0.1", 8), InterfaceAddress("eth1", "192.168.1.166", 24)]
    own += [InterfaceAddress(held, VIP, 32)] if held else []
    lines = tuple(LogLine(at, f"Keepalived_vrrp[7]: {text}") for at, text in log)
    answers: dict[tuple[str, str], Any] = {
        ("addresses", ""): tuple(own),
        ("keepalived.daemon", "keepalived"): DaemonState(age, lines, 100.0),
        ("keepalived.drain", "/run/hacore-drain.VI_1"): drained,
        ("links", ""): {"eth1": Link(link, 1500)},
    }
    return Facts(HostFacts(time=NOW), answers)


MASTER = (9000.0, "(VI_1) Entering MASTER STATE")
BACKUP = (9100.0, "(VI_1) Entering BACKUP STATE")
FAULT = (9200.0, "(VI_1) Entering FAULT STATE")
PREEMPT = spec(state="BACKUP", track_scripts={"chk": {"script": "/x", "weight": -20}})
STAY = spec(state="BACKUP", preempt=False, track_scripts={"chk": {"script": "/x"}})


@pytest.mark.parametrize(
    ("given", "of", "state", "able", "since", "cause"),
    [
        (facts(MASTER, held="eth1"), PREEMPT, "MASTER", True, 9000.0, ""),
        (facts(held="eth1"), PREEMPT, "MASTER", True, None, ""),
        (facts(held="vrrp.66"), PREEMPT, "MASTER", True, None, ""),
        (facts(MASTER, BACKUP), PREEMPT, "BACKUP", True, 9100.0, ""),
        (facts(), PREEMPT, "BACKUP", True, None, ""),
        (facts(held="lo"), PREEMPT, "BACKUP", True, None, ""),  # a real server of LVS
        (facts((9000.0, "(VI_10) Entering FAULT STATE")), PREEMPT, "BACKUP", True, None, ""),
        (facts((4000.0, "(VI_1) Entering FAULT STATE")), PREEMPT, "BACKUP", True, None, ""),  # of the process before
        (facts((9000.0, "VRRP_Instance(VI_1) Entering BACKUP STATE")), PREEMPT, "BACKUP", True, 9000.0, ""),
        (facts(FAULT), PREEMPT, "FAULT", False, 9200.0, "VI_1 is in FAULT on lb1"),
        (
            facts((9000.0, "VRRP_Script(chk) failed (exited with status 1)"), FAULT),
            STAY,
            "FAULT",
            False,
            9200.0,
            "the check chk fails on lb1",
        ),
        (facts(link="down"), PREEMPT, "FAULT", False, None, "eth1 is down on lb1"),
        (facts(MASTER), PREEMPT, "MASTER", False, 9000.0, "but the address is missing there"),
        (facts(MASTER, age=None), PREEMPT, "stopped", False, None, "keepalived is stopped on lb1"),
        (facts(age=None, held="eth1"), PREEMPT, "stopped", False, None, f"and {VIP} is still there"),
        (facts(age=2.0), PREEMPT, "starting", False, None, "keepalived started 2s ago on lb1"),
        (facts(drained=True), PREEMPT, "BACKUP", True, None, ""),
        (facts(drained=True), STAY, "FAULT", False, None, "lb1 is drained, and would not take over"),
        (Facts(), PREEMPT, "unknown", None, None, "lb1 did not answer"),
    ],
)
def test_the_state_of_a_member(
    given: Facts, of: VrrpInstanceSpec, state: str, able: bool | None, since: float | None, cause: str
) -> None:
    found = member("lb1", of, given, VIP)
    assert (found.state, found.able, found.since) == (state, able, since)
    assert cause in found.cause and bool(found.cause) == bool(cause)


@pytest.mark.parametrize(
    ("given", "priority", "trackers"),
    [
        (facts(BACKUP), 100, ()),
        (facts((9000.0, "(VI_1) Changing effective priority from 100 to 80"), BACKUP), 80, ()),
        (facts((9000.0, "(VI_1) Changing effective priority from 100 to 80"), (9001.0, "Reload complete")), 100, ()),
        (facts((9000.0, "VRRP_Script(chk) failed (exited with status 1)")), 80, ("chk failed (-20)",)),
        (
            facts((9000.0, "VRRP_Script(chk) failed (due to signal 15)"), (9001.0, "VRRP_Script(chk) succeeded")),
            100,
            (),
        ),
        (
            facts((9000.0, "VRRP_Script(chk) timed_out"), (9001.0, "VRRP_Script(chk) considered successful on reload")),
            100,
            (),
        ),
        (facts(drained=True), 1, ("drained (-253)",)),
    ],
)
def test_the_effective_priority_and_what_lowers_it(given: Facts, priority: int, trackers: tuple[str, ...]) -> None:
    found = member("lb1", PREEMPT, given, VIP)
    assert (found.priority, found.trackers) == (priority, trackers)


def of_pair(one: Facts, two: Facts) -> Any:
    specs = pair({"state": "BACKUP"}, {"interface": "eth1"})
    (found,) = served({"lb1": (specs["lb1"], one), "lb2": (specs["lb2"], two)})
    return found


def test_why_nobody_holds_it() -> None:
    down = facts(age=None)
    assert of_pair(down, down).cause == "keepalived is stopped on lb1 and lb2"
    assert of_pair(down, down).remedy == "on lb1 and lb2: systemctl start keepalived"
    stuck = of_pair(facts(MASTER), facts(BACKUP))
    assert stuck.cause == "keepalived on lb1 is MASTER, but the address is missing there"
    assert stuck.remedy == "on lb1: systemctl restart keepalived"


def test_why_both_hold_it() -> None:
    deaf = of_pair(facts(MASTER, held="eth1"), facts(MASTER, held="eth1"))
    assert "lb1 and lb2 do not receive each other's adverts" in deaf.cause
    refusal = (NOW - 0.5, "(VI_1) received an invalid passwd!")
    other = of_pair(facts(MASTER, held="eth1"), facts(MASTER, refusal, held="eth1"))
    assert 'keepalived on lb2 logs "received an invalid passwd"' in other.cause
    old = of_pair(facts(MASTER, held="eth1"), facts(MASTER, replace_at(refusal, 9500.0), held="eth1"))
    assert old.cause == deaf.cause  # it no longer refuses
    left = of_pair(facts(held="eth1", age=None), facts(MASTER, held="eth1"))
    assert left.remedy == f"on lb1: ip addr del {VIP}/32 dev eth1"


def replace_at(line: tuple[float, str], at: float) -> tuple[float, str]:
    return (at, line[1])


def test_master_down_is_that_of_the_rfcs() -> None:
    assert master_down(spec(priority=100)) == 3 + 156 / 256
    assert master_down(spec(priority=100, version=3, advert_interval=0.1, authentication=None)) == pytest.approx(
        0.3 + 156 / 256 * 0.1
    )
    assert master_down(spec(priority=100, extra="down_timer_adverts 5")) == 5 + 156 / 256


def test_an_answer_of_the_daemon_is_read() -> None:
    fields = " ".join(["S", *["0"] * 18, "100000", "9"])
    text = (
        f"unit keepalived\nup 3000.50 {fields}\nfrom 1.5\nlog 9.25 Keepalived_vrrp[5]: (a) Entering MASTER STATE\n"
        "log 8.0 Keepalived_vrrp[5]: (a) received an invalid passwd!\nunit other\n"
    )
    found = DAEMON.parse(text.encode())
    assert found["keepalived"].age == 2000.5
    assert found["keepalived"].log_from == 1.5
    assert [line.at for line in found["keepalived"].log] == [8.0, 9.25]
    assert found["other"] == DaemonState(None)
