"""What may be an address or a user, wherever a host comes from: both end in command lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from hacore.endpoint import check_address, check_key_file, check_user
from hacore.errors import UnreachableError
from hacore.model import Connection, Host
from hacore.store import host_from_json
from hacore.transport import Transport

ADDRESSES = [
    "192.0.2.1", "lb1", "lb1.example.org", "lb1.example.org.", "LB_1", "a--b", "1", "xn--bcher-kva.example",
    "2001:db8::1", "::1", "[2001:db8::1]", "fe80::1%eth0", "fe80::1%br-lan.100", "::ffff:192.0.2.1", "a" * 255,
]  # fmt: skip
NO_ADDRESSES = [
    "", "-oProxyCommand=x", "-lb1", "x; id >pwned; true #", "127.0.0.1:1 -oProxyCommand=/x/evil.sh -oUser=a", "a b",
    "a\tb", "a\nb", "a\0b", "$(id)", "`id`", "a|b", "a&b", "a>b", "a<b", "a'b", 'a"b', "a\\b", "a/b", "../a", "a*",
    "a{b}", "a#b", "a=b", "root@lb1", "lb1:22", "192.0.2.1:22", "ssh://lb1", "lb%h", "%h", "fe80::1%", "fe80::1%a b",
    "fe80::1%$(id)", "fe80::1%a/b", "192.0.2.1%eth0", "[lb1]", "[::1", "::1]", "[[::1]]",
    "~a", "lb1\u202e", "b\u00fccher.example", "a" * 256,
]  # fmt: skip
USERS = ["root", "deploy", "a.b-c_d", "CORP\\alice", "alice@corp.example", "alice%target", "_x", "0day"]
NO_USERS = [
    "", "-oProxyCommand=x", "-l", "a b", "a\nb", "a\tb", "a;b", "$(id)", "$HOME", "`id`", "a|b", "a&b", "a>b", "a<b",
    "a'b", 'a"b', "a(b", "a{b", "a#b", "a/b", "a*b", "~a", "a\\", "a\u202eb", "a\0", "a" * 256,
]  # fmt: skip
KEYS = ["~/.ssh/id_ed25519", "/etc/key of ours", "id", "%d/.ssh/x"]
NO_KEYS = ["", "-oX", "a\nb", "a\0b", "a\x1b]0;b"]


def accepts(check: Callable[[str], str], text: str) -> bool:
    try:
        return check(text) == text
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (check_address, ADDRESSES, NO_ADDRESSES),
        (check_user, USERS, NO_USERS),
        (check_key_file, KEYS, NO_KEYS),
    ],
)
def test_what_is_allowed(check: Callable[[str], str], good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not accepts(check, text)] == []
    assert [text for text in bad if accepts(check, text)] == []


@pytest.mark.parametrize(
    "data",
    [
        *({"name": "a", "address": bad} for bad in NO_ADDRESSES),
        *({"name": "a", "address": "b", "connection": {"user": bad}} for bad in NO_USERS),
        {"name": "a; id", "address": "b"},
        {"name": "-oX", "address": "b"},
        {"name": "a", "address": "b", "connection": {"port": 0}},
        {"name": "a", "address": "b", "connection": {"port": 65536}},
        {"name": "a", "address": "b", "connection": {"become": "sudo -u x"}},
        {"name": "a", "address": "b", "connection": {"identity_file": "-oX"}},
        {"name": "a", "address": "b", "connection": {"proxy_command": "x"}},
        {"name": "a", "address": "b", "connection": "x"},
        {"name": "a"},
        [],
    ],
)
async def test_no_such_host_is_made_and_a_recorded_one_is_never_connected(data: Any) -> None:
    with pytest.raises(ValidationError):
        Host.model_validate(data)
    host = host_from_json(data)  # by name it can still be told

    async with Transport(config=[]) as transport:
        for call in (transport.session(host), transport.trust(host, lambda _: ())):  # type: ignore[arg-type,return-value]
            with pytest.raises(UnreachableError, match=r"^cannot reach .*@.*: ") as caught:
                await call
            assert str(caught.value).isprintable()


def test_a_valid_recorded_host_is_as_it_was() -> None:
    host = Host(name="a", address="fe80::1%eth0", connection=Connection(user="CORP\\alice", port=2222))
    assert host_from_json(host.model_dump(mode="json")) == host
    assert host.refusal == ""
