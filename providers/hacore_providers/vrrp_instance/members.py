"""The members of a VRRP instance as they are now: who holds an address, who would take it over, and why not.

The state is derived, in this order, because only the addresses of a host are certain:

    holds the address                                   MASTER
    keepalived does not run                             stopped
    it runs for less than its longest start             starting
    its log has the state FAULT or MASTER as the last   that one (MASTER: but the address is missing)
    drained by FAULT, or the interface is down          FAULT
    else it hears the adverts of a master               BACKUP

A backup that has been one for longer than master_down hears adverts: else it would have become master (RFC 5798,
section 6.4.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from hacore.contract import Drained, Facts, Member, Served

from ..facts.addresses import ADDRESSES, Addresses, plain
from ..facts.firewall import FIREWALL
from ..facts.keepalived import CONFIG, DRAIN, MAINTENANCE
from ..facts.keepalived_daemon import DAEMON, REFUSED, DaemonState, LogLine
from ..facts.links import LINKS
from .check_pair import effective_priority
from .spec import VrrpInstanceSpec

MARGIN = 1.0
"""Seconds that a start may take longer than its timers."""

Seen = Mapping[str, tuple[VrrpInstanceSpec, Facts]]


def served(members: Seen) -> tuple[Served, ...]:
    """All addresses of an instance."""
    addresses = dict.fromkeys(plain(vip.address) for spec, _ in members.values() for vip in spec.vips)
    return tuple(_served(address, members) for address in addresses)


def _served(address: str, members: Seen) -> Served:
    found = tuple(member(host, spec, facts, address) for host, (spec, facts) in members.items())
    holders = [m for m in found if m.holds]
    if not holders:
        cause, remedy = lost(found, members)
    elif len(holders) > 1:
        cause, remedy = doubled(address, holders, members)
    else:
        cause, remedy = "", ""
    return Served(address, found, cause, remedy)


def devices(spec: VrrpInstanceSpec, address: str) -> frozenset[str]:
    """The interfaces on which an instance puts an address: the address's own, else the instance's or its vmac.

    An address on another one, such as lo on a real server of LVS, is not held.
    """
    named = {vip.dev for vip in spec.vips if plain(vip.address) == address and vip.dev is not None}
    if named:
        return frozenset(named)
    vmacs = {
        word
        for line in spec.extra_lines
        for first, word, *_ in [[*line.split(), "", ""]]
        if first in ("use_vmac", "use_ipvlan") and word
    }
    own = {f"vrrp{family}.{spec.virtual_router_id}" for family in ("", "4", "6")}
    return frozenset({spec.interface, *vmacs, *own})


def holds_here(addresses: Addresses | None, spec: VrrpInstanceSpec, address: str) -> bool:
    """Whether a host holds an address of an instance."""
    return any(plain(a.address) == address and a.dev in devices(spec, address) for a in addresses or ())


def master_down(spec: VrrpInstanceSpec) -> float:
    """Seconds without an advert after which this member becomes master (RFC 5798, section 6.1; v2: RFC 3768)."""
    unit = spec.advert_interval if spec.version == 3 or any(":" in v.address for v in spec.vips) else 1.0
    adverts = 3
    for line in spec.extra_lines:
        words = line.split()
        if len(words) == 2 and words[0] == "down_timer_adverts" and words[1].isdecimal():
            adverts = int(words[1])
    return adverts * spec.advert_interval + (256 - min(spec.priority, 254)) / 256 * unit


def longest_start(spec: VrrpInstanceSpec) -> float:
    """Seconds after the start of keepalived within which its state is not settled yet."""
    delay = spec.globals.get("vrrp_startup_delay", 0)
    seconds = float(delay) if isinstance(delay, int | float) and not isinstance(delay, bool) else 0.0
    checks = max((script.interval * (script.rise or 1) for script in spec.track_scripts.values()), default=0.0)
    return master_down(spec) + seconds + (spec.preempt_delay or 0.0) + checks + MARGIN


def member(host: str, spec: VrrpInstanceSpec, facts: Facts, address: str) -> Member:
    """One member's part in serving an address."""
    here, daemon = facts.get(ADDRESSES, ""), facts.get(DAEMON, spec.service)
    if here is None or daemon is None:
        return Member(host, "unknown", cause=f"{host} did not answer")
    holds, drained = holds_here(here, spec, address), is_drained(spec, facts)
    ordered = facts.get(DRAIN, spec.maintenance_file)
    order = (facts.get(MAINTENANCE, spec.maintenance_file) or Drained()) if ordered else None
    fault = drained and (not spec.drain_weight or (order is not None and order.hard))
    log = own_lines(daemon, facts.host.time)
    state, cause, remedy = _state(host, spec, facts, daemon, log, holds=holds, fault=fault)
    last = _last(log, spec.name)
    changed = last if last is not None and last[1] == state else None
    if state == "stopped":
        changed = next(((line.at, state) for line in reversed(daemon.log) if "Stopped keepalived" in line.text), None)
    trackers = {name: script.weight for name, script in spec.track_scripts.items() if _failed(log, name)}
    return Member(
        host,
        state,
        holds,
        able=state in ("MASTER", "BACKUP") and not cause,
        cause=cause,
        remedy=remedy,
        since=None if changed is None else changed[0],
        recorded_from=daemon.log_from,
        priority=_priority(spec, log, trackers, drained=drained) if state in ("MASTER", "BACKUP") else None,
        trackers=(
            *(f"{name} failed ({weight:+d})" if weight else f"{name} failed" for name, weight in trackers.items()),
            *((f"drained ({spec.drain_weight:+d})" if spec.drain_weight else "drained",) if drained else ()),
        ),
        drained=drained,
        order=order,
        overdue=order is not None and order.overdue(facts.host.time),
        takeovers=tuple(at for at, word in _changes(daemon.log, spec.name) if word == "MASTER"),
    )


