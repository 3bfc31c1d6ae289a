"""The hosts of a state during maintenance: asked, judged, and one of them locked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..address import Address
from ..contract import Drained, Maintenance, View
from ..errors import PlanError, UsageError
from ..model import Host
from ..plan import HostStatus, asks_of_recorded, merge_asks, revive
from ..plan.views import views_of
from ..probe import Frame, HostLink
from ..spelling import suggestion
from ..store import StateWriter
from .connections import Hosts, answered
from .drift_check import recorded_hosts
from .host_locks import HeldHosts, held_hosts
from .means import Means
from .ownership import check_ownership, claimant_of, ownership, with_markers
from .pair_looks import Items, PairLook, look_at_pairs, serving_asks
from .snapshot import StateSnapshot, last_run, read_snapshot
from .verdicts import OUTAGES, AddressStatus

PAUSE = 0.5
"""Seconds between two looks."""

SBIN = "PATH=$PATH:/usr/sbin:/sbin; "
"""Before a script of the engine: a connection's own PATH may lack the folders of ip(8), ss(8) and reboot(8)."""


@dataclass
class MaintenanceSite:
    """The hosts of a state, asked and judged. `what`: the command, for messages."""

    means: Means
    what: str
    snapshot: StateSnapshot
    items: Items
    known: Mapping[str, Host]
    hosts: Hosts
    held: HeldHosts
    statuses: Mapping[str, HostStatus] = field(default_factory=dict)
    look: PairLook = field(default_factory=PairLook)

    async def ask(self) -> None:
        """Ask all hosts, and judge."""
        recorded = revive(self.snapshot.rows, self.means.providers)
        asks = merge_asks(
            asks_of_recorded(recorded, self.means.providers), serving_asks(self.items, self.means.providers)
        )
        self.statuses = await self.hosts.probe(with_markers(asks, self.known), self.known)
        self.look = await look_at_pairs(
            self.items, self.statuses, self.hosts, self.means.providers, self.snapshot.runs, ask_checks=True
        )

    def views(self, host: str) -> dict[Address, View[Any]]:
        """The views of the resources on a host."""
        found = views_of(self.items, self.known, answered(self.statuses), self.means.providers)
        return {address: view for address, view in found.items() if address.host == host}

    def maintained(self, host: str, order: Drained, only: Sequence[str] = ()) -> dict[Address, Maintenance]:
        """How the resources of a host are drained. Raises UsageError if there are none, or not all of `only`."""
        units = [d.name for d in (self.look.daemons or {}).get(host, ()) if d.wanted]
        found: dict[Address, Maintenance] = {}
        for address, view in self.views(host).items():
            if (one := self.means.providers[address.kind].maintenance(view, order, units)) is not None:
                found[address] = one
        names = sorted(one.name for one in found.values())
        if not found:
            raise UsageError(f"cannot {self.what} {host}: nothing on it serves an address together with another host")
        if wrong := sorted(set(only) - set(names)):
            hint = suggestion(wrong[0], names, "there is no such")
            raise UsageError(f"cannot {self.what} {wrong[0]} on {host}: {hint}")
        return {address: one for address, one in found.items() if not only or one.name in only}

    def served_by(self, host: str, chosen: Mapping[Address, Maintenance]) -> list[AddressStatus]:
        """The addresses of the chosen resources."""
        names = {str(address.resource) for address in chosen}
        return [a for a in self.look.addresses if names & set(a.resources) and any(m.host == host for m in a.members)]

    async def steps(self, host: str, steps: Sequence[tuple[str, Any]], what: str) -> None:
        """Run steps on a host under its lock. Raises PlanError with the output of the one that failed."""
        frame = Frame("maintenance", tuple(step for _, step in steps))
        link = await self.hosts.link(host)
        result = (await link.steps([frame], self.held.token)).results[frame.id]
        if (out := result.failed) is not None:
            text = (out.stderr or out.stdout).decode("utf-8", "replace").strip()
            raise PlanError(f"cannot {what} {host}: {text or f'exit code {out.rc}'}")

    async def until(self, host: str, chosen: Mapping[Address, Maintenance], test: str) -> list[str]:
        """Ask until `drained` or `back` is true of all; the names of those of which it is not true in time."""
        end = time.monotonic() + max(one.patience for one in chosen.values())
        while True:
            await self.ask()
            views = self.views(host)
            left = [one.name for address, one in chosen.items() if not getattr(one, test)(views[address])]
            if not left or time.monotonic() >= end:
                return left
            await asyncio.sleep(PAUSE)

    async def settled(self, addresses: Sequence[str], within: float) -> None:
        """Ask until each of the addresses has one holder, at most `within` seconds."""
        end = time.monotonic() + within
        while any(one.verdict in OUTAGES for one in self.look.addresses if one.address in addresses):
            if time.monotonic() >= end:
                return
            await asyncio.sleep(PAUSE)
            await self.ask()


@asynccontextmanager
async def maintenance_site(means: Means, state_url: str, host: str, what: str) -> AsyncIterator[MaintenanceSite]:
    """The hosts of a state, with the lock of the state and of one host."""
    async with await StateWriter.open(state_url, who=means.who, what=what) as writer:
        snapshot = read_snapshot(writer, keyless=True)
        known = recorded_hosts(snapshot)
        if host not in known:
            hint = suggestion(host, sorted(known), "no host is recorded yet: `hacore apply` first")
            raise UsageError(f"cannot {what} {host}: the state has no such host; {hint}")
        hosts = means.hosts()
        hosts.connect(known)
        try:
            links: Mapping[str, HostLink] = {host: await hosts.link(host)}
            last = last_run(snapshot)
            stack = last.stack if last else ""
            async with held_hosts(links, writer, who=means.who, what=what, stack=stack, warn=means.warn) as held:
                recorded = revive(snapshot.rows, means.providers)
                items: Items = {a: (item.spec, item.row.hosts) for a, item in recorded.items()}
                site = MaintenanceSite(means, what, snapshot, items, known, hosts, held)
                await site.ask()
                owner = ownership(claimant_of(snapshot), snapshot, answered(site.statuses), known)
                check_ownership(owner, what)
                yield site
        finally:
            await hosts.close()


__all__ = ["PAUSE", "SBIN", "MaintenanceSite", "maintenance_site"]
