"""What a rollback begins with: the hosts that it concerns, as recorded and as they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ...address import Address
from ...contract import Provider
from ...errors import Cancelled, PlanError, UnreachableError
from ...model import JSON, Host, Row
from ...plan import Drift, asks_of_recorded, drift_of, marks_of_rows, merge_asks, recorded_views, revive
from ...probe import HostLink
from ...store import StateWriter, host_from_json, row_from_json
from ..connections import Hosts, answered
from ..drift_check import recorded_hosts
from ..host_locks import HeldHosts, held_hosts
from ..means import Means
from ..ownership import Marking, check_ownership, claimant_of, named_by_hosts, ownership, with_markers
from ..results import RollbackPlan
from ..second_look import probed_twice
from ..snapshot import StateSnapshot
from ..walk_context import Answers

Approve = Callable[[RollbackPlan], Awaitable[bool]]


@dataclass(frozen=True)
class RollbackSession:
    """One rollback: the locked state, the connections, and how the user asked for it."""

    writer: StateWriter
    hosts: Hosts
    means: Means
    approve: Approve
    force: bool = False
    no_irreversible: bool = False


@dataclass(frozen=True, slots=True)
class Preflight:
    """Hosts as they answered. `drifted`: of the addresses asked about; `unreachable`: host to reason."""

    answers: Answers
    drifted: tuple[Drift, ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)


def known_hosts(snapshot: StateSnapshot) -> dict[str, Host]:
    """All hosts that the state can name."""
    return {**{n: host_from_json(r.host) for n, r in snapshot.hosts.items()}, **recorded_hosts(snapshot)}


def concerned(used: Collection[str], rows: Mapping[Address, Row], providers: Mapping[str, Provider[Any]]) -> set[str]:
    """The hosts that are touched, and those that guard each other with them."""
    found = set(used)
    guarding = [a for a in rows if a.kind in providers and type(providers[a.kind]).guard is not Provider.guard]
    groups = {(a.resource, a.key) for a in guarding if set(rows[a].hosts) & found}
    for address in guarding:
        if (address.resource, address.key) in groups:
            found |= set(rows[address].hosts)
    return found


async def probe(
    session: RollbackSession,
    snapshot: StateSnapshot,
    known: Mapping[str, Host],
    names: Collection[str],
    touched: Collection[Address],
    target: Mapping[Address, Row] | None = None,
    *,
    twice: bool = False,
) -> Preflight:
    """Ask the hosts for what is recorded, and for what is to be restored (`target`). `twice`: see `probed_twice`."""
    providers = session.means.providers
    here = {a: r for a, r in snapshot.rows.items() if set(r.hosts) <= set(names)}
    recorded = revive(here, providers)
    back = {a: r for a, r in (target or {}).items() if set(r.hosts) <= set(names)}
    asks = merge_asks(asks_of_recorded(revive(back, providers), providers), asks_of_recorded(recorded, providers))
    statuses = await session.hosts.probe(with_markers(asks, names), sorted(names))
    if twice:
        about = {a: item for a, item in recorded.items() if a in touched}
        statuses = await probed_twice(statuses, about, session.hosts, providers, snapshot.seal)
    facts = answered(statuses)
    views = recorded_views(recorded, known, facts, providers)
    found = [
        drift_of(recorded[a].row, providers[a.kind].observe(views[a]), snapshot.seal)
        for a in sorted(recorded)
        if a in touched and set(recorded[a].row.hosts) <= facts.keys()
    ]
    unreachable = {name: status.error for name, status in statuses.items() if status.facts is None}
    owner = ownership(claimant_of(snapshot), snapshot, facts, known)
    return Preflight(Answers(known, facts, views, owner), tuple(d for d in found if d is not None), unreachable)


def check_rollback(shown: RollbackPlan, seen: Preflight, session: RollbackSession, *, strict: bool) -> None:
    """Raise what prevents a rollback from beginning. `strict`: also what somebody changed since."""
    check_ownership(seen.answers.ownership, "roll back")
    if shown.unreachable:
        raise UnreachableError("; ".join(shown.unreachable.values()))
    if strict and shown.drifted and not session.force:
        what = ", ".join(str(d.address) for d in shown.drifted)
        raise PlanError(f"cannot roll back: {what} changed since run {shown.run.id}; --force overwrites the change")
    if session.no_irreversible and shown.irreversible:
        what = "; ".join(f"{item.address}: {item.irreversible}" for item in shown.irreversible)
        raise PlanError(f"cannot roll back with --no-irreversible: {what}")


async def ask_approval(shown: RollbackPlan, session: RollbackSession) -> None:
    """Ask the user; raises Cancelled."""
    if not await session.approve(shown):
        raise Cancelled("rollback cancelled")


@dataclass
class LockedHosts:
    """Locked hosts. `settled`: all ended well, so their markers name what is recorded."""

    held: HeldHosts
    settled: bool = False

    async def claim(
        self,
        session: RollbackSession,
        snapshot: StateSnapshot,
        seen: Preflight,
        restored: Iterable[Mapping[Address, JSON | None]],
    ) -> None:
        """Mark the hosts before anything is touched: with what is recorded, and what is to be restored."""
        rows = [row_from_json(row) for some in restored for row in some.values() if row is not None]
        coming, recorded = marks_of_rows({row.address: row for row in rows}), marks_of_rows(snapshot.rows)
        links, owner = self.held.links, seen.answers.ownership
        claims = {h: {**coming.get(h, {}), **recorded.get(h, {})} for h in sorted(links)}
        mine = named_by_hosts(claimant_of(snapshot), owner)
        await Marking(mine, session.means.who, self.held.token).claim(claims, owner, links)


@asynccontextmanager
async def locked_hosts(
    session: RollbackSession, snapshot: StateSnapshot, seen: Preflight, stack: str, links: Mapping[str, HostLink]
) -> AsyncIterator[LockedHosts]:
    """Hold the hosts' locks while a rollback lasts."""
    means, writer, owner = session.means, session.writer, seen.answers.ownership
    async with held_hosts(links, writer, who=means.who, what="rollback", stack=stack, warn=means.warn) as held:
        locked = LockedHosts(held)
        yield locked
        if locked.settled:
            recorded = marks_of_rows(writer.rows())
            mine = replace(named_by_hosts(claimant_of(snapshot), owner), serial=writer.serial)
            marking = Marking(mine, means.who, held.token)
            held.partings.update({h: marking.parting(h, recorded.get(h, {}), owner) for h in links})