def is_drained(spec: VrrpInstanceSpec, facts: Facts) -> bool:
    """Whether a member is drained, by a run or by an operator."""
    return any(facts.get(DRAIN, file) for file in (spec.drain_file, spec.maintenance_file))


def drain_state(spec: VrrpInstanceSpec, daemon: DaemonState, now: float) -> Literal["", "lowered", "FAULT"]:
    """What keepalived made of the drain trackers, by its log: the lowest priority, FAULT, or nothing."""
    log = own_lines(daemon, now)
    last = _last(log, spec.name)
    if last is not None and last[1] == "FAULT":
        return "FAULT"
    return "lowered" if (_logged_priority(spec, log) or 2) < 2 else ""


def own_lines(daemon: DaemonState, now: float) -> tuple[LogLine, ...]:
    """The lines of the running process; without a clock of the host all of them."""
    if daemon.age is None or not now:
        return daemon.log
    begin = now - daemon.age - MARGIN
    return tuple(line for line in daemon.log if line.at >= begin)


def _state(
    host: str,
    spec: VrrpInstanceSpec,
    facts: Facts,
    daemon: DaemonState,
    log: Sequence[LogLine],
    *,
    holds: bool,
    fault: bool,
) -> tuple[str, str, str]:
    """State, why the member would not take over, and the next command; `fault`: it is drained by FAULT."""
    read = f"on {host}: journalctl -u {spec.service} -n 50"
    if daemon.age is None:
        left = f", and {', '.join(_left(spec, facts))} is still there" if holds else ""
        return "stopped", f"{spec.service} is stopped on {host}{left}", f"on {host}: systemctl start {spec.service}"
    if holds:
        return "MASTER", "", ""
    if daemon.age < longest_start(spec):
        return "starting", f"{spec.service} started {daemon.age:.0f}s ago on {host}", "hacore status --watch"
    last = _last(log, spec.name)
    word = last[1] if last is not None else ""
    failed = [name for name, script in spec.track_scripts.items() if not script.weight and _failed(log, name)]
    link = (facts.get(LINKS, "") or {}).get(spec.interface)
    if fault:
        ordered = facts.get(DRAIN, spec.maintenance_file)
        remedy = f"hacore undrain {host}" if ordered else f"on {host}: echo 0 >{spec.drain_file}"
        return "FAULT", f"{host} is drained, and would not take over", remedy
    if link is not None and link.down:
        why = f"{spec.interface} is {link.state} on {host}"
        return "FAULT", why, f"on {host}: ip link set {spec.interface} up"
    if word == "FAULT":
        why = f"the check {', '.join(failed)} fails on {host}" if failed else f"{spec.name} is in FAULT on {host}"
        return "FAULT", why, read
    if word == "MASTER":
        why = f"{spec.service} on {host} is MASTER, but the address is missing there"
        return "MASTER", why, f"on {host}: systemctl restart {spec.service}"
    return "BACKUP", "", ""


def _left(spec: VrrpInstanceSpec, facts: Facts) -> list[str]:
    here = facts.get(ADDRESSES, "")
    return [plain(v.address) for v in spec.vips if holds_here(here, spec, plain(v.address))]


def _changes(log: Iterable[LogLine], name: str) -> list[tuple[float, str]]:
    """The changes of state of an instance: time and state, the oldest first."""
    line = re.compile(rf"(?:VRRP_Instance)?\({re.escape(name)}\) (?:Entering|Transition to) (\w+) STATE")
    return [(entry.at, match[1]) for entry in log if (match := line.search(entry.text))]


def _last(log: Iterable[LogLine], name: str) -> tuple[float, str] | None:
    return next(reversed(_changes(log, name)), None)


def _failed(log: Iterable[LogLine], script: str) -> bool:
    results = [entry.text for entry in log if f"VRRP_Script({script})" in entry.text]
    return bool(results) and "succe" not in results[-1]  # succeeded, considered successful on reload


