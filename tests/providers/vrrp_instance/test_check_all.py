"""Rules over all instances of a stack, and keepalived's traps: each wrong case, and its right neighbour."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Facts, HostFacts, View
from hacore.errors import StackError
from hacore.graph import build_graph
from hacore.load import LoadRequest, load
from hacore.load.registry import load_providers
from hacore.plan import examine_stack
from hacore_providers.facts.addresses import InterfaceAddress
from hacore_providers.facts.keepalived import ConfigFile
from hacore_providers.vrrp_instance.check_all import mistakes_of_all
from hacore_providers.vrrp_instance.check_hosts import mistakes_on_hosts
from hacore_providers.vrrp_instance.check_member import member_mistakes
from hacore_providers.vrrp_instance.check_text import FIELDS
from hacore_providers.vrrp_instance.config_text import needs_promotion, render
from tests.providers.vrrp_instance.specs import HOSTS, address, spec

HEAD = """
stack: s
hosts:
  lb1: {address: 192.168.1.166, groups: [a]}
  lb2: {address: 192.168.1.173, groups: [a]}
  lb3: {address: THIRD, groups: [b]}
  lb4: {address: 192.168.1.175, groups: [c]}
resources:
"""


def wrong(folder: Path, instances: str, *, third: str = "192.168.1.174", files: str = "") -> list[str]:
    """The mistakes that `hacore validate` reports."""
    text = HEAD.replace("THIRD", third) + files + "  vrrp_instance:\n" + instances
    (folder / "stack.yaml").write_text(text)
    providers = load_providers()
    try:
        stack = load(LoadRequest(folder / "stack.yaml"), providers)
        build_graph(stack, providers)
        examine_stack(stack, providers)
    except StackError as error:
        return [f"{problem.address}: {problem.message}" for problem in error.problems]
    return []


def instance(name: str, members: str, vrid: int, vip: str, more: str = "") -> str:
    return (
        f"    {name}: {{members: {members}, interface: eth1, virtual_router_id: {vrid}, "
        f"priority: \"{{{{ {{'lb1': 101}}.get(host.name, 100) }}}}\", addresses: [{vip}]{more}}}\n"
    )


def test_one_address_in_two_instances_of_one_host(tmp_path: Path) -> None:
    both = instance("VI_1", "a", 1, "192.168.1.200/24") + instance("VI_2", "a", 2, "192.168.1.200")
    assert any("the virtual address 192.168.1.200 on lb1 already belongs to" in text for text in wrong(tmp_path, both))
    fine = instance("VI_1", "a", 1, "192.168.1.200/24") + instance("VI_2", "a", 2, "192.168.1.201")
    assert wrong(tmp_path, fine) == []


def test_one_address_in_instances_of_different_hosts(tmp_path: Path) -> None:
    both = instance("VI_1", "a", 1, "'2001:db8::1'") + instance("VI_2", "b", 2, "'2001:DB8:0::1/64'")
    (only,) = wrong(tmp_path, both)
    assert "addresses has 2001:db8::1, which vrrp_instance.VI_1 has as well" in only


def test_one_router_id_twice_in_a_network(tmp_path: Path) -> None:
    both = instance("VI_1", "a", 51, "192.168.1.200") + instance("VI_2", "b", 51, "192.168.1.201")
    (only,) = wrong(tmp_path, both)
    assert "virtual_router_id is 51 as in vrrp_instance.VI_1, and lb3 and lb1 are in one network" in only
    assert wrong(tmp_path, both, third="10.0.0.3") == []
    other_family = instance("VI_1", "a", 51, "192.168.1.200") + instance("VI_2", "b", 51, "'2001:db8::1'")
    assert wrong(tmp_path, other_family) == []
    unicast = ", unicast: {peers: [192.168.1.174, 192.168.1.175]}"
    apart = instance("VI_1", "a", 51, "192.168.1.200") + instance("VI_2", "[b, c]", 51, "192.168.1.201", unicast)
    assert [text for text in wrong(tmp_path, apart) if "virtual_router_id" in text] == []


def facts_of(own: str, prefix: int) -> Facts:
    return Facts(HostFacts(), {("addresses", ""): (InterfaceAddress("eth1", own, prefix, "global"),)})


@pytest.mark.parametrize(("prefix", "count"), [(24, 1), (28, 0)])
def test_the_networks_of_the_hosts_decide_once_they_are_known(prefix: int, count: int) -> None:
    one, two = address("VI_1", "lb1"), address("VI_2", "lb2")
    views = {
        one: View(one, spec(name="VI_1"), HOSTS["lb1"], facts_of("192.168.1.166", prefix)),
        two: View(two, spec(name="VI_2", addresses=["192.168.1.201"]), HOSTS["lb2"], facts_of("192.168.1.180", prefix)),
    }
    assert len(list(mistakes_of_all(views, {}))) == count


CHECK = """
#!/bin/sh
# the address is 192.168.1.200
curl -fsS http://WHERE:8080/
"""


@pytest.mark.parametrize(
    ("where", "asks"),
    [("192.168.1.200", True), ("127.0.0.1", False), ("192.168.1.2001", False), ("2.192.168.1.200", False)],
)
def test_a_check_that_asks_the_address_that_moves(tmp_path: Path, where: str, asks: bool) -> None:
    direct = f', track_scripts: {{web: {{script: "/usr/bin/curl -fs http://{where}:80/"}}}}'
    found = wrong(tmp_path, instance("VI_1", "a", 1, "192.168.1.200/24", direct))
    assert any("asks 192.168.1.200, the address that moves: ask 127.0.0.1" in text for text in found) == asks
    (tmp_path / "check.sh").write_text(CHECK.lstrip().replace("WHERE", where))
    by_file = ", track_scripts: {web: {script: /usr/local/bin/check.sh}}"
    file = '  file:\n    check: {hosts: a, path: /usr/local/bin/check.sh, source: check.sh, mode: "0755"}\n'
    found = wrong(tmp_path, instance("VI_1", "a", 1, "192.168.1.200/24", by_file), files=file)
    assert any("runs /usr/local/bin/check.sh, which asks 192.168.1.200" in text for text in found) == asks


@pytest.mark.parametrize("keyword", FIELDS)
def test_a_keyword_in_extra_that_has_a_field(keyword: str) -> None:
    found = [m for m in member_mistakes(spec(extra=f"  {keyword} x # y")) if m.field == "extra"]
    assert [m.message for m in found] == [f"has the keyword {keyword}: use the field {FIELDS[keyword]}"]


def test_extra_takes_what_has_no_field() -> None:
    lines = ["garp_master_refresh 60", "virtual_routes {", "  priority 5", "}", "# state MASTER"]
    assert not [m for m in member_mistakes(spec(extra=lines)) if m.field == "extra"]


def said(one: Any, facts: Facts, *others: Any) -> list[str]:
    companions = tuple((address(s.name), s) for s in (one, *others))
    view = View(address(one.name), one, HOSTS["lb1"], facts, {"lb1": (one, facts)}, companions)
    return [f"{'warning: ' if m.warning else ''}{m}" for m in mistakes_on_hosts(view)]


def test_a_unicast_source_that_the_host_does_not_have() -> None:
    far = spec(unicast={"peers": ["192.0.2.12"]}, unicast_src_ip="203.0.113.11", addresses=["192.0.2.200/24"])
    here = facts_of("192.0.2.11", 24)
    assert (
        "unicast_src_ip is 203.0.113.11, which is not an address of lb1 (it has 192.0.2.11 on eth1): "
        "set unicast_src_ip: 192.0.2.11"
    ) in said(far, here)
    near = far.model_copy(update={"unicast_src_ip": "192.0.2.11"})
    assert said(near, here) == []
    assert not [text for text in said(far, Facts()) if "unicast" in text]


def test_vrrp_strict_closes_the_address() -> None:
    strict = {"globals": {"vrrp_strict": True}, "authentication": None}
    assert any("warning: globals.vrrp_strict" in text for text in said(spec(**strict), Facts()))
    assert said(spec(**strict, extra="accept"), Facts()) == []
    assert said(spec(**strict, priority=255, track_scripts={}), Facts()) == []


def swapped(before: dict[str, int], after: dict[str, int]) -> list[str]:
    file = ConfigFile("0" * 64, "0600", "root:root", tuple(before), router_ids=before, managed=True)
    facts = Facts(answers={("keepalived.config", "/etc/keepalived/keepalived.conf"): file})
    vips = {name: f"192.168.1.{200 + number}" for number, name in enumerate(after)}
    specs = [spec(name=name, virtual_router_id=vrid, addresses=[vips[name]]) for name, vrid in after.items()]
    return [text for one in specs for text in said(one, facts, *(s for s in specs if s is not one))]


def test_swapped_router_ids_are_refused() -> None:
    found = swapped({"VI_1": 62, "VI_2": 63}, {"VI_1": 63, "VI_2": 62})
    assert len(found) == 2
    assert "virtual_router_id changes from 62 to 63, which VI_2 has on lb1 until now" in found[0]
    assert "give one of them a free number first" in found[0]
    assert len(swapped({"a": 1, "b": 2, "c": 3}, {"a": 2, "b": 3, "c": 1})) == 3


def test_other_changes_of_router_ids_are_not() -> None:
    assert swapped({"VI_1": 62, "VI_2": 63}, {"VI_1": 64, "VI_2": 63}) == []
    assert swapped({"VI_1": 62}, {"front": 62}) == []  # a renamed instance: no address moves
    assert swapped({"VI_1": 62, "VI_2": 63}, {"VI_1": 63}) == []  # the other one is deleted
    assert swapped({}, {"VI_1": 63, "VI_2": 62}) == []


@pytest.mark.parametrize(
    ("addresses", "source", "needed"),
    [
        (["10.98.0.201/24", "10.98.0.202/24"], None, True),
        (["192.168.1.200/24"], None, False),  # the host's own address is the primary one
        (["192.168.1.200"], None, False),
        (["10.98.0.201"], None, False),
        (["2001:db8::1/64"], None, False),
        (["10.98.0.201/24"], "10.98.0.11", False),
        (["192.168.1.200/24"], "10.98.0.11", True),
    ],
)
def test_promote_secondaries_where_the_host_has_no_address(
    addresses: list[str], source: str | None, needed: bool
) -> None:
    assert needs_promotion(spec(addresses=addresses, unicast_src_ip=source), "192.168.1.166") == needed


def test_promote_secondaries_is_written_once() -> None:
    one = spec(promote_secondaries=True)
    assert render([(address(), one)]).count("promote_secondaries") == 1
    assert render([(address(), spec(promote_secondaries=True, extra="promote_secondaries"))]).count("promote_s") == 1
    assert "promote_secondaries" not in render([(address(), spec())])


def test_a_host_by_name_may_have_no_address_there() -> None:
    assert needs_promotion(spec(addresses=["192.168.1.200/24"]), "lb1.example.net")


@pytest.mark.parametrize(
    ("vip", "source", "bad"),
    [
        ("2001:db8::1/64", "192.168.1.166", True),
        ("192.168.1.200", "2001:db8::11", True),
        ("2001:db8::1/64", "2001:db8::11", False),
        ("192.168.1.200", "192.168.1.166", False),
    ],
)
def test_unicast_of_the_other_family(vip: str, source: str, bad: bool) -> None:
    peer = "2001:db8::12" if ":" in source else "192.168.1.173"
    one = spec(addresses=[vip], authentication=None, unicast={"peers": [peer]}, unicast_src_ip=source)
    assert any("keepalived sends their adverts over" in m.message for m in member_mistakes(one)) == bad


def replaced(file: ConfigFile, *, names: list[str] | None = None, **changes: Any) -> list[str]:
    facts = Facts(answers={("keepalived.config", "/etc/keepalived/keepalived.conf"): file})
    return said(spec(name="front", replace_existing=names or [], **changes), facts)


FOUND = ConfigFile(
    "0" * 64,
    "0644",
    "root:root",
    ("VI_1", "OLD", "BARE"),
    ("192.168.1.200/24", "192.0.2.10"),
    ("192.0.2.10 443", "fwmark 7"),
    instance_of={"192.168.1.200/24": "VI_1", "192.0.2.10": "OLD"},
)
LOST = "192.0.2.10 of instance OLD; instance BARE; virtual server 192.0.2.10 443; virtual server fwmark 7"


def test_what_the_stack_does_not_describe_is_not_removed_with_an_unmanaged_file() -> None:
    (only,) = replaced(FOUND)
    assert f"serves what the stack does not describe: {LOST}. Describe it in the stack, or allow its removal" in only
    assert only.endswith("replace_existing: [192.0.2.10, BARE, 192.0.2.10 443, fwmark 7]")


def test_what_is_named_may_go_and_is_a_warning() -> None:
    (warning,) = replaced(FOUND, names=["OLD", "BARE", "192.0.2.10", "fwmark 7"])
    assert warning.startswith("warning: ") and LOST in warning and "as replace_existing allows" in warning
    (half, going) = replaced(FOUND, names=["OLD", "BARE"])
    assert half.endswith("replace_existing: [192.0.2.10 443, fwmark 7]")
    assert going.startswith("warning: ") and "192.0.2.10 of instance OLD; instance BARE, as" in going


def test_a_name_that_the_file_does_not_have_is_a_warning() -> None:
    assert "warning: replace_existing names OLDER, which" in replaced(FOUND, names=["OLDER"])[-1]


def test_a_managed_file_and_a_renamed_instance_lose_nothing() -> None:
    assert replaced(dataclasses.replace(FOUND, managed=True)) == []
    same = ConfigFile("0" * 64, "0644", "root:root", ("VI_1",), ("192.168.1.200/24",))
    assert replaced(dataclasses.replace(same, instance_of={"192.168.1.200/24": "VI_1"})) == []
