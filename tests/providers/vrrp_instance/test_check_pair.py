from __future__ import annotations

from typing import Any

import pytest

from hacore_providers.vrrp_instance.check_member import member_mistakes
from hacore_providers.vrrp_instance.check_pair import mistakes
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import CHECK, HOSTS, pair, spec

V3: dict[str, Any] = {"version": 3, "authentication": None}
BACKUPS = {"state": "BACKUP"}


def found(members: dict[str, VrrpInstanceSpec]) -> list[tuple[str, str, str]]:
    return [(host, mistake.field, mistake.message) for host, mistake in mistakes(members, HOSTS)]


@pytest.mark.parametrize(
    "members",
    [
        pair(),
        pair(track_scripts={"chk": CHECK | {"weight": 2}}),
        pair(track_scripts={"chk": CHECK | {"weight": 0}}),
        pair(**V3, advert_interval=0.05),
        pair(**V3, two={"advert_interval": 2}),
        pair(BACKUPS, preempt=False, track_scripts={"chk": CHECK | {"weight": 0}}),
        pair(BACKUPS, preempt_delay=30),
        pair({"priority": 255}, track_scripts={}),
        pair(addresses=["192.168.1.200/24", {"address": "192.168.1.201/24", "label": None}]),
        pair(authentication=None, addresses=["2001:db8::c8/64"]),
        pair(
            {"unicast_src_ip": "10.0.0.1"}, {"unicast_src_ip": "10.0.0.2"}, unicast={"peers": ["10.0.0.1", "10.0.0.2"]}
        ),
        pair(authentication={"password": "12345678"}),
        {"lb1": spec()},
    ],
)
def test_what_is_right_is_taken(members: dict[str, VrrpInstanceSpec]) -> None:
    assert found(members) == []


PAIRS: list[tuple[dict[str, VrrpInstanceSpec], str, str, str]] = [
    # P1 - P4: what adverts carry
    (pair(two={"virtual_router_id": 67}), "lb2", "virtual_router_id", "is 67 here and 66 on lb1: both would hold"),
    (pair(two={"advert_interval": 2}), "lb2", "advert_interval", "is 2 here and 1 on lb1"),
    (pair(authentication=None, two={"version": 3}), "lb2", "version", "is 3 here and 2 on lb1"),
    (pair(two={"authentication": None}), "lb2", "authentication", "differs from lb1"),
    (pair(two={"authentication": {"password": "2222"}}), "lb2", "authentication", "same type and password"),
    (pair(two={"addresses": ["192.168.1.201"]}), "lb2", "addresses", "192.168.1.201 here and 192.168.1.200 on lb1"),
    (pair(two={"addresses": ["192.168.1.200", "192.168.1.201"]}), "lb2", "addresses", "give all members the same"),
    # P5: unicast
    (
        pair({"unicast": {"peers": ["10.0.0.2"]}, "unicast_src_ip": "10.0.0.1"}),
        "lb2",
        "unicast",
        "is False here and True",
    ),
    (
        pair(
            {"unicast_src_ip": "10.0.0.1"}, {"unicast_src_ip": "10.0.0.2"}, unicast={"peers": ["10.0.0.1", "10.0.0.9"]}
        ),
        "lb1",
        "unicast",
        "does not name 10.0.0.2, the source of lb2",
    ),
    (pair(unicast=True), "lb1", "unicast", "has no peers"),
    # P7: the election
    (pair(two={"priority": 100}), "lb2", "priority", "is 100 as on lb1: the election would be random"),
    (pair({"priority": 50}), "lb1", "priority", "is 50 on the MASTER, but 99 on lb2"),
    (pair(state="MASTER"), "lb2", "state", "is MASTER on lb1 and lb2"),
    (pair({"priority": 4}, {"priority": 1}), "lb2", "priority", "the priority of a drained peer"),
    # P8: weights
    (pair(two={"priority": 50}), "lb1", "track_scripts.chk_http_port.weight", "set -51 or lower"),
    (
        pair(track_scripts={"chk": CHECK | {"weight": 1}}),
        "lb1",
        "track_scripts.chk.weight",
        "lowers lb1 from 101 to 100, but lb2 has 100",
    ),
    (
        pair(track_scripts={"chk": CHECK | {"weight": -1}}),
        "lb1",
        "track_scripts.chk.weight",
        "from 100 to 99, but lb2 has 99",
    ),
    (
        pair({"priority": 254}, {"priority": 250}, track_scripts={"chk": CHECK | {"weight": 20}}),
        "lb2",
        "priority",
        "lb2 has 254 and lb1 254",
    ),
    (
        pair(track_interfaces={"eth9": {"weight": -1}}),
        "lb1",
        "track_interfaces.eth9.weight",
        "so the addresses do not move",
    ),
    # P9: nopreempt
    (pair(BACKUPS, preempt=False), "lb1", "track_scripts.chk_http_port.weight", "is -2 with preempt: false"),
    (pair(preempt=False, track_scripts={}), "lb1", "state", "is MASTER with preempt: false"),
    (pair(BACKUPS, {"preempt": False}, track_scripts={}), "lb1", "preempt", "set it on all members"),
    # P10, P15
    (pair(addresses=["192.168.1.173"]), "lb1", "addresses", "which is the address of lb2"),
    (pair(two={"router_id": "nginx_master"}), "lb2", "router_id", "is nginx_master as on lb1"),
]


