"""The addresses that a host has now, by its own account: who holds a virtual address."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address on one interface, as ip-address(8) shows it; `address` has no prefix length."""

    dev: str
    address: str
    prefix: int
    scope: str = ""
    label: str = ""


Addresses = tuple[InterfaceAddress, ...]

_LINE = re.compile(rb"\d+:\s+(?P<dev>[^\s@]+)(?:@\S+)?\s+inet6?\s+(?P<own>[0-9a-fA-F:.]+)(?P<rest>[^\\\n]*)")


class AddressesFact:
    """All addresses of a host. It has one argument, "", and costs one fork."""

    name = "addresses"

    def command(self, asks: Sequence[Ask]) -> str:
        """`ip -o addr show`: one line per address, with iproute2 of any age and with busybox."""
        return "ip -o addr show 2>/dev/null"

    def parse(self, stdout: bytes) -> Mapping[str, Addresses]:
        """The one answer; none if `ip` is missing, because each host has at least the address of lo."""
        found = tuple(_address(match) for match in map(_LINE.match, stdout.splitlines()) if match)
        return {"": found} if found else {}


def _address(match: re.Match[bytes]) -> InterfaceAddress:
    dev, own, rest = (match[part].decode() for part in ("dev", "own", "rest"))
    # "10.0.0.1 peer 10.0.0.2/32": the prefix length belongs to the peer
    length = re.search(r"/(\d+)", rest)
    words = rest.split()
    scope = words[words.index("scope") + 1] if "scope" in words else ""
    label = words[-1] if words and ("." in own) and (words[-1] == dev or words[-1].startswith(f"{dev}:")) else ""
    whole = 32 if "." in own else 128
    return InterfaceAddress(dev, own, int(length[1]) if length else whole, scope, label)


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address without prefix length and zone; None if the text is not one.

    `ipaddress` accepts any text as a zone, also with a line break; a virtual address has none.
    """
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def plain(address: str) -> str:
    """An IP address in its shortest form, without prefix length: equal addresses are equal strings."""
    text = address.partition("/")[0]
    return str(parse_ip(text) or text)


def holds(addresses: Addresses | None, address: str) -> bool:
    """Whether an address is among those of a host."""
    wanted = plain(address)
    return any(plain(a.address) == wanted for a in addresses or ())


ADDRESSES = AddressesFact()
"""The shared question: `Ask(ADDRESSES, "")`."""
