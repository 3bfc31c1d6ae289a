"""The rules for a VRRP instance on its hosts, by their facts, and for all instances in one file.

Sources: RFC 5798, keepalived.conf(5), and keepalived's own log.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from hacore.contract import Facts, Mistake, View

from ..facts.addresses import ADDRESSES, parse_ip
from ..facts.keepalived import VERSION
from ..facts.links import LINKS, Link
from .config_text import ContradictionError, render
from .spec import VrrpInstanceSpec


def mistakes_on_hosts(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """All mistakes; without facts only those of the other instances in the file."""
    try:
        render(view.companions or ((view.address, view.spec),))
    except ContradictionError as error:
        yield Mistake("", str(error))
    yield from _interface(view)
    yield from _subnets(view)
    yield from _peers(view)


def _interface(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    spec, links = view.spec, view.facts.get(LINKS, "")
    if links is None or "dynamic_interfaces" in spec.globals:
        return
    for field, name in (("interface", spec.interface), *((f"track_interfaces.{n}", n) for n in spec.track_interfaces)):
        link = links.get(name)
        if link is None:
            others = ", ".join(sorted(n for n in links if n != "lo")) or "only lo"
            yield Mistake.where(field, f"is {name}, which does not exist on {_host(view)}; its interfaces are {others}")
        elif link.down:
            yield Mistake.where(
                field, f"is {name}, which is {link.state} on {_host(view)}: it cannot hold an address", warning=True
            )


def _subnets(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """An address outside all networks of its interface is unreachable, unless a router sends it there."""
    found = view.facts.get(ADDRESSES, "")
    if found is None:
        return
    own = {vip.address.partition("/")[0] for vip in view.spec.vips}
    for vip in view.spec.vips:
        dev = vip.dev or view.spec.interface
        address = parse_ip(vip.address.partition("/")[0])
        networks = [
            ipaddress.ip_network(f"{a.address}/{a.prefix}", strict=False)
            for a in found
            if a.dev == dev and a.address not in own and a.scope != "link"
        ]
        if address is None or not any(network.version == address.version for network in networks):
            continue
        if not any(address in network for network in networks if network.version == address.version):
            where = ", ".join(sorted(map(str, networks)))
            yield Mistake.where(
                "addresses",
                f"has {vip.address}, which is outside the networks of {dev} on {_host(view)} ({where}): no neighbour "
                "reaches it, unless a router sends it here",
                warning=True,
            )


def _peers(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """Differences between this member and the first one; each pair is reported once."""
    first, (reference, there) = next(iter(view.members.items()))
    if view.host is None or first == view.host.name:
        return
    here = view.facts
    ours, theirs = _link(view.spec, here), _link(reference, there)
    if ours is not None and theirs is not None and ours.mtu != theirs.mtu:
        yield Mistake.where(
            "interface",
            f"has an MTU of {ours.mtu} on {_host(view)} and of {theirs.mtu} on {first}: are both in one network?",
            warning=True,
        )
    mine, other = here.get(VERSION, view.spec.binary), there.get(VERSION, reference.binary)
    if mine is not None and other is not None and mine.split(".")[0] != other.split(".")[0]:
        # 1.3.6 and older compute another checksum for version 3, and drop the adverts of newer ones
        yield Mistake(
            "",
            f"keepalived is {mine} on {_host(view)} and {other} on {first}: different major versions may not "
            "understand each other, and then both hold the addresses",
            warning=True,
        )


def _link(spec: VrrpInstanceSpec, facts: Facts) -> Link | None:
    links = facts.get(LINKS, "")
    return links.get(spec.interface) if links is not None else None


def _host(view: View[Any]) -> str:
    return view.host.name if view.host is not None else "the host"


__all__ = ["mistakes_on_hosts"]
