"""Routers and machines of others: heard for real in a network of two namespaces, and what is said of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hacore.contract import Ask, Facts, View
from hacore_providers.facts.addresses import ADDRESSES, InterfaceAddress
from hacore_providers.facts.foreign import FOREIGN, Foreign, foreign_arg
from hacore_providers.vrrp_instance.check_foreign import mistakes_of_foreign, question
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.spec import VrrpInstanceSpec
from tests.providers.vrrp_instance.specs import HOSTS, address, pair

MAC = "52:54:00:12:34:56"
NETWORK = """
set -e
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
ip netns add other
ip link add eth1 type veth peer name eth9 netns other
for each in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >"$each"; done
ip addr add 192.168.1.166/24 dev eth1
ip link set eth1 up
ip -n other link set eth9 address MAC
for own in 192.168.1.40/24 192.168.1.200/24 2001:db8::c8/64; do ip -n other addr add $own dev eth9; done
ip -n other link set eth9 up
until ip -n other -o -6 addr show up scope global | grep -v tentative | grep -q c8; do :; done
ip netns exec other "$1" "$2" &
trap 'kill $!' EXIT
export LC_ALL=C PATH="$3:$PATH"
sh "$4"
"""
ROUTER = """
import socket, struct, time
four = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.168.1.40"))
plain = struct.pack(">BBBBBBH4s8s", 0x21, 66, 100, 1, 0, 1, 0, socket.inet_aton("192.168.1.201"), bytes(8))
inside = socket.socket(socket.AF_INET, socket.SOCK_RAW, 51)
inside.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.168.1.40"))
header = struct.pack(">BBHII", 112, 4, 0, 1, 1) + bytes(12)
while True:
    four.sendto(plain, ("224.0.0.18", 0))
    inside.sendto(header + plain[:1] + bytes([67]) + plain[2:], ("224.0.0.18", 0))
    time.sleep(0.2)
