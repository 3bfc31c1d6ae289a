"""What follows from a claim's type, as the engine asks for it."""

from __future__ import annotations

import pytest

from hacore.contract import Claim
from hacore.contract.claims import containers, spoken


@pytest.mark.parametrize(
    ("token", "words", "value", "leaves", "whole"),
    [
        ("path:/etc/x", "the path /etc/x", "/etc/x", {"own"}, False),
        ("unit:nginx", "the unit nginx", "nginx", {"own"}, False),
        ("pkg:gcc", "the package gcc", "gcc", {"own", "share"}, False),
        ("vrid:eth1/66", "the virtual router id eth1/66", "eth1/66", set(), False),
        ("user:acme", "the user acme", "acme", {"own"}, False),
        ("group:acme", "the group acme", "acme", {"own"}, False),
        ("config:keepalived", "config keepalived", "keepalived", set(), True),
        ("gate:192.0.2.1", "gate 192.0.2.1", "192.0.2.1", set(), False),
    ],
)
def test_a_claim_says_its_type(token: str, words: str, value: str, leaves: set[str], whole: bool) -> None:
    claim = Claim(token)
    assert (spoken(token), claim.value, set(claim.type.leaves), claim.type.whole) == (words, value, leaves, whole)


@pytest.mark.parametrize(
    ("token", "above"),
    [
        ("path:/etc/nginx/x", ["path:/etc/nginx", "path:/etc"]),
        ("path:relative/x", []),
        ("unit:/etc/x", []),
        ("other:/etc/x", []),
    ],
)
def test_a_path_lies_in_its_folders_and_nothing_else_in_anything(token: str, above: list[str]) -> None:
    assert list(containers(token)) == above
