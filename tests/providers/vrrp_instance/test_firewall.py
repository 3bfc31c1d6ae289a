"""What a firewall does with VRRP: recorded rules, rules of this kernel, and the cause that `status` names."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess

import pytest

from hacore.contract import Ask, Facts
from hacore_providers.facts.firewall import FIREWALL
from hacore_providers.facts.keepalived import ConfigFile
from tests.providers.vrrp_instance.test_members import MASTER, facts, of_pair

NFT = """\
		type filter hook input priority filter; policy POLICY;
		RULE
"""
IPTABLES = ":INPUT POLICY [0:0]\n:OUTPUT ACCEPT [0:0]\nRULE\n"
CLOSED = "drops input that no rule accepts, and no rule names protocol 112"


@pytest.mark.parametrize(
    ("rules", "policy", "rule", "found"),
    [
        (NFT, "accept", "ip protocol vrrp counter packets 0 bytes 0 drop", 'has the rule "ip protocol vrrp counter'),
        (NFT, "accept", "meta l4proto { icmp, vrrp } reject", 'has the rule "meta l4proto { icmp, vrrp } reject"'),
        (NFT, "accept", "ip6 nexthdr 112 drop", 'has the rule "ip6 nexthdr 112 drop"'),
        (NFT, "accept", "tcp dport 112 drop", ""),
        (NFT, "accept", "ip saddr 192.0.2.112 drop", ""),
        (NFT, "drop", "tcp dport 112 accept", CLOSED),
        (NFT, "drop", "ip protocol vrrp accept", ""),
        (IPTABLES, "ACCEPT", "-A INPUT -p vrrp -j DROP", 'has the rule "-A INPUT -p vrrp -j DROP"'),
        (IPTABLES, "ACCEPT", "-A INPUT -p 112 -j REJECT", 'has the rule "-A INPUT -p 112 -j REJECT"'),
        (IPTABLES, "ACCEPT", "-A INPUT -p tcp --dport 112 -j DROP", ""),
        (IPTABLES, "DROP", "-A INPUT -p vrrp -j ACCEPT", ""),
        (IPTABLES, "DROP", "-A INPUT -p tcp -j ACCEPT", CLOSED),
    ],
)
def test_rules_that_stop_vrrp(rules: str, policy: str, rule: str, found: str) -> None:
    text = rules.replace("POLICY", policy).replace("RULE", rule) + "read\n"
    reasons = FIREWALL.parse(text.encode())[""]
    assert len(reasons) == (1 if found else 0)
    assert all(found in reason for reason in reasons)


def test_rules_that_nobody_may_read_are_no_answer() -> None:
    assert FIREWALL.parse(b"") == {}


@pytest.mark.machine
def test_rules_of_this_kernel_are_read() -> None:
    """In a network namespace of the test's own."""
    assert shutil.which("nft"), "install nftables"
    rule = "nft add table ip f; nft add chain ip f i '{ type filter hook input priority 0; policy drop; }'\n"
    script = f"set -eu\n{rule}RULE\n{FIREWALL.command([Ask(FIREWALL, '')])}\n"
    found = []
    for own in (":", "nft add rule ip f i ip protocol 112 accept", "nft add rule ip f i meta l4proto vrrp drop"):
        call = ["unshare", "-rn", "sh", "-c", script.replace("RULE", own)]
        done = subprocess.run(call, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        found.append(FIREWALL.parse(done.stdout)[""])
    assert found == [(CLOSED,), (), ('has the rule "meta l4proto vrrp drop"', CLOSED)]


def test_a_split_brain_names_the_firewall_and_the_number() -> None:
    def holds(*more: tuple[tuple[str, str], object]) -> Facts:
        one = facts(MASTER, held="eth1")
        return dataclasses.replace(one, answers={**one.answers, **dict(more)})

    found = of_pair(holds(), holds((("firewall", ""), (CLOSED,))))
    assert f"lb1 and lb2 do not receive each other's adverts: the firewall of lb2 {CLOSED}" in found.cause
    assert found.remedy == "on lb2: nft list ruleset"

    def file(number: int) -> tuple[tuple[str, str], object]:
        config = ConfigFile("0" * 64, "0600", "root:root", ("VI_1",), router_ids={"VI_1": number})
        return (("keepalived.config", "/etc/keepalived/keepalived.conf"), config)

    found = of_pair(holds(file(51)), holds(file(52)))
    assert (found.cause, found.remedy) == ("virtual_router_id is 51 on lb1 and 52 on lb2", "hacore plan")
    assert "virtual_router_id is" not in of_pair(holds(file(51)), holds(file(51))).cause