"""
ONE = foreign_arg("/nowhere/keepalived.conf", "eth1", 66, 1, ["192.168.1.200", "192.168.1.201"])
TWO = foreign_arg("/nowhere/keepalived.conf", "eth1", 68, 1, ["192.168.1.202"])
AH = foreign_arg("/nowhere/keepalived.conf", "eth1", 67, 1, [])
SIX = foreign_arg("/nowhere/keepalived.conf", "eth1", 66, 1, ["2001:db8::c8", "2001:db8::c9"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks")
@pytest.mark.parametrize("without", ["python3", "perl"])
def test_a_router_and_a_machine_of_others_are_heard(tmp_path: Path, without: str) -> None:
    if without == "perl":  # a host of the Red Hat family
        (tmp_path / "perl").write_text("#!/bin/sh\nexit 127\n")
        (tmp_path / "perl").chmod(0o755)
    (tmp_path / "router.py").write_text(ROUTER)
    (tmp_path / "fact").write_text(FOREIGN.command([Ask(FOREIGN, arg) for arg in (ONE, TWO, AH, SIX)]) + "\n")
    words = [sys.executable, str(tmp_path / "router.py"), str(tmp_path), str(tmp_path / "fact")]
    script = NETWORK.replace("MAC", MAC)
    done = subprocess.run(["unshare", "-m", "-n", "sh", "-c", script, "sh", *words], capture_output=True, check=False)
    assert FOREIGN.parse(done.stdout) == {
        ONE: Foreign(("192.168.1.40",), (("192.168.1.200", MAC),)),
        TWO: Foreign(),
        AH: Foreign(("192.168.1.40",)),
        SIX: Foreign((), (("2001:db8::c8", MAC),)),  # the adverts are of the other family
    }, done.stderr.decode()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("", "66 192.168.1.200"),
        ("vrrp_instance X {\n\tvirtual_router_id\t66\n virtual_ipaddress { 192.168.1.200/24 dev eth1 }\n}\n", None),
        ("vrrp_instance X {\n virtual_router_id 66\n virtual_ipaddress {\n 192.168.1.20\n}\n}\n", "0 192.168.1.200"),
        ("vrrp_instance X {\n virtual_router_id 166\n virtual_ipaddress {\n192.168.1.200\n}\n}\n", "66 "),
    ],
)
def test_what_the_host_serves_already_is_not_asked(tmp_path: Path, file: str, expected: str | None) -> None:
    config = tmp_path / "keepalived.conf"
    config.write_text(file)
    arg = foreign_arg(str(config), "lo", 66, 1, ["192.168.1.200"])
    for name in ("perl", "python3"):  # what would listen is not started
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = FOREIGN.command([Ask(FOREIGN, arg)]) + "\n"
    out = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True, env=env).stdout.decode()
    asked = [" ".join(line.split("\t")[2:4]) for line in out.splitlines() if line.startswith("lo\task\t")]
    assert asked == ([] if expected is None else [expected])
    found = FOREIGN.parse(out.encode()).get(arg)
    assert found == (None if expected is None else Foreign(heard=False))


def here(own: str, one: VrrpInstanceSpec, foreign: Foreign | None = None, dev: str = "eth1") -> Facts:
    addresses = tuple(InterfaceAddress(dev, a, 24) for a in own.split())
    heard = {} if foreign is None else {(FOREIGN.name, question(one)): foreign}
    return Facts(answers={(ADDRESSES.name, ""): addresses, **heard})


ROUTERS, TAKEN = Foreign(("192.168.1.40",)), Foreign((), (("192.168.1.200", MAC),))
NUMBER = (
    "virtual_router_id is 66, and another router with this number, 192.168.1.40, sends on eth1 of lb1: each would take "
    "the other for its own; choose a number that is free"
)
ANSWERS = f"addresses has 192.168.1.200, for which another machine with the MAC {MAC} answers on eth1 of lb1: "


@pytest.mark.parametrize(
    ("foreign", "peer", "changes", "expected"),
    [
        (None, "192.168.1.173", {}, []),
        (Foreign(), "192.168.1.173", {}, []),
        (ROUTERS, "192.168.1.173", {}, [NUMBER]),
        (ROUTERS, "192.168.1.173 192.168.1.40", {}, []),
        (
            TAKEN,
            "192.168.1.173",
            {},
            [
                f"{ANSWERS}both would have it; remove it there, choose one that is free, or, where it is removed in "
                "time, allow it with replace_existing: [192.168.1.200]"
            ],
        ),
        (TAKEN, "192.168.1.173 192.168.1.200", {}, []),
        (
            TAKEN,
            "192.168.1.173",
            {"replace_existing": ["192.168.1.200"]},
            [f"(warning) {ANSWERS}both would have it, as replace_existing allows"],
        ),
        (
            ROUTERS,
            "",
            {},
            [f"(warning) {NUMBER.replace('eth1 of lb1', 'eth1 of lb1, unless it is lb2, which did not answer')}"],
        ),
        (
            Foreign(heard=False),
            "192.168.1.173",
            {},
            [
                "(warning) virtual_router_id is 66: whether another router in the network of eth1 of lb1 uses it, and "
                "whether another machine has an address of VI_1, is not known, because lb1 has neither perl nor "
                "Python, or its user may not open packet sockets"
            ],
        ),
    ],
)
def test_what_is_said(foreign: Foreign | None, peer: str, changes: dict[str, object], expected: list[str]) -> None:
    specs = pair(**changes)
    facts = here("192.168.1.166", specs["lb1"], foreign)
    members = {"lb1": (specs["lb1"], facts), "lb2": (specs["lb2"], here(peer, specs["lb2"]) if peer else Facts())}
    view = View(address(), specs["lb1"], HOSTS["lb1"], facts, members)
    assert [f"{'(warning) ' if m.warning else ''}{m}" for m in mistakes_of_foreign(view)] == expected


def test_unicast_members_ask_for_addresses_only() -> None:
    one = pair(unicast=True)["lb1"]
    assert question(one) == foreign_arg(one.config, "eth1", 0, 1, ["192.168.1.200"])
    assert FOREIGN.name in {ask.fact.name for ask in PROVIDER.facts(one)}
