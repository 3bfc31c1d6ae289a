"""The verdict on what a drill measured: pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.contract import Budget
from hacore.drill.measured import Cut, Look, Measured, Request, measured_json, verdict

BUDGET = Budget(1.0, "skew + margin")
BACK = Budget(5.0, "master_down")


def looks(*changes: tuple[float, str]) -> tuple[Look, ...]:
    """A look every 0.2 s; `changes`: from when which hosts hold the address, `a+b` for both."""
    found = []
    for tick in range(101):
        at = tick / 5
        held = [names for since, names in changes if since <= at + 1e-9][-1]
        found.append(Look(at, tuple(name for name in held.split("+") if name)))
    return tuple(found)


def requests(*lost: float, rate: float = 10.0) -> tuple[Request, ...]:
    """Requests for 20 s; `lost`: seconds at which one is lost."""
    missing = {round(at * rate) for at in lost}
    return tuple(Request(n / rate, 0.01, "timed out" if n in missing else "") for n in range(round(20 * rate)))


GOOD = Measured(
    scenario="stop",
    address="192.0.2.1",
    holder="lb1",
    rate=10.0,
    acted=5.0,
    restored=10.0,
    budget=BUDGET,
    back=BACK,
    requests=requests(5.0, 5.1, 5.2),
    looks=looks((0, "lb1"), (5, ""), (5.6, "lb2"), (13, "lb1")),
)


def test_the_numbers() -> None:
    assert (len(GOOD.lost), GOOD.took_over, GOOD.returned, GOOD.doubled) == (
        3,
        pytest.approx(0.6),
        pytest.approx(3.0),
        0,
    )
    assert GOOD.gap == pytest.approx(0.3)
    assert list(GOOD.failures()) == []
    found = measured_json(GOOD)
    assert (found["sent"], found["lost"], found["passed"]) == (200, 3, True)
    assert found["budget"] == {"seconds": 1.0, "formula": "skew + margin"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"requests": requests(*(5 + n / 10 for n in range(11)))}, ""),  # the budget, and one at its edge
        ({"requests": requests(*(5 + n / 10 for n in range(12)))}, "12 requests were lost, 11 by the budget of 1.00 s"),
        ({"requests": requests(15.0)}, ""),  # one of eleven, whenever it is
        ({"looks": looks((0, "lb1"))}, "no other host took 192.0.2.1 over"),
        ({"looks": looks((0, "lb1"), (5, "lb1+lb2"), (13, "lb1"))}, "no other host took 192.0.2.1 over"),
        ({"looks": looks((0, "lb1"), (5.6, "lb2"))}, "192.0.2.1 did not return, by the budget of 5.00 s"),
        ({"looks": looks((0, "lb1"), (5.6, "lb2"), (18, "lb1"))}, "192.0.2.1 returned after 8.0 s, by the budget"),
        ({"looks": looks((0, "lb1"), (5.6, "lb2")), "back": None}, ""),  # it stays where it went
        ({"problem": "cannot stop lb1: no"}, "cannot stop lb1: no"),
        ({"budget": Budget(0.0, "0"), "requests": requests(5.0)}, ""),  # at the very moment of the move
        (
            {"budget": Budget(0.0, "0"), "requests": requests(5.0, 5.1)},
            "2 requests were lost, 1 by the budget of 0.00 s",
        ),
        ({"budget": Budget(0.0, "0"), "requests": requests()}, ""),
    ],
)
def test_what_fails(change: dict[str, object], why: str) -> None:
    failures = list(replace(GOOD, **change).failures())  # type: ignore[arg-type]
    assert (failures == []) if not why else why in failures[0]


@pytest.mark.parametrize(
    ("lost", "void"),
    [
        ((), ""),
        ((5.0, 5.1), ""),
        ((4.9,), ""),  # it may have begun just before the act that ended it
        ((2.0, 5.0), "1 request was lost in the baseline, before anything was done"),
        ((2.0, 3.0), "2 requests were lost in the baseline, before anything was done"),
        ((13.9,), ""),
        ((14.0,), "1 request was lost in the baseline afterwards"),
        ((15.0, 16.0), "2 requests were lost in the baseline afterwards"),
    ],
)
def test_a_baseline_that_loses_requests_tells_nothing(lost: tuple[float, ...], void: str) -> None:
    found = replace(GOOD, requests=requests(*lost), settled=14.0)
    assert found.void == void
    assert list(found.failures()) == []  # nothing of it counts against the budget
    assert verdict([found]) == ("void" if void else "passed")


def test_what_failed_explains_what_is_lost_afterwards() -> None:
    found = replace(GOOD, looks=looks((0, "lb1"), (5, "")), requests=requests(5.0, 15.0), settled=14.0)
    assert (found.void, verdict([found])) == ("", "failed")


def test_a_doubled_address_is_timed_by_looks_in_a_row() -> None:
    both = replace(GOOD, looks=looks((0, "lb1"), (5, "lb1+lb2"), (6, "lb2"), (13, "lb1")))
    assert both.doubled == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("own", "void"),
    [(0, ""), (2, ""), (3, "the prober could not send 3 of 200 requests in time")],
)
def test_the_probers_own_errors_are_never_lost_requests(own: int, void: str) -> None:
    mine = tuple(replace(r, lost="late" if n % 2 else "local: EMFILE") for n, r in enumerate(requests()[:own]))
    found = replace(GOOD, requests=(*mine, *requests()[own:]))
    assert found.void == void
    assert len(found.lost) == 0


def test_the_verdict_on_all() -> None:
    bad = replace(GOOD, problem="x")
    void = replace(GOOD, requests=())
    assert verdict([GOOD, GOOD]) == "passed"
    assert verdict([GOOD, bad, void]) == "failed"
    assert verdict([GOOD, void]) == "void"
    assert verdict([]) == "void"
    assert measured_json(void)["passed"] is False


CUT = replace(
    GOOD,
    scenario="partition",
    double=Budget(4.0, "master_down"),
    back=Budget(7.0, "2 x master_down"),
    requests=requests(),
    looks=looks((0, "lb1"), (8.6, "lb1+lb2"), (13, "lb1")),
)


def test_a_partition_is_over_when_one_alone_holds_it_and_no_other_one_comes_back() -> None:
    assert (CUT.took_over, CUT.returned) == (pytest.approx(3.6), pytest.approx(3.0))
    assert list(CUT.failures()) == []
    assert measured_json(CUT)["double"] == {"seconds": 4.0, "formula": "master_down"}
    again = replace(CUT, looks=looks((0, "lb1"), (8.6, "lb1+lb2"), (13, "lb1"), (14, "lb1+lb2"), (15, "lb2")))
    assert again.returned == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (((0, "lb1"),), "no other host took 192.0.2.1 over"),
        (((0, "lb1"), (9.8, "lb1+lb2"), (13, "lb1")), "the second holder came after 4.8 s, by the budget of 4.00 s"),
        (((0, "lb1"), (8.6, "lb1+lb2"), (18, "lb1")), "192.0.2.1 had two holders for 8.0 s, by the budget of 7.00 s"),
        (((0, "lb1"), (8.6, "lb1+lb2")), "192.0.2.1 has no single holder, by the budget of 7.00 s"),
        (((0, "lb1"), (8.6, "lb1+lb2"), (13, "")), "192.0.2.1 has no single holder, by the budget of 7.00 s"),
        # the other one stays, with the higher priority
        (((0, "lb1"), (8.6, "lb1+lb2"), (13, "lb2")), ""),
    ],
)
def test_why_a_partition_fails(changes: tuple[tuple[float, str], ...], why: str) -> None:
    failures = list(replace(CUT, looks=looks(*changes)).failures())
    assert len(failures) == (1 if why else 0)
    assert all(one.startswith(why) for one in failures)


CRASH = replace(
    GOOD,
    scenario="crash",
    double=Budget(3.6, "master_down"),
    requests=requests(),
    looks=looks((0, "lb1"), (8, "lb1+lb2"), (10, "lb2"), (13, "lb1")),
)


def test_a_killed_holder_keeps_the_address_beside_the_new_one() -> None:
    assert (CRASH.took_over, CRASH.returned) == (pytest.approx(3.0), pytest.approx(3.0))
    assert CRASH.doubled == pytest.approx(2.0)
    assert list(CRASH.failures()) == []


def test_a_crash_fails_where_two_hold_the_address_in_the_end() -> None:
    both = replace(CRASH, back=None, looks=looks((0, "lb1"), (8, "lb1+lb2")))
    assert list(both.failures()) == ["192.0.2.1 is held by lb1 and lb2 after the crash"]
    assert list(replace(both, looks=looks((0, "lb1"), (8, "lb1+lb2"), (10, "lb2"))).failures()) == []


def test_a_crash_fails_where_the_second_holder_comes_late() -> None:
    late = replace(CRASH, looks=looks((0, "lb1"), (9.4, "lb1+lb2"), (10, "lb2"), (13, "lb1")))
    assert list(late.failures()) == ["the second holder came after 4.4 s, by the budget of 3.60 s = master_down"]


def test_open_connections_that_were_cut_are_counted_and_fail_nothing() -> None:
    cut = replace(GOOD, cuts=(Cut(5.0, "idle", "reset"), Cut(5.1, "busy", "timed out")))
    assert (measured_json(cut)["cut"], measured_json(cut)["passed"]) == (2, True)
