"""Budgets of a fail-over: the formulas of RFC 5798 and RFC 3768, for many configurations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Facts, FailOver
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import spec, view

CHECK = {"script": "/c", "interval": 2, "fall": 3, "rise": 2, "timeout": 1}


def found(own: dict[str, Any], *others: dict[str, Any], **both: Any) -> FailOver:
    members: dict[str, tuple[VrrpInstanceSpec, Facts]] = {"lb1": (spec(track_scripts=..., **{**both, **own}), Facts())}
    for number, other in enumerate(others, 2):
        members[f"lb{number}"] = (
            spec(track_scripts=..., **{"state": "BACKUP", "priority": 99, **both, **other}),
            Facts(),
        )
    result = PROVIDER.fail_over(replace(view(members["lb1"][0]), members=members))
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("both", "other", "drain", "stop", "back"),
    [
        # version 2: the skew does not depend on the interval
        ({}, {}, 0.0, 157 / 256 + 0.5, 3 + 156 / 256 + 1),
        ({"advert_interval": 3}, {}, 0.0, 157 / 256 + 0.5, 9 + 156 / 256 + 1),
        ({}, {"priority": 1}, 0.0, 255 / 256 + 0.5, 3 + 156 / 256 + 1),
        ({"priority": 254}, {"priority": 253}, 0.0, 3 / 256 + 0.5, 3 + 2 / 256 + 1),
        # version 3: it does
        ({"version": 3, "advert_interval": 0.1}, {}, 0.0, 0.1 * 157 / 256 + 0.5, 0.3 + 0.1 * 156 / 256 + 1),
        ({"version": 3, "advert_interval": 0.01}, {}, 0.0, 0.01 * 157 / 256 + 0.5, 0.03 + 0.01 * 156 / 256 + 1),
        # IPv6 is version 3 always
        (
            {"addresses": ["2001:db8::1"], "authentication": ..., "advert_interval": 2},
            {},
            0.0,
            2 * 157 / 256 + 0.5,
            6 + 2 * 156 / 256 + 1,
        ),
        # a drain by FAULT: as a stop; and the address stays
        ({"preempt": False, "state": "BACKUP"}, {}, 157 / 256 + 0.5, 157 / 256 + 0.5, None),
        ({"sync_group": "G"}, {}, 157 / 256 + 0.5, 157 / 256 + 0.5, 3 + 156 / 256 + 1),
        # equal, or lower: it does not come back by itself
        ({}, {"priority": 100}, 0.0, 156 / 256 + 0.5, None),
        ({"preempt_delay": 300, "state": "BACKUP"}, {}, 0.0, 157 / 256 + 0.5, 303 + 156 / 256 + 1),
        ({"globals": {"vrrp_startup_delay": 5}}, {}, 0.0, 157 / 256 + 0.5, 8 + 156 / 256 + 1),
        ({"extra": "down_timer_adverts 5"}, {}, 0.0, 157 / 256 + 0.5, 5 + 156 / 256 + 1),
    ],
)
def test_budgets(both: dict[str, Any], other: dict[str, Any], drain: float, stop: float, back: float | None) -> None:
    given = found({}, other, **both)
    assert given.drain.seconds == pytest.approx(drain)
    assert given.stop.seconds == pytest.approx(stop)
    assert (None if given.back is None else given.back.seconds) == (None if back is None else pytest.approx(back))


def test_of_three_members_the_highest_takes_over() -> None:
    given = found({}, {"priority": 50}, {"priority": 90})
    assert given.stop.seconds == pytest.approx((256 - 90) / 256 + 0.5)


@pytest.mark.parametrize(
    ("weight", "seconds"),
    [(-20, 2 * 3 + 1 + 3 + 157 / 256 + 0.5), (0, 2 * 3 + 1 + 157 / 256 + 0.5)],
)
def test_a_service_is_missed_after_its_check_and_then_by_weight_or_fault(weight: int, seconds: float) -> None:
    own = spec(track_scripts={"chk": {**CHECK, "weight": weight}})
    members = {"lb1": (own, Facts()), "lb2": (spec(state="BACKUP", priority=99), Facts())}
    given = PROVIDER.fail_over(replace(view(own), members=members))
    assert given is not None and given.service is not None and given.back is not None
    assert given.service.seconds == pytest.approx(seconds)
    assert "chk: interval 2 x fall 3 + timeout 1" in given.service.formula
    assert given.back.seconds == pytest.approx(4 + 3 + 156 / 256 + 1)  # rise x interval
    assert given.back.formula.startswith("rise x interval 4 + master_down 3.609")


def test_without_a_peer_or_a_check_there_is_no_budget() -> None:
    assert PROVIDER.fail_over(view(spec())) is None
    assert found({}, {}).service is None
    assert found({"notify": {"master": "/n"}}, {}).notify == ("/n",)
