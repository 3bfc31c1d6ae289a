"""Drift: recorded against observed. Reads the state and the hosts only: no stack, no variable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ..contract import Provider
from ..errors import StoreError
from ..events import Listener, silent
from ..model import Host, has_taken
from ..plan import Drift, asks_of_recorded, drift_of, recorded_views, revive
from ..store import StateReader
from ..transport import Password, Transport
from ..urls import shown_url
from .custody import claimant_of, custody, with_markers
from .hosts import Connect, Hosts, answered
from .planning import Recollection, recollect
from .results import DriftReport


async def drift(
    state_url: str,
    *,
    providers: Mapping[str, Provider[Any]],
    listener: Listener = silent,
    timeout: float | None = None,
    connect: Connect | None = None,
    password: Password | None = None,
) -> DriftReport:
    """Compare all that is recorded with the hosts. `timeout` (seconds) bounds the whole; `password` is
    sudo's.

    Raises StoreError when there is no state; writes nothing.
    """
    reader = await asyncio.to_thread(StateReader.open, state_url)
    if reader is None:
        where = shown_url(state_url)
        raise StoreError(f"cannot look for drift: there is no state at {where} yet; `hacore apply` makes it")
    with reader:
        memory = recollect(reader)
    hosts = Hosts(Transport(listener=listener, password=password), listener, connect)
    try:
        async with asyncio.timeout(timeout):
            return await _compare(memory, hosts, providers)
    except TimeoutError:
        raise StoreError(f"cannot look for drift: the hosts did not answer within {timeout:g} seconds") from None
    finally:
        await hosts.close()


def recorded_hosts(memory: Recollection) -> dict[str, Host]:
    """The hosts that rows live on, as recorded."""
    used = {h for row in memory.rows.values() for h in row.hosts}
    return {n: Host.model_validate(r.host) for n, r in sorted(memory.hosts.items()) if n in used}


async def _compare(memory: Recollection, hosts: Hosts, providers: Mapping[str, Provider[Any]]) -> DriftReport:
    known = recorded_hosts(memory)
    hosts.connect(known)
    recorded = revive(memory.rows, providers)
    asks = with_markers(asks_of_recorded(recorded, providers), known)
    statuses = await hosts.probe(asks, known)
    facts = answered(statuses)
    views = recorded_views(recorded, known, facts, providers)
    found: list[Drift] = []
    notes: dict[str, Any] = {}
    checked = 0
    whose = custody(claimant_of(memory), memory, facts, known)
    for address, item in sorted(recorded.items()):
        if address in whose.lost or not any(host in facts for host in item.row.hosts):
            continue
        checked += 1
        observed = providers[address.kind].observe(views[address])
        drifted = drift_of(item.row, observed, memory.seal)
        if drifted is not None:
            found.append(drifted)
        found.extend(_pending(memory, address, item.row.loaded) if drifted is None else ())
        if address.host is None and observed is not None:
            notes[str(address)] = dict(observed.info)
    last = memory.runs[-1] if memory.runs else None
    return DriftReport(
        stack=last.stack if last else "",
        lineage=memory.lineage,
        serial=memory.serial,
        drift=tuple(found),
        unreachable={name: s.error for name, s in statuses.items() if s.facts is None},
        checked=checked,
        notes=notes,
        custody=whose,
    )


def _pending(memory: Recollection, address: Any, loaded: Mapping[str, str | None]) -> list[Drift]:
    """A daemon that has not taken in its newest configuration is drift, too."""
    by_text = {str(a): row for a, row in memory.rows.items()}
    late = [s for s, d in loaded.items() if s in by_text and not has_taken(d, by_text[s].attrs)]
    if not late:
        return []
    return [Drift(address, (), f"has not taken in {', '.join(sorted(late))} yet", address.host)]


__all__ = ["drift", "recorded_hosts"]
