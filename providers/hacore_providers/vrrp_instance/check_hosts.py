"""The rules for a VRRP instance on its hosts, by their facts, and for all instances in one file.

Sources: RFC 5798, keepalived.conf(5), and keepalived's own log.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from hacore.contract import Facts, Mistake, View

from ..facts.addresses import ADDRESSES, parse_ip, plain
from ..facts.keepalived import CONFIG, VERSION
from ..facts.links import LINKS, Link
from ..facts.paths import unsafe_path
from ..facts.stat import sha256
from .check_existing import lost_of_existing
from .check_foreign import mistakes_of_foreign
from .check_raw import mistakes_of_included
from .companions import companions
from .config_text import render
from .spec import OWNER, VrrpInstanceSpec

OLDEST = (2, 0, 7)
"""The first version of keepalived with the option -t, which tests a file."""

MAKERS = ("command", "file", "package")
"""Kinds that can make an interface: what an instance `needs` of them is applied before its file is tested."""


def mistakes_on_hosts(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """All mistakes; without facts only those of the other instances in the file."""
    try:
        render(companions(view))
    except ValueError as error:  # a contradiction, or a text that the file cannot have
        yield Mistake("", str(error))
    yield from _interface(view)
    yield from _subnets(view)
    yield from _source(view)
    yield from _owner(view)
    yield from _strict(view)
    yield from _too_old(view)
    yield from _swapped(view)
    yield from lost_of_existing(view)
    yield from mistakes_of_foreign(view)
    yield from mistakes_of_included(view)
    yield from _peers(view)
    yield from _redirected(view)


def _redirected(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """A file that is to be written where another user can redirect it."""
    unsafe = unsafe_path(view.facts, view.spec.config)
    found = view.facts.get(CONFIG, view.spec.config)
    if unsafe is None:
        return
    try:
        wanted = sha256(render(companions(view)).encode())
    except ValueError:  # reported above
        return
    if found is None or found.sha256 != wanted:
        yield unsafe


def _interface(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    spec, links = view.spec, view.facts.get(LINKS, "")
    if links is None or "dynamic_interfaces" in spec.globals:
        return
    for field, name in (("interface", spec.interface), *((f"track_interfaces.{n}", n) for n in spec.track_interfaces)):
        link = links.get(name)
        if link is None:
            others = ", ".join(sorted(n for n in links if n != "lo")) or "only lo"
            made = [need for need in view.needs if need.partition(".")[0] in MAKERS]
            later = f", unless {' or '.join(made)} makes it in this run" if made else ""
            yield Mistake.where(
                field,
                f"is {name}, which does not exist on {_host(view)}{later}; its interfaces are {others}",
                warning=bool(made),
            )
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


def _source(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """keepalived (2.2.7) puts an instance with a source that the host does not have into FAULT."""
    spec, found = view.spec, view.facts.get(ADDRESSES, "")
    source = spec.unicast_src_ip
    if not spec.unicast or source is None or found is None or any(plain(a.address) == plain(source) for a in found):
        return
    vips = {plain(vip.address) for vip in spec.vips}
    family = ":" in source
    own = [
        a.address
        for a in found
        if a.dev == spec.interface and (":" in a.address) == family and a.scope != "link" and a.address not in vips
    ]
    has = f"it has {', '.join(own)} on {spec.interface}" if own else f"it has no such address on {spec.interface}"
    right = f"set unicast_src_ip: {own[0]}" if own else "set unicast_src_ip to an address of the host"
    yield Mistake.where("unicast_src_ip", f"is {source}, which is not an address of {_host(view)} ({has}): {right}")


def _owner(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """255 is for the router of which the address is the interface's own (RFC 5798, section 5.2.4)."""
    spec, found = view.spec, view.facts.get(ADDRESSES, "")
    if spec.priority != OWNER or found is None:
        return
    own = {plain(a.address) for a in found}
    lacking = [vip.address for vip in spec.vips if plain(vip.address) not in own]
    if lacking:
        yield Mistake.where(
            "priority",
            f"is 255, that of the owner, and {_host(view)} does not have {', '.join(lacking)}: an owner ignores "
            "weights and always preempts; 254 is the highest priority of others",
            warning=True,
        )


def _strict(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """With vrrp_strict keepalived drops packets to the addresses, unless the member owns them (RFC 5798, 6.1)."""
    spec = view.spec
    strict = spec.globals.get("vrrp_strict") or "strict_mode" in spec.extra_keywords
    if strict and spec.priority != OWNER and "accept" not in spec.extra_keywords:
        yield Mistake.where(
            "globals.vrrp_strict",
            "makes keepalived drop all packets to the virtual addresses: nobody can connect to them; remove it, or "
            "add `extra: accept`",
            warning=True,
        )


def _swapped(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """After a reload in which two instances exchange a number, an address stays on nobody (acassen/keepalived#2364)."""
    file = view.facts.get(CONFIG, view.spec.config)
    if file is None:
        return
    desired = {spec.name: spec for _, spec in companions(view)}
    spec, before = view.spec, file.router_ids.get(view.spec.name)
    if before is None or before == spec.virtual_router_id:
        return
    for name, number in file.router_ids.items():
        other = desired.get(name)
        if name != spec.name and number == spec.virtual_router_id and other is not None:
            if other.virtual_router_id == number or _family(other) != _family(spec):
                continue
            yield Mistake.where(
                "virtual_router_id",
                f"changes from {before} to {number}, which {name} has on {_host(view)} until now: keepalived would "
                "lose an address; give one of them a free number first, and apply that",
            )


def _family(spec: VrrpInstanceSpec) -> bool:
    return any(":" in vip.address for vip in spec.vips)


def _too_old(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """A keepalived that cannot test a file before it is installed, and drops trackers of files without a word."""
    version = view.facts.get(VERSION, view.spec.binary)
    if version is None or tuple(int(part) for part in re.findall(r"\d+", version)[:3]) >= OLDEST:
        return
    newer = [need for need in view.needs if need.partition(".")[0] in ("package", "source_build")]
    unless = f", unless {' or '.join(newer)} brings a newer one in this run" if newer else ""
    yield Mistake.where(
        "binary",
        f"is keepalived {version} on {_host(view)}{unless}: hacore manages {'.'.join(map(str, OLDEST))} and newer, "
        "which can test a file (-t); `hacore lint` checks the files of older ones",
        warning=bool(newer),
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
