"""Two families of one pair: each case that would have them on different hosts, and its right neighbour."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.contract import View
from hacore_providers.vrrp_instance.check_families import mistakes_of_families
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import HOSTS, address, pair

SIX: dict[str, Any] = {"addresses": ["2001:db8::1"], "authentication": None, "track_scripts": {}}
FOUR: dict[str, Any] = {"addresses": ["192.168.1.200"], "track_scripts": {}}
CROSSED: dict[str, Any] = {"one": {"priority": 90}, "two": {"priority": 100}}
CHECK = {"script": "/usr/local/bin/check-nginx"}


def said(**instances: dict[str, VrrpInstanceSpec]) -> list[str]:
    views = {
        address(name, host): View(address(name, host), spec, HOSTS[host])
        for name, members in instances.items()
        for host, spec in members.items()
    }
    found = list(mistakes_of_families(views))
    assert all(mistake.warning for _, mistake in found)
    return [f"{at}: {mistake}" for at, mistake in found]


PREFERS = (
    "vrrp_instance.v6@lb2: priority prefers lb2 (100) before lb1 (90) for IPv6, and vrrp_instance.v4 prefers lb1 (100) "
    "before lb2 (99) for IPv4: clients with both families use both hosts; give both the same order, or one sync_group"
)
TRACKS = (
    "vrrp_instance.v6@lb1: track_scripts differ from those of vrrp_instance.v4, which has the IPv4 addresses of the "
    "hosts of v6: after a failure of /usr/local/bin/check-nginx the families are on different hosts; track the same in "
    "both, or give both one sync_group"
)


@pytest.mark.parametrize(
    ("four", "six", "expected"),
    [
        (pair(**FOUR), pair(**SIX), []),
        (pair(**FOUR), pair(**CROSSED, **SIX), [PREFERS]),
        (pair(**FOUR, sync_group="g"), pair(**CROSSED, **SIX, sync_group="g"), []),  # a mistake of its own
        (pair(**FOUR, interface="eth5"), pair(**CROSSED, **SIX, interface="eth6"), []),
        (pair(**FOUR | {"track_scripts": {"a": CHECK}}), pair(**SIX), [TRACKS]),
        (pair(**FOUR | {"track_scripts": {"a": CHECK}}), pair(**SIX | {"track_scripts": {"b": CHECK}}), []),
        (pair(**FOUR | {"track_scripts": {"a": CHECK}}, sync_group="g"), pair(**SIX, sync_group="g"), []),
    ],
)
def test_families_that_would_be_on_different_hosts(
    four: dict[str, VrrpInstanceSpec], six: dict[str, VrrpInstanceSpec], expected: list[str]
) -> None:
    assert said(v4=four, v6=six) == expected


def test_two_addresses_of_each_family_on_two_active_hosts_are_right() -> None:
    other = {"addresses": ["192.168.1.201"], "track_scripts": {}}
    assert said(a4=pair(**FOUR), b4=pair(**CROSSED, **other), a6=pair(**SIX), b6=pair(**CROSSED, **SIX)) == []


def test_a_host_alone_has_no_other_to_prefer() -> None:
    alone = pair(**SIX)["lb2"]
    assert said(v4=pair(**FOUR), v6={"lb2": alone}) == []
