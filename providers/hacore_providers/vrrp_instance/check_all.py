"""The rules for all VRRP instances of a stack together, on all of its hosts.

`keepalived -t` sees one file on one host, so it finds none of these.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from hacore.contract import Address, Mistake, View

from ..facts.addresses import ADDRESSES, parse_ip, plain
from .check_families import mistakes_of_families
from .check_groups import mistakes_of_groups
from .spec import VrrpInstanceSpec
from .steps import first_words

Views = Mapping[Address, View[VrrpInstanceSpec]]
Contents = Mapping[tuple[str, str], bytes]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def mistakes_of_all(views: Views, contents: Contents) -> Iterator[tuple[Address, Mistake]]:
    """All mistakes."""
    yield from _shared_addresses(views)
    yield from _shared_router_ids(views)
    yield from mistakes_of_groups(views)
    yield from mistakes_of_families(views)
    for address, view in views.items():
        yield from ((address, mistake) for mistake in _asking_checks(view, contents))


def _shared_addresses(views: Views) -> Iterator[tuple[Address, Mistake]]:
    """The instance that becomes backup removes the address from the host, whatever the other one holds."""
    owners: dict[str, Address] = {}  # without their hosts
    told: set[tuple[str, Address]] = set()
    for address, view in views.items():
        mine = address.at(None)
        for vip in view.spec.vips:
            first = owners.setdefault(plain(vip.address), mine)
            new = (plain(vip.address), mine)
            if first != mine and new not in told:
                told.add(new)
                yield (
                    address,
                    Mistake.where(
                        "addresses",
                        f"has {plain(vip.address)}, which {first} has as well: keepalived removes an address "
                        "with the first of its instances that becomes backup; leave it in one of them",
                    ),
                )


def _shared_router_ids(views: Views) -> Iterator[tuple[Address, Mistake]]:
    """Two groups of routers with one number in one network are one group to keepalived (RFC 5798, section 5.2.3)."""
    known: dict[tuple[int, bool], list[tuple[Address, View[VrrpInstanceSpec]]]] = {}
    told: set[frozenset[Address]] = set()
    for address, view in views.items():
        spec = view.spec
        if spec.unicast:
            continue
        others = known.setdefault((spec.virtual_router_id, any(":" in v.address for v in spec.vips)), [])
        for other, there in others:
            pair = frozenset((other.at(None), address.at(None)))
            same_host = other.host == address.host  # its claim reports it, if it is one interface
            if len(pair) == 1 or pair in told or same_host or not _in_one_network(view, there):
                continue
            told.add(pair)
            yield (
                address,
                Mistake.where(
                    "virtual_router_id",
                    f"is {spec.virtual_router_id} as in {other.at(None)}, and {address.host} and {other.host} are in "
                    "one network: their members would take each other for their own; give each instance its own number",
                ),
            )
        others.append((address, view))


def _in_one_network(one: View[VrrpInstanceSpec], other: View[VrrpInstanceSpec]) -> bool:
    ours, theirs = _networks(one), _networks(other)
    return any(a.version == b.version and a.overlaps(b) for a in ours for b in theirs)


def _networks(view: View[VrrpInstanceSpec]) -> list[Network]:
    """The networks of the interface of adverts; before the host was asked, the usual one of the host's address."""
    found = view.facts.get(ADDRESSES, "")
    vips = {plain(vip.address) for vip in view.spec.vips}
    if found is not None:
        return [
            ipaddress.ip_network(f"{a.address}/{a.prefix}", strict=False)
            for a in found
            if a.dev == view.spec.interface and a.scope != "link" and plain(a.address) not in vips
        ]
    own = parse_ip(view.host.address) if view.host is not None else None
    if own is None:
        return []
    return [ipaddress.ip_network(f"{own}/{24 if own.version == 4 else 64}", strict=False)]


def _asking_checks(view: View[VrrpInstanceSpec], contents: Contents) -> Iterator[Mistake]:
    """A check that asks the virtual address gets the holder's answer on every member, so all fail together."""
    vips = [plain(vip.address) for vip in view.spec.vips]
    for name, script in view.spec.track_scripts.items():
        where = f"track_scripts.{name}.script"
        for vip in _named_in(script.script, vips):
            yield Mistake.where(where, f"asks {vip}, the address that moves: ask 127.0.0.1 or the host's own address")
        for program in first_words([script.script]):
            content = contents.get((view.address.host or "", program))
            if content is None:
                continue
            lines = content.decode("utf-8", "replace").splitlines()
            code = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
            for vip in _named_in(code, vips):
                yield Mistake.where(
                    where,
                    f"runs {program}, which asks {vip}, the address that moves: ask 127.0.0.1 or the host's own "
                    "address",
                )


def _named_in(text: str, vips: list[str]) -> list[str]:
    """The addresses that a text names, a port behind them or not."""
    return [vip for vip in vips if re.search(_around(vip), text)]


def _around(vip: str) -> str:
    own = re.escape(vip)
    if ":" in vip:
        return rf"(?<![0-9A-Fa-f:]){own}(?![0-9A-Fa-f:])"
    return rf"(?<![0-9.]){own}(?![0-9]|\.[0-9])"


__all__ = ["mistakes_of_all"]
