"""The rules for one member of a VRRP instance by itself: the ranges and exclusions of keepalived.conf(5)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from hacore.contract import Mistake

from ..facts.addresses import parse_ip
from .check_text import command_mistakes, text_mistakes
from .spec import OWNER, TrackScript, VirtualAddress, VrrpInstanceSpec
from .tokens import line_fault, quoted_fault, word_fault

PASSWORD = 8
"""Bytes of auth_pass that an advert carries (RFC 2338, section 5.3.6)."""

_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_PASSWORD = re.compile(r"[\x21-\x7e]*\Z")
_INTERFACE = "it must be an interface name: 1 to 15 characters, none of them a space, a quote or one of / : { } # ! $"
_STRICT = ("authentication", "unicast", "preempt_delay")


def auth_key(spec: VrrpInstanceSpec) -> tuple[str, bytes] | None:
    """The key that two members compare: the type, and the bytes of the password that keepalived uses."""
    auth = spec.authentication
    return None if auth is None else (auth.type, auth.password.encode()[:PASSWORD])


def member_mistakes(spec: VrrpInstanceSpec) -> Iterator[Mistake]:
    """Mistakes of one member's spec."""
    ipv6 = any(":" in vip.address for vip in spec.vips)
    v3 = spec.version == 3 or ipv6 or (spec.version is None and spec.globals.get("vrrp_version") == 3)
    yield from _ranges(spec, v3)
    yield from _addresses(spec)
    yield from _authentication(spec, v3, ipv6)
    yield from _election(spec)
    yield from _trackers(spec)
    yield from text_mistakes(spec)
    yield from _unicast_family(spec, ipv6)
    if spec.version == 2 and ipv6:
        yield Mistake.where("version", "is 2 with an IPv6 address: IPv6 needs 3")


def _unicast_family(spec: VrrpInstanceSpec, ipv6: bool) -> Iterator[Mistake]:
    """Unicast adverts of IPv6 addresses go over IPv6, and those of IPv4 addresses over IPv4 (keepalived.conf(5))."""
    ours, theirs = ("IPv6", "IPv4") if ipv6 else ("IPv4", "IPv6")
    for field, address in (("unicast_src_ip", spec.unicast_src_ip), *(("unicast", peer) for peer in spec.peers)):
        parsed = parse_ip(address or "") if spec.unicast else None
        if parsed is not None and (parsed.version == 6) != ipv6:
            yield Mistake(
                field,
                f"{address} is an {theirs} address and the virtual addresses are {ours}: keepalived sends their "
                f"adverts over {ours} only; set unicast_src_ip and unicast.peers to {ours} addresses, or use multicast",
            )
            return


def _ranges(spec: VrrpInstanceSpec, v3: bool) -> Iterator[Mistake]:
    if not 1 <= spec.priority <= OWNER:
        yield Mistake.where("priority", f"is {spec.priority}: it must be 1 to 254, or 255 for the owner of the address")
    if not 1 <= spec.virtual_router_id <= 255:
        yield Mistake.where("virtual_router_id", f"is {spec.virtual_router_id}: it must be 1 to 255")
    interval = spec.advert_interval
    if v3 and not (0.01 <= interval <= 40.95 and _whole(interval * 100)):
        yield Mistake.where(
            "advert_interval", f"is {interval:g}: VRRP version 3 allows 0.01 to 40.95 s in steps of 0.01 s"
        )
    if not v3 and not (1 <= interval <= 255 and _whole(interval)):
        yield Mistake.where(
            "advert_interval",
            f"is {interval:g}: VRRP version 2 allows whole seconds, 1 to 255; version: 3 allows fractions",
        )
    if not _interface(spec.interface):
        yield Mistake.where("interface", f"is {spec.interface!r}: {_INTERFACE}")
    elif spec.interface == "lo":
        yield Mistake.where("interface", "is lo: adverts need an interface that reaches the other members")


def _interface(name: str) -> bool:
    """Whether it can name an interface: dev_valid_name() of the kernel, and a word of keepalived.conf."""
    return len(name.encode()) <= 15 and not re.search(r"[/:]|\A\.{1,2}\Z", name) and not word_fault(name)


def _whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6


def _addresses(spec: VrrpInstanceSpec) -> Iterator[Mistake]:
    if not spec.addresses:
        yield Mistake.where("addresses", "is empty: name at least one virtual address")
    if len(spec.addresses) > 255:
        yield Mistake.where("addresses", f"has {len(spec.addresses)} entries: an advert carries 255 at most")
    families, seen = set(), set()
    for vip in spec.vips:
        try:
            parsed = ipaddress.ip_interface("" if "%" in vip.address else vip.address)
        except ValueError:
            yield Mistake.where(
                "addresses", f"has {vip.address!r}: write an IP address, such as 192.0.2.10 or 192.0.2.10/24"
            )
            continue
        families.add(parsed.version)
        if parsed.ip in seen:
            yield Mistake.where("addresses", f"has {parsed.ip} twice")
        seen.add(parsed.ip)
        net = parsed.network
        if parsed.version == 4 and net.prefixlen < 31 and parsed.ip in (net.network_address, net.broadcast_address):
            yield Mistake.where("addresses", f"has {vip.address}, a network or broadcast address: use a host address")
        yield from _label(vip, spec.interface)
    if len(families) > 1:
        yield Mistake("addresses", "mixes IPv4 and IPv6: each family needs an instance of its own (RFC 5798)")