@pytest.mark.parametrize(("members", "host", "field", "message"), PAIRS)
def test_what_only_shows_when_both_are_looked_at(
    members: dict[str, VrrpInstanceSpec], host: str, field: str, message: str
) -> None:
    assert any((h, f) == (host, field) and message in m for h, f, m in found(members)), found(members)


SINGLES: list[tuple[dict[str, Any], str, str]] = [
    ({"priority": 0}, "priority", "it must be 1 to 254"),
    ({"priority": 256}, "priority", "it must be 1 to 254"),
    ({"virtual_router_id": 0}, "virtual_router_id", "1 to 255"),
    ({"virtual_router_id": 256}, "virtual_router_id", "1 to 255"),
    ({"advert_interval": 0.5}, "advert_interval", "whole seconds"),
    ({"advert_interval": 256}, "advert_interval", "whole seconds"),
    ({**V3, "advert_interval": 41}, "advert_interval", "0.01 to 40.95"),
    ({**V3, "advert_interval": 0.005}, "advert_interval", "0.01 to 40.95"),
    ({"interface": "lo"}, "interface", "reaches the other members"),
    ({"interface": "a-name-that-is-too-long"}, "interface", "1 to 15 characters"),
    ({"addresses": []}, "addresses", "at least one"),
    ({"addresses": ["192.168.1.300"]}, "addresses", "write an IP address"),
    ({"addresses": ["192.168.1.0/24"]}, "addresses", "broadcast"),
    ({"addresses": ["192.168.1.200", "192.168.1.200/24"]}, "addresses", "twice"),
    ({"addresses": ["192.168.1.200", "2001:db8::1"], "authentication": None}, "addresses", "mixes IPv4 and IPv6"),
    ({"addresses": [{"address": "192.168.1.200", "label": "vip"}]}, "addresses", "it must be eth1:TEXT"),
    (
        {"addresses": [{"address": "192.168.1.200", "label": "eth1:much-too-long"}]},
        "addresses",
        "at most 15 are allowed",
    ),
    ({"authentication": {"password": "123456789"}}, "authentication.password", "has 9 bytes"),
    ({"authentication": {"password": "ääääa"}}, "authentication.password", "has 9 bytes"),
    ({"authentication": {"password": ""}}, "authentication.password", "is empty"),
    ({"authentication": {"password": 'a"b'}}, "authentication.password", "cannot contain"),
    ({"authentication": {"password": "a$b"}}, "authentication.password", "cannot contain"),
    ({"version": 3}, "authentication", "VRRP version 3 has none"),
    ({"addresses": ["2001:db8::1/64"]}, "authentication", "VRRP version 3, which an IPv6 address needs"),
    ({"addresses": ["2001:db8::1/64"], "version": 2}, "version", "IPv6 needs 3"),
    ({"authentication": {"type": "AH", "password": "1111"}}, "state", "keepalived ignores it"),
    ({"preempt_delay": 10}, "preempt_delay", "needs state: BACKUP"),
    ({"preempt_delay": 1001, "state": "BACKUP"}, "preempt_delay", "0 to 1000"),
    ({"preempt_delay": 1, "state": "BACKUP", "preempt": False}, "preempt_delay", "remove one of them"),
    ({"priority": 255, "preempt": False}, "priority", "an owner always preempts"),
    ({"priority": 255}, "track_scripts.chk_http_port.weight", "an owner ignores weights"),
    ({"globals": {"vrrp_strict": True}}, "authentication", "forbidden by globals.vrrp_strict"),
    ({"globals": {"smtp_connection_timeout": 30}}, "globals.smtp_connection_timeout", "write smtp_connect_timeout"),
    ({"globals": {"router_id": "other"}}, "router_id", "remove one of them"),
    ({"track_scripts": {"c": CHECK | {"interval": 0.5}}}, "track_scripts.c.interval", "whole seconds"),
    ({"track_scripts": {"c": CHECK | {"weight": -254}}}, "track_scripts.c.weight", "-253 to 253"),
    ({"track_scripts": {"c": CHECK | {"script": "check.sh"}}}, "track_scripts.c.script", "an absolute path"),
    ({"track_scripts": {"c": CHECK | {"fall": 0}}}, "track_scripts.c.fall", "1 or more"),
    ({"track_scripts": {"c d": CHECK}}, "track_scripts.c d", "not a valid tracker name"),
    ({"track_scripts": {"hacore_drain_X": CHECK}}, "track_scripts.hacore_drain_X", "no prefix hacore_"),
    ({"track_interfaces": {"eth1": {}}}, "track_interfaces.eth1", "always watched"),
    ({"notify": {"master": "up.sh"}}, "notify.master", "an absolute path"),
    ({"config": "keepalived.conf"}, "config", "absolute path"),
    ({"extra": ["virtual_routes {"]}, "extra", "braces"),
    ({"name": "a b"}, "name", "letters, digits"),
    ({"unicast": {"peers": ["lb2"]}}, "unicast", "names 'lb2': it must be an IP address"),
]


