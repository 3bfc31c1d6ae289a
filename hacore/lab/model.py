"""The parts of a lab, and the names and networks derived from them: pure data, no I/O."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hacore.address import NAME
from hacore.errors import LabError

WIDEST = 8
"""The shortest prefix of a lab's network: addresses further apart cannot share one."""
NARROWEST = 24
"""The longest prefix: a pair of neighbours still gets a /24, as at a real site."""
LINKS = ipaddress.IPv4Network("198.18.0.0/15")
"""The range of the /30 between a lab and the machine: reserved for tests (RFC 2544), so it is not routed."""


def check_name(name: str) -> str:
    """`name`, if it is valid for the folder of a lab; raises LabError.

    `up`, `exec` and `down` work as root in the folder of that name: a path would lead out of it.
    """
    if not NAME.match(name):
        raise LabError(
            f"cannot use {name!r} as the name of a lab or a twin: allowed are letters, digits, '_', '.' and '-'"
        )
    return name


@dataclass(frozen=True)
class Twin:
    """A container in the place of a stack's host, with the host's own address and interface name."""

    name: str
    address: str
    interface: str = "eth0"
    os: str = "debian"


@dataclass(frozen=True)
class Bystander:
    """An HTTP server near the twins that is never managed: it answers any path with `status` and `body`."""

    name: str
    address: str
    port: int
    status: int = 200
    body: str = ""


@dataclass(frozen=True)
class LabSpec:
    """The specification of a lab: the twins of `stack`, the bystanders, and the virtual addresses (`reserved`).

    The lab's gateway does not use `reserved` addresses, and reaches them over the bridge whatever their network.
    """

    stack: str
    twins: tuple[Twin, ...]
    bystanders: tuple[Bystander, ...] = ()
    reserved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.stack, *(t.name for t in self.twins), *(b.name for b in self.bystanders)):
            check_name(name)

    def addresses(self) -> tuple[str, ...]:
        """The addresses of twins and bystanders, each once."""
        return tuple(dict.fromkeys([t.address for t in self.twins] + [b.address for b in self.bystanders]))

    def dumps(self) -> str:
        """The spec as JSON, for the lab's folder."""
        spec = {
            "stack": self.stack,
            "twins": [{"name": t.name, "address": t.address, "interface": t.interface, "os": t.os} for t in self.twins],
            "bystanders": [
                {"name": b.name, "address": b.address, "port": b.port, "status": b.status, "body": b.body}
                for b in self.bystanders
            ],
            "reserved": list(self.reserved),
        }
        return json.dumps(spec, indent=2, sort_keys=True)

    @classmethod
    def loads(cls, text: str) -> LabSpec:
        """The spec that `dumps` wrote."""
        raw = json.loads(text)
        return cls(
            stack=raw["stack"],
            twins=tuple(
                Twin(name=t["name"], address=t["address"], interface=t["interface"], os=t["os"]) for t in raw["twins"]
            ),
            bystanders=tuple(
                Bystander(name=b["name"], address=b["address"], port=b["port"], status=b["status"], body=b["body"])
                for b in raw["bystanders"]
            ),
            reserved=tuple(raw["reserved"]),
        )


def parse_address(text: str) -> ipaddress.IPv4Address:
    """`text` as an IPv4 address; a prefix length ("192.168.1.200/24") is ignored."""
    try:
        return ipaddress.IPv4Interface(text).ip
    except ValueError as error:
        raise LabError(f"cannot create a lab's network: {text!r} is not an IPv4 address") from error


def subnet(addresses: Iterable[str]) -> ipaddress.IPv4Network:
    """The smallest network of at most /24 that all `addresses` share as hosts (not as its first or last address)."""
    numbers = [parse_address(a) for a in addresses]
    if not numbers:
        raise LabError("cannot create a lab's network: it has no address")
    for length in range(NARROWEST, WIDEST - 1, -1):
        network = ipaddress.IPv4Network((numbers[0], length), strict=False)
        edges = (network.network_address, network.broadcast_address)
        if all(n in network and n not in edges for n in numbers):
            return network
    raise LabError(
        f"cannot create a lab's network: {', '.join(str(n) for n in numbers)} share no network of /{WIDEST} or smaller"
    )


def gateway(network: ipaddress.IPv4Network, taken: Iterable[str]) -> ipaddress.IPv4Address:
    """The lab's own address: the highest one of the network that is free."""
    used = {parse_address(a) for a in taken}
    candidate = network.broadcast_address - 1
    while candidate > network.network_address:
        if candidate not in used:
            return candidate
        candidate -= 1
    raise LabError(f"cannot create a lab's network: no address is free in {network}")


def link_network(digest: str, taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """A /30 between lab and machine that overlaps none of `taken`; `digest` decides where the search starts."""
    used = list(taken)
    count = 2 ** (30 - LINKS.prefixlen)
    start = int(digest, 16) % count
    for step in range(count):
        base = int(LINKS.network_address) + ((start + step) % count) * 4
        candidate = ipaddress.IPv4Network((base, 30))
        if not any(candidate.overlaps(n) for n in used):
            return candidate
    raise LabError(f"cannot link the lab to the machine: all of {LINKS} is in use")


@dataclass(frozen=True)
class Names:
    """The names of a lab in the kernel: at most 15 characters each, all derived from `digest`."""

    digest: str

    @classmethod
    def of(cls, root: Path) -> Names:
        """The names of the lab in `root`: two labs share one only if they share the folder."""
        return cls(hashlib.sha256(str(root).encode()).hexdigest()[:8])

    @property
    def namespace(self) -> str:
        """The lab's network namespace; also its link and its rules in the machine's own."""
        return f"hl-{self.digest}"

    @property
    def bridge(self) -> str:
        """The bridge inside the lab's namespace."""
        return "br0"

    @property
    def uplink(self) -> str:
        """The lab's end of its link to the machine."""
        return "up0"

    def bystander(self, index: int) -> str:
        """The network namespace of the bystander address with this index."""
        return f"{self.namespace}-b{index}"

    def bystander_port(self, index: int) -> str:
        """That bystander's port on the bridge."""
        return f"b{index}"

    def twin_port(self, index: int) -> str:
        """The port on the bridge of the twin with this index."""
        return f"t{index}"

    def machine(self, index: int) -> str:
        """The machine name of the twin with this index, for systemd-nspawn."""
        return f"{self.namespace}-t{index}"
