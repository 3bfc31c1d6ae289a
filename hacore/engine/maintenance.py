"""Planned maintenance: an operator takes a host out of service, and back. Everything comes from the state.

    drain     refused unless another member would take over now; then drained, and proven by its effect
    undrain   the mirror; ends when the addresses are where they stay
    move      drain, wait, undrain: for an address that stays where it went

The order lies on the host, where every controller sees it. No run is made: there is nothing to undo but by `undrain`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..address import Address
from ..contract import Drained, Maintenance
from ..errors import PlanError, UsageError
from ..probe import HostLink
from .connections import answered
from .drift_check import recorded_hosts
from .maintenance_site import PAUSE, SBIN, MaintenanceSite, maintenance_site
from .means import Means
from .snapshot import read_state
from .verdicts import OUTAGES, AddressStatus


@dataclass(frozen=True, slots=True)
class DrainOrder:
    """What the operator asks. `seconds`: until the host undrains itself; `only`: names of resources, empty for all."""

    host: str
    seconds: float | None = None
    reason: str = ""
    hard: bool = False
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """An address that changed its holder; None: nobody."""

    address: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class MaintenanceResult:
    """What became of it. `names`: of what was drained or undrained; `order`: the recorded one, None after `undrain`.

    `costs`: what the move costs beyond open connections; `connections`: how many the host had; None: not known.
    """

    host: str
    names: tuple[str, ...]
    order: Drained | None
    moved: tuple[Moved, ...] = ()
    costs: tuple[str, ...] = ()
    connections: int | None = None
    addresses: tuple[AddressStatus, ...] = ()


async def drain(means: Means, state_url: str, asked: DrainOrder, warn: Callable[[str], None]) -> MaintenanceResult:
    """Take a host out of service until `undrain`. `warn` gets what is about to break, before it does.

    Raises UsageError for an unknown host or resource, PlanError when no other member would take over, or when the
    drain had no effect: then the host is undrained again.
    """
    async with maintenance_site(means, state_url, asked.host, "drain") as site:
        return await _drain(site, asked, warn)


async def _drain(site: MaintenanceSite, asked: DrainOrder, warn: Callable[[str], None]) -> MaintenanceResult:
    host = asked.host
    facts = answered(site.statuses).get(host)
    now = facts.host.time if facts is not None and facts.host.time else time.time()
    until = None if asked.seconds is None else now + asked.seconds
    order = Drained(site.means.who, now, until, asked.reason, asked.hard)
    chosen = site.maintained(host, order, asked.only)
    for one in chosen.values():
        if one.refusal:
            raise PlanError(f"cannot drain {host}: {one.refusal}")
    served = site.served_by(host, chosen)
    for address in served:
        if why := refusal(address, host):
            raise PlanError(f"cannot drain {host}: {why}")
    before = {a.address: a.holders for a in served}
    moving = [a.address for a in served if a.holders == (host,)]
    open_now = await _connections(await site.hosts.link(host), moving)
    if open_now and moving:
        warn(f"{open_now} open connections to {', '.join(moving)} on {host} end with the move")
    await site.steps(host, [(one.name, one.drain) for one in chosen.values()], "drain")
    left = await site.until(host, chosen, "drained")
    if left:
        await site.steps(host, [(one.name, one.undrain) for one in chosen.values()], "undrain")
        raise PlanError(f"cannot drain {host}: {_verb(left, 'still serves', 'still serve')}; {host} is undrained again")
    await site.settled(list(before), max(one.patience for one in chosen.values()))
    return _result(site, host, chosen, order, before, open_now)


async def undrain(means: Means, state_url: str, host: str, only: Sequence[str] = ()) -> MaintenanceResult:
    """Put a host back into service. Raises UsageError for an unknown host or resource, PlanError without an effect."""
    async with maintenance_site(means, state_url, host, "undrain") as site:
        chosen = site.maintained(host, Drained(), only)
        before = {a.address: a.holders for a in site.served_by(host, chosen)}
        return await _undrain(site, host, chosen, before)


async def _undrain(
    site: MaintenanceSite, host: str, chosen: Mapping[Address, Maintenance], before: Mapping[str, Sequence[str]]
) -> MaintenanceResult:
    await site.steps(host, [(one.name, one.undrain) for one in chosen.values()], "undrain")
    if left := await site.until(host, chosen, "back"):
        raise PlanError(
            f"cannot undrain {host}: {_verb(left, 'is', 'are')} still drained there, by its log; "
            f"see `hacore status`, and on {host}: journalctl -u keepalived -n 50"
        )
    patience = max(one.patience for one in chosen.values())
    if any(one.returns for one in chosen.values()):
        end = time.monotonic() + patience
        while time.monotonic() < end and not all(
            a.holders == (host,) for a in site.served_by(host, {k: v for k, v in chosen.items() if v.returns})
        ):
            await asyncio.sleep(PAUSE)
            await site.ask()
    await site.settled(list(before), patience)
    return _result(site, host, chosen, None, before, None)


async def move(means: Means, state_url: str, to: str | None, warn: Callable[[str], None]) -> MaintenanceResult:
    """Move the addresses to another member, where they stay.

    Raises PlanError where they would not stay: the holder has the higher priority, and preempts.
    """
    first: str = to if to is not None else await asyncio.to_thread(_any_host, state_url)
    async with maintenance_site(means, state_url, first, "move") as probe:
        holders = {h for a in probe.look.addresses for h in a.holders if any(m.host == h for m in a.members)}
        if len(holders) != 1:
            held = f"{' and '.join(sorted(holders))} hold" if holders else "nobody holds"
            raise PlanError(f"cannot move the addresses: {held} them; `hacore status` shows why")
        holder = next(iter(holders))
    if holder == to:
        raise PlanError(f"cannot move the addresses to {to}: it holds them already")
    async with maintenance_site(means, state_url, holder, "move") as site:
        order = DrainOrder(holder, reason="hacore move")
        chosen = site.maintained(holder, Drained())
        if back := next((one.returns for one in chosen.values() if one.returns), ""):
            raise PlanError(
                f"cannot move the addresses away from {holder}: they would return at once, as {back}; "
                f"`hacore drain {holder}` keeps them away"
            )
        if to is not None:
            for address in site.served_by(holder, chosen):
                next_one = taker(address, holder)
                if next_one != to:
                    raise PlanError(f"cannot move {address.address} to {to}: {next_one or 'nobody'} would take it over")
        done = await _drain(site, order, warn)
        chosen = site.maintained(holder, Drained())
        await _undrain(site, holder, chosen, {})
        before = {one.address: (one.before,) if one.before else () for one in done.moved}
        return _result(site, holder, chosen, None, before, done.connections)


def _verb(names: Sequence[str], one: str, several: str) -> str:
    return f"{', '.join(names)} {one if len(names) == 1 else several}"


def _any_host(state_url: str) -> str:
    """Any host of the state: the lock of one is enough to look."""
    known = recorded_hosts(read_state(state_url, keyless=True))
    if not known:
        raise UsageError("cannot move the addresses: no host is recorded yet: `hacore apply` first")
    return next(iter(known))


def refusal(address: AddressStatus, host: str) -> str:
    """Why a host must not be drained: nobody would take this address over now; empty if somebody would."""
    silent = [m.host for m in address.members if m.able is None and m.host != host]
    if address.verdict in OUTAGES:
        return f"{address.address} is {address.verdict}: {address.cause or 'see `hacore status`'}"
    if taker(address, host) is None:
        if silent:
            return f"{' and '.join(silent)} did not answer, and nobody else would take over {address.address}"
        others = [m for m in address.members if m.host != host]
        why = "; ".join(m.cause or f"{m.host} is drained" for m in others if m.cause or m.drained)
        return f"no other member would take over {address.address}" + (f": {why}" if why else "")
    if address.verdict == "no-redundancy" and host in address.holders:
        return f"no other member would take over {address.address}: {address.cause}"
    if address.verdict == "not-serving" and address.holders != (host,):
        return f"{address.address} is not served by {', '.join(address.holders)}: {address.cause}"
    return ""


def taker(address: AddressStatus, host: str) -> str | None:
    """The member that would hold an address without `host`: the present holder, else the highest able one."""
    able = [m for m in address.members if m.host != host and m.able and not m.drained]
    holding = [m.host for m in able if m.holds]
    if holding:
        return holding[0]
    return max(able, key=lambda m: m.priority or 0).host if able else None


async def _connections(link: HostLink, addresses: Sequence[str]) -> int | None:
    """How many connections to these addresses are established on a host; None if ss(8) is not there."""
    if not addresses:
        return 0
    told = " or ".join(f"src [{a}]" if ":" in a else f"src {a}" for a in addresses)
    out = await link.shell(f"{SBIN}command -v ss >/dev/null || exit 3; ss -Htn state established '( {told} )' | wc -l")
    return int(out.text.strip()) if out.rc == 0 and out.text.strip().isdigit() else None


def _result(
    site: MaintenanceSite,
    host: str,
    chosen: Mapping[Address, Maintenance],
    order: Drained | None,
    before: Mapping[str, Sequence[str]],
    connections: int | None,
) -> MaintenanceResult:
    now = site.served_by(host, chosen)
    moved = tuple(
        Moved(a.address, next(iter(before[a.address]), None), next(iter(a.holders), None))
        for a in now
        if a.address in before and tuple(before[a.address]) != a.holders
    )
    costs = tuple(dict.fromkeys(one.cost for one in chosen.values() if one.cost)) if moved and order else ()
    names = tuple(sorted(one.name for one in chosen.values()))
    return MaintenanceResult(host, names, order, moved, costs, connections, tuple(now))


__all__ = ["DrainOrder", "MaintenanceResult", "Moved", "drain", "move", "refusal", "taker", "undrain"]