@pytest.mark.parametrize(("changes", "field", "message"), SINGLES)
def test_what_is_wrong_on_one_host(changes: dict[str, Any], field: str, message: str) -> None:
    mistaken = found({"lb1": spec(**changes)})

    assert any(f == field and message in m for _, f, m in mistaken), mistaken


def test_no_message_tells_the_password() -> None:
    members = pair({"authentication": {"password": "s3cr3t-no1"}}, {"authentication": {"password": 's3cr3t"2'}})

    messages = found(members)

    assert {f for _, f, _ in messages} >= {"authentication", "authentication.password"}
    assert not [m for _, _, m in messages if "s3cr3t" in m]


@pytest.mark.parametrize("operator", ["&&", "||", "|", ";", "&", ">/dev/null", "2>&1", ">> /tmp/log", "< /dev/null"])
def test_a_command_has_no_shell(operator: str) -> None:
    """keepalived splits the line at blanks and starts the program."""
    found = [
        str(m) for m in member_mistakes(spec(track_scripts={"c": {"script": f"/usr/bin/pgrep nginx {operator} x"}}))
    ]
    assert any("keepalived starts it without a shell" in text for text in found)
    inside = {"c": {"script": f"/bin/sh -c 'pgrep nginx {operator} x'"}}
    assert [str(m) for m in member_mistakes(spec(track_scripts=inside)) if "shell" in str(m)] == []
    found = [str(m) for m in member_mistakes(spec(notify={"master": f"/bin/up {operator} x"}))]
    assert any("notify.master" in text and "without a shell" in text for text in found)


@pytest.mark.parametrize("keyword", ["net_namespace", "namespace"])
def test_a_namespace_of_its_own_hides_the_addresses(keyword: str) -> None:
    (only,) = member_mistakes(spec(globals={keyword: "web"}))
    assert str(only).startswith(f"globals.{keyword} puts the addresses where hacore does not look")


def test_a_password_that_is_too_long_names_the_bytes_that_count() -> None:
    (only,) = member_mistakes(spec(authentication={"password": "123456789"}))
    assert "has 9 bytes: keepalived uses only the first 8; set these, and it is the same password" in str(only)
    assert "1234" not in str(only)
