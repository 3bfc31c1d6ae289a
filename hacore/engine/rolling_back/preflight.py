"""What a rollback begins with: the hosts that it concerns, as they are recorded and as they are."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ...address import Address
from ...contract import Facts, Provider, View
from ...errors import Cancelled, PlanError, UnreachableError
from ...events import Event
from ...model import JSON, Host, Row
from ...plan import Drift, Ownership, asks_of_recorded, drift_of, marks_of_rows, merge_asks, recorded_views, revive
from ...probe import HostLink
from ...store import StateWriter, host_from_json, row_from_json
from ...walk import Relock
from ..connections import Hosts, answered
from ..drift_check import recorded_hosts
from ..host_locks import held_hosts
from ..ownership import Marking, check_ownership, claimant_of, named_by_hosts, ownership, with_markers
from ..request import RollbackRequest
from ..results import RollbackPlan
from ..second_look import looked_twice
from ..snapshot import StateSnapshot

Approve = Callable[[RollbackPlan], Awaitable[bool]]


@dataclass(frozen=True)
class Means:
    """The means of a rollback, and the user's request. `stop`: start nothing new."""

    request: RollbackRequest
    writer: StateWriter
    hosts: Hosts
    approve: Approve
    stop: asyncio.Event | None = None

    @property
    def providers(self) -> Mapping[str, Provider[Any]]:
        """The installed kinds."""
        return self.request.providers


@dataclass(frozen=True, slots=True)
class Preflight:
    """Hosts as they answered. `views`: of what is recorded; `drifted`: of the addresses asked about."""

    facts: Mapping[str, Facts] = field(default_factory=dict)
    views: Mapping[Address, View[Any]] = field(default_factory=dict)
    drifted: tuple[Drift, ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)
    whose: Ownership = field(default_factory=Ownership)


def known_hosts(memory: StateSnapshot) -> dict[str, Host]:
    """All hosts that the state can name."""
    return {**{n: host_from_json(r.host) for n, r in memory.hosts.items()}, **recorded_hosts(memory)}


def concerned(used: Collection[str], rows: Mapping[Address, Row], providers: Mapping[str, Provider[Any]]) -> set[str]:
    """The hosts that are touched, and those that guard each other with them."""
    found = set(used)
    guarding = [a for a in rows if a.kind in providers and type(providers[a.kind]).guard is not Provider.guard]
    groups = {(a.resource, a.key) for a in guarding if set(rows[a].hosts) & found}
    for address in guarding:
        if (address.resource, address.key) in groups:
            found |= set(rows[address].hosts)
    return found


async def look(
    means: Means,
    memory: StateSnapshot,
    known: Mapping[str, Host],
    names: Collection[str],
    touched: Collection[Address],
    then: Mapping[Address, Row] | None = None,
    *,
    retry_safe: bool = False,
) -> Preflight:
    """Ask the hosts for what is recorded, and for what comes back (`then`). `twice`: see `looked_twice`."""
    here = {a: r for a, r in memory.rows.items() if set(r.hosts) <= set(names)}
    recorded = revive(here, means.providers)
    back = {a: r for a, r in (then or {}).items() if set(r.hosts) <= set(names)}
    asks = merge_asks(
        asks_of_recorded(revive(back, means.providers), means.providers),
        asks_of_recorded(recorded, means.providers),
    )
    statuses = await means.hosts.probe(with_markers(asks, names), sorted(names))
    if retry_safe:
        about = {a: item for a, item in recorded.items() if a in touched}
        statuses = await looked_twice(statuses, about, means.hosts, means.providers, memory.seal)
    facts = answered(statuses)
    views = recorded_views(recorded, known, facts, means.providers)
    found = [
        drift_of(recorded[a].row, means.providers[a.kind].observe(views[a]), memory.seal)
        for a in sorted(recorded)
        if a in touched and set(recorded[a].row.hosts) <= facts.keys()
    ]
    silent = {name: status.error for name, status in statuses.items() if status.facts is None}
    whose = ownership(claimant_of(memory), memory, facts, known)
    return Preflight(facts, views, tuple(d for d in found if d is not None), silent, whose)


def may_roll_back(shown: RollbackPlan, seen: Preflight, means: Means, *, strict: bool) -> None:
    """Raise what keeps a rollback from beginning. `strict`: also what somebody changed since."""
    check_ownership(seen.whose, "roll back")
    if shown.unreachable:
        raise UnreachableError("; ".join(shown.unreachable.values()))
    if strict and shown.drifted and not means.request.force:
        what = ", ".join(str(d.address) for d in shown.drifted)
        raise PlanError(f"cannot roll back: {what} changed since run {shown.run.id}; --force overwrites that")
    if means.request.no_irreversible and shown.irreversible:
        what = "; ".join(f"{item.address}: {item.irreversible}" for item in shown.irreversible)
        raise PlanError(f"cannot roll back with --no-irreversible: {what}")


async def approved(shown: RollbackPlan, means: Means) -> None:
    """Ask; raises Cancelled."""
    if not await means.approve(shown):
        raise Cancelled("rollback cancelled")


@dataclass
class LockedHosts:
    """Locked hosts. `kept`: all ended well, so their markers say what is recorded."""

    token: str
    relock: Relock
    links: Mapping[str, HostLink]
    kept: bool = False

    async def claim(
        self, means: Means, memory: StateSnapshot, seen: Preflight, back: Iterable[Mapping[Address, JSON | None]]
    ) -> None:
        """Mark the hosts before anything is touched: with what is recorded, and what is brought back."""
        rows = [row_from_json(row) for some in back for row in some.values() if row is not None]
        brought, there = marks_of_rows({row.address: row for row in rows}), marks_of_rows(memory.rows)
        claims = {h: {**brought.get(h, {}), **there.get(h, {})} for h in sorted(self.links)}
        mine = named_by_hosts(claimant_of(memory), seen.whose)
        await Marking(mine, means.request.who, self.token).claim(claims, seen.whose, self.links)


@asynccontextmanager
async def held(
    means: Means, memory: StateSnapshot, seen: Preflight, stack: str, links: Mapping[str, HostLink]
) -> AsyncIterator[LockedHosts]:
    """Hold the hosts' locks while a rollback lasts."""
    token = secrets.token_hex(16)
    info = {"who": means.request.who, "what": "rollback", "stack": stack, "pid": os.getpid()}
    info |= {"lineage": memory.lineage, "since": time.time()}

    def warn(message: str) -> None:
        means.request.listener(Event("warning", message))

    async with held_hosts(links, token, info, means.writer.held, warn) as locks:
        hold = LockedHosts(token, locks.again, links)
        yield hold
        if hold.kept:
            there = marks_of_rows(means.writer.rows())
            mine = replace(named_by_hosts(claimant_of(memory), seen.whose), serial=means.writer.serial)
            marking = Marking(mine, means.request.who, token)
            locks.partings.update({h: marking.parting(h, there.get(h, {}), seen.whose) for h in links})
