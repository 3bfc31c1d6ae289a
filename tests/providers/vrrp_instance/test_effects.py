"""What a change does to the service: addresses that move, and addresses that are removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Facts, View
from hacore_providers.facts.addresses import InterfaceAddress
from hacore_providers.facts.keepalived import ConfigFile
from hacore_providers.vrrp_instance import effects
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import address, pair, spec, view

CONF = "/etc/keepalived/keepalived.conf"
VIP, OTHER = "192.168.1.200", "192.168.1.201"


def facts(dev: str, *held: str, file: dict[str, str] | None = None, drained: bool = False) -> Facts:
    config = None if file is None else ConfigFile("0" * 64, "0600", "root:root", instance_of=file)
    answers: dict[tuple[str, str], Any] = {
        ("addresses", ""): tuple(InterfaceAddress(dev, a, 32) for a in held),
        ("keepalived.config", CONF): config,
        ("keepalived.drain", "/run/hacore-drain.VI_1"): drained,
    }
    return Facts(answers=answers)


def members(here: Facts, there: Facts, **more: Any) -> dict[str, tuple[VrrpInstanceSpec, Facts]]:
    specs = pair(track_scripts=..., **more)
    return {"lb1": (specs["lb1"], here), "lb2": (specs["lb2"], there)}


ON_ONE = (facts("eth1", VIP), facts("eth2"))
ON_TWO = (facts("eth1"), facts("eth2", VIP))


@pytest.mark.parametrize(
    ("where", "more", "moved"),
    [
        (ON_ONE, {}, None),  # it is where it stays
        (ON_TWO, {}, ("lb2", "lb1", 3.609375)),
        (ON_TWO, {"two": {"priority": 200}}, None),
        (ON_ONE, {"two": {"priority": 200}}, ("lb1", "lb2", 3.21875)),
        (ON_TWO, {"preempt_delay": 300, "state": "BACKUP"}, ("lb2", "lb1", 303.609375)),
        (ON_TWO, {"preempt": False, "state": "BACKUP"}, None),
        (ON_TWO, {"two": {"priority": 100}}, None),  # equal: the election is by address
        ((facts("eth1"), facts("eth2")), {}, None),  # nobody holds it
        ((facts("eth1", VIP), facts("eth2", VIP)), {}, None),  # both do
        ((Facts(), facts("eth2", VIP)), {}, None),  # one did not answer
        ((facts("eth1", drained=True), facts("eth2", VIP)), {}, None),
        ((facts("lo"), facts("lo", VIP)), {}, None),  # a real server of LVS
    ],
)
def test_a_higher_priority_takes_the_address(
    where: tuple[Facts, Facts], more: dict[str, Any], moved: tuple[str, str, float] | None
) -> None:
    found = effects.moves(members(*where, **more))
    assert found == ({} if moved is None else {VIP: moved})


def seen(one: VrrpInstanceSpec, given: Facts, other: Facts) -> View[Any]:
    peer = spec(state="BACKUP", interface="eth2", priority=99)
    return replace(view(one, given), members={"lb1": (one, given), "lb2": (peer, other)})


def test_an_address_that_is_removed_from_its_holder_is_named() -> None:
    known = {VIP: "VI_1", f"{OTHER}/24": "VI_1", "10.0.0.1": "VI_2"}
    here = seen(spec(), facts("eth1", VIP, OTHER, file=known), facts("eth2"))
    assert effects.removed_addresses(here) == [OTHER]
    effect = PROVIDER.desire(here).effect
    assert effect == f"reload keepalived, remove {OTHER} from lb1, which holds it: its clients lose service"
    standby = seen(spec(), facts("eth1", file=known), facts("eth2", VIP, OTHER))
    assert "lose service" not in PROVIDER.desire(standby).effect
    # one that another instance of the file takes over is not removed
    taken = spec(name="VI_3", addresses=[OTHER], virtual_router_id=67)
    both = replace(here, companions=(*here.companions, (address("VI_3"), taken)))
    assert effects.removed_addresses(both) == []


def test_a_delete_on_the_holder_tells_who_loses_service() -> None:
    here = seen(spec(), facts("eth1", VIP, file={VIP: "VI_1"}), facts("eth2"))
    gone = PROVIDER.delete_effect(here, "absent").text
    assert f"remove {VIP} from lb1, which holds it: its clients lose service" in gone
    # an adopted file is restored: it may serve the address, too
    assert "lose service" not in PROVIDER.delete_effect(here, "different").text
    standby = seen(spec(), facts("eth1", file={VIP: "VI_1"}), facts("eth2", VIP))
    assert "lose service" not in PROVIDER.delete_effect(standby, "absent").text