def _priority(
    spec: VrrpInstanceSpec, log: Sequence[LogLine], failed: Mapping[str, int], *, drained: bool
) -> int | None:
    """The last one in the log since the configuration was loaded, else by the trackers with a known result."""
    logged = _logged_priority(spec, log)
    if logged is not None:
        return logged
    trackers = [(script.weight, name not in failed) for name, script in spec.track_scripts.items() if script.weight]
    trackers += [(of.weight, True) for of in spec.track_processes.values() if of.weight]
    trackers += [(link.weight, True) for link in spec.track_interfaces.values() if link.weight]
    if drained and spec.drain_weight:
        trackers.append((spec.drain_weight, False))
    return effective_priority(spec.priority, trackers)


def _logged_priority(spec: VrrpInstanceSpec, log: Sequence[LogLine]) -> int | None:
    line = re.compile(rf"\({re.escape(spec.name)}\) Changing effective priority from \d+ to (\d+)")
    for entry in reversed(log):
        if match := line.search(entry.text):
            return int(match[1])
        if "Reload" in entry.text:
            break
    return None


def lost(members: Sequence[Member], seen: Seen) -> tuple[str, str]:
    """Why nobody holds an address, and the next command."""
    stopped = [m for m in members if m.state == "stopped"]
    if len(stopped) == len(members) > 1:
        unit, where = seen[stopped[0].host][0].service, " and ".join(m.host for m in stopped)
        return f"{unit} is stopped on {where}", f"on {where}: systemctl start {unit}"
    causes = [m.cause for m in members if m.cause]
    remedies = [m.remedy for m in members if m.remedy]
    first = next((m.remedy for m in members if m.state == "MASTER" and m.remedy), remedies[0] if remedies else "")
    if not causes:
        where, unit = " and ".join(m.host for m in members), seen[members[0].host][0].service
        return "no member is MASTER: the election is not over, or adverts come from elsewhere", (
            f"on {where}: journalctl -u {unit} -n 50"
        )
    return "; ".join(causes), first


def doubled(address: str, holders: Sequence[Member], members: Seen) -> tuple[str, str]:
    """Why several hosts hold an address, and the next command."""
    for one in holders:
        if one.state == "stopped":
            spec, facts = members[one.host]
            here = next(
                (a for a in facts.get(ADDRESSES, "") or () if plain(a.address) == address and a.dev != "lo"), None
            )
            where = f"{address}/{here.prefix} dev {here.dev}" if here is not None else address
            return f"{spec.service} is stopped on {one.host} and left the address there", (
                f"on {one.host}: ip addr del {where}"
            )
    names = " and ".join(m.host for m in holders)
    unit = members[holders[0].host][0].service
    refused = [line for one in holders if (line := _refusal(one, *members[one.host]))]
    if refused:
        return f"{' and '.join(refused)}: the members are configured differently", "hacore plan"
    differs = _numbers(holders, members)
    if differs:
        return differs, "hacore plan"
    walls = [(one.host, reason) for one in holders for reason in members[one.host][1].get(FIREWALL, "") or ()]
    if walls:
        words = "; ".join(f"the firewall of {host} {reason}" for host, reason in walls)
        return f"{names} do not receive each other's adverts: {words}", f"on {walls[0][0]}: nft list ruleset"
    how = "unicast adverts" if members[holders[0].host][0].unicast else "IP protocol 112 to 224.0.0.18"
    return (
        f"{names} do not receive each other's adverts: a firewall or switch drops {how}, or they differ in "
        "virtual_router_id",
        f"on {names}: journalctl -u {unit} -n 50",
    )


def _numbers(holders: Sequence[Member], seen: Seen) -> str:
    """The virtual router ids in the files of the holders, if they differ: then each is alone in its group."""
    found: dict[str, int] = {}
    for one in holders:
        spec, facts = seen[one.host]
        file = facts.get(CONFIG, spec.config)
        number = file.router_ids.get(spec.name) if file is not None else None
        if number is not None:
            found[one.host] = number
    if len(set(found.values())) < 2:
        return ""
    return f"virtual_router_id is {' and '.join(f'{number} on {host}' for host, number in found.items())}"


def _refusal(member: Member, spec: VrrpInstanceSpec, facts: Facts) -> str:
    """The advert that a holder refuses now: keepalived logs each of them, one every advert interval."""
    daemon = facts.get(DAEMON, spec.service)
    if daemon is None:
        return ""
    begin = facts.host.time - 3 * spec.advert_interval - MARGIN
    for entry in reversed(daemon.log):
        if entry.at >= begin and f"({spec.name})" in entry.text and any(word in entry.text for word in REFUSED):
            words = entry.text.partition(f"({spec.name})")[2].strip(" !")
            return f'keepalived on {member.host} logs "{words}"'
    return ""


__all__ = ["devices", "drain_state", "holds_here", "is_drained", "longest_start", "master_down", "member", "served"]
