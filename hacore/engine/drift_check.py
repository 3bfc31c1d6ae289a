"""Drift: recorded against observed. Reads the state and the hosts only: no stack, no variable.

What a run is just doing is no drift: what was found while one was at work is looked at again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ..contract import Health, Provider
from ..errors import StoreError
from ..events import Listener, silent
from ..model import Host, has_loaded, has_loaded_deleted
from ..plan import Drift, answered_by, askers, asks_of_recorded, drift_of, recorded_views, revive
from ..store import LockInfo, StateReader, host_from_json
from ..store.holder import is_dead
from ..transport import Password, Transport
from ..urls import shown_url
from .connections import Connect, Hosts, answered
from .ownership import claimant_of, ownership, with_markers
from .results import DriftReport
from .second_look import looked_twice
from .snapshot import StateSnapshot, read_snapshot

AGAIN = 1.0  # seconds between two looks whether a run has ended


async def drift(
    state_url: str,
    *,
    providers: Mapping[str, Provider[Any]],
    listener: Listener = silent,
    timeout: float | None = None,
    connect: Connect | None = None,
    password: Password | None = None,
) -> DriftReport:
    """Compare all that is recorded with the hosts. `timeout` (seconds) bounds the whole, and is how long
    the end of a run that is at work is waited for; `password` is sudo's.

    Raises StoreError when there is no state, or no telling; writes nothing.
    """
    memory = await _recalled(state_url)
    hosts = Hosts(Transport(listener=listener, password=password), listener, connect)
    why = "the hosts did not answer"
    try:
        async with asyncio.timeout(timeout):
            while True:
                report = await _compare(memory, hosts, providers)
                if not report.differs:
                    return report
                later = await _recalled(state_url)
                if not _at_work(later) and _moment(later) == _moment(memory):
                    return report
                while busy := _at_work(later):
                    why = f"{busy} is at work on the hosts and did not end"
                    if timeout is None:
                        raise StoreError(f"cannot look for drift: {busy} is at work on the hosts; try again afterwards")
                    await asyncio.sleep(AGAIN)
                    later = await _recalled(state_url)
                memory = later
    except TimeoutError:
        raise StoreError(f"cannot look for drift: {why} within {timeout:g} seconds") from None
    finally:
        await hosts.close()


async def _recalled(state_url: str) -> StateSnapshot:
    def read() -> StateSnapshot:
        reader = StateReader.open(state_url)
        if reader is None:
            where = shown_url(state_url)
            raise StoreError(f"cannot look for drift: there is no state at {where} yet; `hacore apply` makes it")
        with reader:
            return read_snapshot(reader)

    return await asyncio.to_thread(read)


def _moment(memory: StateSnapshot) -> tuple[int, int, int]:
    """What moves when a run writes: rows, or a run that was undone again."""
    return memory.serial, len(memory.runs), memory.runs[-1].id if memory.runs else 0


def _at_work(memory: StateSnapshot) -> LockInfo | None:
    """Who writes the state now; one that surely died does not."""
    return memory.lock if memory.lock is not None and not is_dead(memory.lock) else None


def recorded_hosts(memory: StateSnapshot) -> dict[str, Host]:
    """The hosts that rows live on, as recorded."""
    used = {h for row in memory.rows.values() for h in row.hosts}
    return {n: host_from_json(r.host) for n, r in sorted(memory.hosts.items()) if n in used}


async def _compare(memory: StateSnapshot, hosts: Hosts, providers: Mapping[str, Provider[Any]]) -> DriftReport:
    known = recorded_hosts(memory)
    hosts.connect(known)
    recorded = revive(memory.rows, providers)
    hosts.askers = lambda: askers([(a.kind, item.spec) for a, item in recorded.items()], providers)
    asks = with_markers(asks_of_recorded(recorded, providers), known)
    statuses = await looked_twice(await hosts.probe(asks, known), recorded, hosts, providers, memory.seal)
    facts = answered(statuses)
    views = recorded_views(recorded, known, facts, providers)
    found: list[Drift] = []
    notes: dict[str, Any] = {}
    health: dict[str, Health] = {}
    checked = 0
    whose = ownership(claimant_of(memory), memory, facts, known)
    for address, item in sorted(recorded.items()):
        asked = answered_by(item.row.hosts, providers[address.kind].facts(item.spec), facts)
        if address in whose.lost or not asked:
            continue
        checked += 1
        observed = providers[address.kind].observe(views[address])
        drifted = drift_of(item.row, observed, memory.seal)
        if drifted is not None:
            found.append(drifted)
        found.extend(_pending(memory, address, item.row.loaded) if drifted is None else ())
        if address.host is None and observed is not None:
            notes[str(address)] = dict(observed.info)
            if observed.health is not None:
                health[str(address)] = observed.health
    last = memory.runs[-1] if memory.runs else None
    return DriftReport(
        stack=last.stack if last else "",
        lineage=memory.lineage,
        serial=memory.serial,
        drift=tuple(found),
        unreachable={name: s.error for name, s in statuses.items() if s.facts is None or s.facts.failed},
        checked=checked,
        notes=notes,
        health=health,
        ownership=whose,
        hosts=tuple(known),
    )


def _pending(memory: StateSnapshot, address: Any, loaded: Mapping[str, str | None]) -> list[Drift]:
    """A daemon that has not taken in its newest configuration is drift, too."""
    by_text = {str(a): row for a, row in memory.rows.items()}
    late = [
        s for s, d in loaded.items() if (not has_loaded(d, by_text[s].attrs) if s in by_text else has_loaded_deleted(d))
    ]
    if not late:
        return []
    return [Drift(address, (), f"has not taken in {', '.join(sorted(late))} yet", address.host)]


__all__ = ["drift", "recorded_hosts"]