def _label(vip: VirtualAddress, interface: str) -> Iterator[Mistake]:
    dev = vip.dev or interface
    if vip.dev is not None and not _interface(vip.dev):
        yield Mistake.where("addresses", f"has dev {vip.dev!r}: {_INTERFACE}")
    if vip.label is not None and not (vip.label.startswith(f"{dev}:") and _NAME.match(vip.label[len(dev) + 1 :])):
        yield Mistake.where("addresses", f"has label {vip.label!r}: it must be {dev}:TEXT")
    elif vip.label is not None and len(vip.label) > 15:
        yield Mistake.where(
            "addresses", f"has label {vip.label!r} of {len(vip.label)} characters: at most 15 are allowed"
        )


def _authentication(spec: VrrpInstanceSpec, v3: bool, ipv6: bool) -> Iterator[Mistake]:
    auth = spec.authentication
    if auth is None:
        return
    size = len(auth.password.encode())
    if size > PASSWORD:
        yield Mistake.where(
            "authentication.password",
            f"has {size} bytes: keepalived uses only the first {PASSWORD}; set these, and it is the same password as "
            "before, also for a member that still has the longer one",
        )
    if not size:
        yield Mistake.where(
            "authentication.password", f"is empty: give 1 to {PASSWORD} bytes, or remove authentication"
        )
    elif not _PASSWORD.match(auth.password) or "$" in auth.password or quoted_fault(auth.password):
        yield Mistake.where(
            "authentication.password",
            'has a character that keepalived.conf cannot contain: use printable ASCII without space, ", \\ and $',
        )
    if v3:
        why = "VRRP version 3, which an IPv6 address needs," if ipv6 else "VRRP version 3"
        yield Mistake.where("authentication", f"cannot be used: {why} has none; remove it")
    elif auth.type == "AH" and spec.state == "MASTER":
        yield Mistake.where("state", "is MASTER with authentication type AH: keepalived ignores it; set BACKUP")


def _election(spec: VrrpInstanceSpec) -> Iterator[Mistake]:
    if spec.nopreempt and spec.state == "MASTER":
        yield Mistake.where(
            "state", "is MASTER with preempt: false: keepalived then preempts; set BACKUP on all members"
        )
    if spec.nopreempt and spec.priority == OWNER:
        yield Mistake.where(
            "priority", "is 255, that of the owner, with preempt: false: an owner always preempts; set 254"
        )
    if spec.preempt_delay is not None:
        if not 0 <= spec.preempt_delay <= 1000:
            yield Mistake.where("preempt_delay", f"is {spec.preempt_delay:g}: it must be 0 to 1000 s")
        if spec.role == "MASTER":
            yield Mistake.where("preempt_delay", "needs state: BACKUP: keepalived ignores it with MASTER")
        if spec.nopreempt:
            yield Mistake.where("preempt_delay", "has no meaning with preempt: false: remove one of them")
    if spec.globals.get("vrrp_strict"):
        given = [field for field in _STRICT if getattr(spec, field)]
        for field in given:
            yield Mistake.where(field, "is forbidden by globals.vrrp_strict (not in RFC 5798): remove one of them")


def _trackers(spec: VrrpInstanceSpec) -> Iterator[Mistake]:
    limits = {"track_scripts": 253, "track_interfaces": 253, "track_processes": 254, "track_files": 254}
    for field, limit in limits.items():
        for name, tracker in getattr(spec, field).items():
            where = f"{field}.{name}"
            if not _NAME.match(name) or name.startswith("hacore_"):
                yield Mistake.where(
                    where, "is not a valid tracker name: use letters, digits, _ . - and no prefix hacore_"
                )
            if abs(tracker.weight) > limit:
                yield Mistake.where(f"{where}.weight", f"is {tracker.weight}: it must be -{limit} to {limit}")
            if spec.priority == OWNER and tracker.weight:
                yield Mistake.where(
                    f"{where}.weight", f"is {tracker.weight} with priority 255: an owner ignores weights; set 0"
                )
    for name, script in spec.track_scripts.items():
        yield from _script(f"track_scripts.{name}", script)
    for name in spec.track_interfaces:
        if name == spec.interface:
            yield Mistake.where(
                f"track_interfaces.{name}", "is the instance's own interface, which is always watched: remove it"
            )
    for name, file in spec.track_files.items():
        fault = quoted_fault(file.file) if file.file.startswith("/") else "it must be an absolute path"
        if fault:
            yield Mistake.where(f"track_files.{name}.file", f"is {file.file!r}: {fault}")
    for name, process in spec.track_processes.items():
        fault = line_fault(process.process)
        if fault:
            yield Mistake.where(f"track_processes.{name}.process", f"is {process.process!r}: {fault}")
        if process.delay is not None and not 0 <= process.delay <= 3600:
            yield Mistake.where(f"track_processes.{name}.delay", f"is {process.delay:g}: it must be 0 to 3600 s")


def _script(where: str, script: TrackScript) -> Iterator[Mistake]:
    yield from command_mistakes(f"{where}.script", script.script)
    if not (script.interval >= 1 and _whole(script.interval)):
        yield Mistake.where(
            f"{where}.interval",
            f"is {script.interval:g}: it must be whole seconds, 1 or more (fractions need keepalived 2.3.2)",
        )
    fault = line_fault(script.user, most=2) if script.user is not None else ""
    if fault:
        yield Mistake.where(f"{where}.user", f"is {script.user!r}: {fault}")
    if script.timeout is not None and not (script.timeout >= 1 and _whole(script.timeout)):
        yield Mistake.where(f"{where}.timeout", f"is {script.timeout:g}: it must be whole seconds, 1 or more")
    for field in ("rise", "fall"):
        count = getattr(script, field)
        if count is not None and count < 1:
            yield Mistake.where(f"{where}.{field}", f"is {count}: it must be 1 or more")
