"""What only the hosts, or the others in the file, show: tables of facts and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Ask, Facts, View
from hacore.errors import StackError
from hacore.load import LoadRequest, load
from hacore.load.registry import load_providers
from hacore.plan import examine_stack
from hacore.plan.views import desired_views
from hacore_providers.facts.addresses import ADDRESSES, Addresses, InterfaceAddress
from hacore_providers.facts.keepalived import VERSION
from hacore_providers.facts.links import LINKS, Link
from hacore_providers.vrrp_instance.check_hosts import mistakes_on_hosts
from hacore_providers.vrrp_instance.spec import BINARY, VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import HOSTS, address, pair
from tests.providers.vrrp_instance.test_facts import ask

UP = {"lo": Link("unknown", 65536), "eth1": Link("up", 1500), "eth2": Link("up", 1500)}


def facts(links: dict[str, Link] | None = None, version: str = "2.2.7", on: str = "192.168.1.166/24") -> Facts:
    own, _, length = on.partition("/")
    addresses: Addresses = tuple(InterfaceAddress(dev, own, int(length), "global") for dev in ("eth1", "eth2"))
    answers: dict[tuple[str, str], Any] = {
        (LINKS.name, ""): UP if links is None else links,
        (ADDRESSES.name, ""): addresses,
        (VERSION.name, BINARY): version,
    }
    return Facts(answers=answers)


def said(specs: dict[str, VrrpInstanceSpec], found: dict[str, Facts]) -> list[str]:
    members = {host: (spec, found.get(host, Facts())) for host, spec in specs.items()}
    lines = []
    for host, (spec, own) in members.items():
        view = View(address(host=host), spec, HOSTS[host], own, members)
        lines += [f"{host}{' (warning)' if m.warning else ''}: {m}" for m in mistakes_on_hosts(view)]
    return lines


def test_a_pair_on_good_hosts_has_nothing_wrong() -> None:
    assert said(pair(), {"lb1": facts(), "lb2": facts()}) == []


def test_without_facts_nothing_is_said_of_hosts() -> None:
    assert said(pair(), {}) == []


@pytest.mark.parametrize(
    ("changes", "second", "expected"),
    [
        (
            {"two": {"interface": "eth9"}},
            facts(),
            "lb2: interface is eth9, which does not exist on lb2; its interfaces are eth1, eth2",
        ),
        (
            {"two": {"track_interfaces": {"bond0": {}}}},
            facts(),
            "lb2: track_interfaces.bond0 is bond0, which does not exist on lb2; its interfaces are eth1, eth2",
        ),
        (
            {},
            facts({**UP, "eth2": Link("down", 1500)}),
            "lb2 (warning): interface is eth2, which is down on lb2: it cannot hold an address",
        ),
        (
            {},
            facts({**UP, "eth2": Link("up", 9000)}),
            "lb2 (warning): interface has an MTU of 9000 on lb2 and of 1500 on lb1: are both in one network?",
        ),
        (
            {},
            facts(version="3.0.1"),
            "lb2 (warning): keepalived is 3.0.1 on lb2 and 2.2.7 on lb1: different major versions may not understand "
            "each other, and then both hold the addresses",
        ),
        (
            {},
            facts(on="10.0.0.7/8"),
            "lb2 (warning): addresses has 192.168.1.200, which is outside the networks of eth2 on lb2 "
            "(10.0.0.0/8): no neighbour reaches it, unless a router sends it here",
        ),
    ],
)
def test_what_is_wrong_on_the_second_host(changes: dict[str, Any], second: Facts, expected: str) -> None:
    assert said(pair(**changes), {"lb1": facts(), "lb2": second}) == [expected]


@pytest.mark.parametrize(("version", "refused"), [("1.3.5", True), ("2.0.6", True), ("2.0.7", False), ("2.3.3", False)])
def test_a_keepalived_that_cannot_test_a_file_is_not_managed(version: str, refused: bool) -> None:
    found = said(pair(), {"lb1": facts(version=version), "lb2": facts(version=version)})
    of = (
        "{0}: binary is keepalived {1} on {0}: hacore manages 2.0.7 and newer, which can test a file (-t); "
        "`hacore lint` checks the files of older ones"
    )
    assert found == ([of.format("lb1", version), of.format("lb2", version)] if refused else [])


def test_an_interface_that_comes_later_is_keepaliveds_matter() -> None:
    members = pair({"interface": "tun0"}, {"interface": "tun0"}, globals={"dynamic_interfaces": True})
    assert said(members, {"lb1": facts(), "lb2": facts()}) == []


@pytest.mark.parametrize(
    ("needs", "warning"),
    [((), False), (("service.nginx",), False), (("command.vlan",), True), (("file.netdev", "service.x"), True)],
)
def test_an_interface_that_the_same_run_makes_is_a_warning(needs: tuple[str, ...], warning: bool) -> None:
    one = pair({"interface": "eth1.40"})["lb1"]
    view = View(address(), one, HOSTS["lb1"], facts(), {"lb1": (one, facts())}, needs=needs)
    (only,) = [m for m in mistakes_on_hosts(view) if m.field == "interface"]
    assert only.warning is warning
    assert ("unless" in str(only)) is warning


def test_what_a_block_needs_is_known_to_its_rules(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(
        "stack: s\nhosts: {lb1: {address: 192.168.1.166, groups: [lb]}}\nresources:\n"
        "  file: {x: {hosts: lb, path: /x, content: x}}\n"
        "  vrrp_instance: {V: {members: lb, interface: eth0.4, virtual_router_id: 1, addresses: [192.168.1.9],"
        " needs: [file.x]}}\n"
    )
    providers = load_providers()
    stack = load(LoadRequest(tmp_path / "stack.yaml"), providers)
    views = desired_views(stack.instances, stack.hosts, {}, providers)
    assert {str(view.address): view.needs for view in views.values()}["vrrp_instance.V@lb1"] == ("file.x",)


def test_an_owner_has_the_address() -> None:
    def found(**changes: Any) -> list[str]:
        one = pair(state=None, track_scripts={}, **changes)["lb1"]
        view = View(address(), one, HOSTS["lb1"], facts(), {"lb1": (one, facts())})
        return [str(m) for m in mistakes_on_hosts(view) if m.field == "priority" and m.warning]

    (only,) = found(priority=255)
    assert "is 255, that of the owner, and lb1 does not have 192.168.1.200" in only
    assert found(priority=254) == []
    assert found(priority=255, addresses=["192.168.1.166/24"]) == []


def test_links_are_read_by_sh() -> None:
    found = LINKS.parse(ask(LINKS, Ask(LINKS, "")))[""]
    assert found["lo"].mtu > 0
    assert not found["lo"].down


STACK = """\
stack: two
hosts:
  a: {address: 192.0.2.1, vars: {p: 100}}
  b: {address: 192.0.2.2, vars: {p: 90}}
resources:
  vrrp_instance:
    one:
      members: [a, b]
      interface: eth0
      priority: "{{ host.vars.p }}"
      virtual_router_id: 1
      addresses: [192.0.2.10]
      globals: {vrrp_garp_master_delay: 5}
    two:
      members: [a, b]
      interface: eth0
      priority: "{{ host.vars.p }}"
      virtual_router_id: 2
      addresses: [192.0.2.11]
      globals: {vrrp_garp_master_delay: 6}
"""


def test_instances_of_one_file_that_contradict_each_other_are_refused_by_place(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(STACK)
    providers = load_providers()
    stack = load(LoadRequest(tmp_path / "stack.yaml"), providers)
    with pytest.raises(StackError) as caught:
        examine_stack(stack, providers)
    found = [(p.line, p.address) for p in caught.value.problems]
    assert found == [(7, "vrrp_instance.one@a"), (7, "vrrp_instance.one@b")]
    assert "global vrrp_garp_master_delay is 5 in vrrp_instance.one@a and 6 in vrrp_instance.two@a" in str(caught.value)
