"""Drift: recorded against observed. Reads the state and the hosts: no stack, no variable is needed.

Where the stack can be loaded all the same, it shows what has changed in files: a state has their hashes only.

Changes by a run in progress are not drift: differences found while one was in progress are checked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..address import Address
from ..contract import Desired, Facts, Health, Provider, View
from ..errors import HacoreError, ProviderError, StoreError
from ..load.request import LoadRequest
from ..load.stack import Stack
from ..model import Host, has_loaded, has_loaded_deleted
from ..plan import Drift, answered_by, askers, asks_of_recorded, drift_of, merge_asks, recorded_views, revive
from ..plan.sealing import with_secrets
from ..plan.views import views_of
from ..probe.logins import ASK_LOGINS, LOGINS, logged_in
from ..secrets import Secrets
from ..store import LockInfo, StateReader, host_from_json
from ..store.holder import is_dead
from ..urls import shown_url
from .connections import Hosts, answered
from .means import Means
from .ownership import claimant_of, ownership, with_markers
from .pair_looks import Items, look_at_pairs, serving_asks
from .results import DriftReport
from .second_look import probed_twice
from .snapshot import StateSnapshot, living, read_snapshot

AGAIN = 1.0  # seconds between two checks whether a run has ended


async def drift(
    state_url: str, means: Means, *, timeout: float | None = None, stack: LoadRequest | None = None
) -> DriftReport:
    """Compare all that is recorded with the hosts. `timeout` (seconds) bounds the whole, with the wait for a
    run in progress to end. `stack`: where the contents of files are, for hunks; a stack that cannot be loaded has none.

    Raises StoreError when there is no state, or drift cannot be determined; writes nothing.
    """
    snapshot = await _read(state_url)
    hosts = means.hosts()
    why = "the hosts did not answer"
    contents = _Contents(stack, means.providers)
    try:
        async with asyncio.timeout(timeout):
            while True:
                report = await _compare(snapshot, hosts, means.providers, contents)
                if not report.differs:
                    return report
                later = await _read(state_url)
                if not _lock_owner(later) and _moment(later) == _moment(snapshot):
                    return report
                while busy := _lock_owner(later):
                    why = f"a run by {busy} is in progress and did not end"
                    if timeout is None:
                        raise StoreError(
                            f"cannot check for drift: a run by {busy} is in progress; try again afterwards"
                        )
                    await asyncio.sleep(AGAIN)
                    later = await _read(state_url)
                snapshot = later
    except TimeoutError:
        raise StoreError(f"cannot check for drift: {why} within {timeout:g}s") from None
    finally:
        await hosts.close()


async def _read(state_url: str) -> StateSnapshot:
    def read() -> StateSnapshot:
        reader = StateReader.open(state_url)
        if reader is None:
            where = shown_url(state_url)
            raise StoreError(f"cannot check for drift: there is no state at {where} yet; `hacore apply` creates it")
        with reader:
            return living(read_snapshot(reader), state_url)

    return await asyncio.to_thread(read)


def _moment(snapshot: StateSnapshot) -> tuple[int, int, int]:
    """What a run changes in the state, even one that was rolled back."""
    return snapshot.serial, len(snapshot.runs), snapshot.runs[-1].id if snapshot.runs else 0


def _lock_owner(snapshot: StateSnapshot) -> LockInfo | None:
    """The owner of the state's lock, unless it is certainly dead."""
    return snapshot.lock if snapshot.lock is not None and not is_dead(snapshot.lock) else None


def recorded_hosts(snapshot: StateSnapshot) -> dict[str, Host]:
    """The hosts of recorded rows, as recorded."""
    used = {h for row in snapshot.rows.values() for h in row.hosts}
    return {n: host_from_json(r.host) for n, r in sorted(snapshot.hosts.items()) if n in used}


class _Contents:
    """The desired state by the stack, loaded when it is needed: the state does not keep the contents of files."""

    def __init__(self, request: LoadRequest | None, providers: Mapping[str, Provider[Any]]) -> None:
        self._request = request
        self._providers = providers

    @cached_property
    def _stack(self) -> Stack | None:
        from ..load import load

        try:
            return None if self._request is None else load(self._request, self._providers)
        except HacoreError:  # a variable is missing, or the file is being edited
            return None

    def desired(self, address: Address, known: Mapping[str, Host], facts: Mapping[str, Facts]) -> Desired | None:
        """The desired state of an address; None if the stack does not have it."""
        stack = self._stack
        instance = None if stack is None else stack.instances.get(address)
        if stack is None or instance is None:
            return None
        same_kind = {a: (i.spec, i.hosts) for a, i in stack.instances.items() if a.kind == address.kind}
        view = views_of(same_kind, known, facts, self._providers)[address]
        found = _desired(self._providers[address.kind], view)
        return None if found is None else with_secrets(found, instance.sensitive, Secrets(stack.secrets))


async def _compare(
    snapshot: StateSnapshot, hosts: Hosts, providers: Mapping[str, Provider[Any]], contents: _Contents
) -> DriftReport:
    known = recorded_hosts(snapshot)
    hosts.connect(known)
    recorded = revive(snapshot.rows, providers)
    hosts.askers = lambda: askers([(a.kind, item.spec) for a, item in recorded.items()], providers)
    items: Items = {a: (item.spec, item.row.hosts) for a, item in recorded.items()}
    asks = with_markers(merge_asks(asks_of_recorded(recorded, providers), serving_asks(items, providers)), known)
    asks = merge_asks(asks, {name: [ASK_LOGINS] for name in known})
    once = await hosts.probe(asks, known)
    statuses = await probed_twice(once, recorded, hosts, providers, snapshot.seal)
    twice = {name for name, status in statuses.items() if status is not once[name]}
    facts = answered(statuses)
    views = recorded_views(recorded, known, facts, providers)
    found: list[Drift] = []
    notes: dict[str, Any] = {}
    health: dict[str, Health] = {}
    checked = 0
    owner = ownership(claimant_of(snapshot), snapshot, facts, known)
    for address, item in sorted(recorded.items()):
        asked = answered_by(item.row.hosts, providers[address.kind].facts(item.spec), facts)
        if address in owner.lost or not asked:
            continue
        checked += 1
        observed = providers[address.kind].observe(views[address])
        drifted = drift_of(item.row, observed, snapshot.seal)
        if drifted is not None and observed is not None and observed.texts:
            drifted = drift_of(item.row, observed, snapshot.seal, _desired(providers[address.kind], views[address]))
            if drifted is not None and not any(attr.hunks for attr in drifted.attrs):
                wanted = await asyncio.to_thread(contents.desired, address, known, facts)
                drifted = drift_of(item.row, observed, snapshot.seal, wanted)
        if drifted is not None and drifted.changed is not None and drifted.host in facts:
            logins = facts[drifted.host].get(LOGINS, "") or ()
            drifted = replace(drifted, logins=logged_in(logins, drifted.changed))
        if drifted is not None:
            found.append(drifted)
        found.extend(_pending(snapshot, address, item.row.loaded) if drifted is None else ())
        if address.host is None and observed is not None:
            notes[str(address)] = dict(observed.info)
            if observed.health is not None:
                health[str(address)] = observed.health
    last = snapshot.runs[-1] if snapshot.runs else None
    served = {a: item for a, item in items.items() if a not in owner.lost}
    look = await look_at_pairs(served, statuses, hosts, providers, snapshot.runs, asked_twice=twice)
    return DriftReport(
        stack=last.stack if last else "",
        lineage=snapshot.lineage,
        serial=snapshot.serial,
        drift=tuple(found),
        unreachable={name: s.error for name, s in statuses.items() if s.facts is None or s.facts.failed},
        checked=checked,
        notes=notes,
        health=health,
        ownership=owner,
        hosts=tuple(known),
        addresses=look.addresses,
    )


def _desired(provider: Provider[Any], view: View[Any]) -> Desired | None:
    """The desired state by a recorded spec, which may lack what the state does not keep."""
    try:
        return provider.desire(view)
    except (ProviderError, ValueError):
        return None


def _pending(snapshot: StateSnapshot, address: Any, loaded: Mapping[str, str | None]) -> list[Drift]:
    """A daemon that has not loaded its newest configuration is drift, too."""
    by_text = {str(a): row for a, row in snapshot.rows.items()}
    late = [
        s for s, d in loaded.items() if (not has_loaded(d, by_text[s].attrs) if s in by_text else has_loaded_deleted(d))
    ]
    if not late:
        return []
    pending = tuple(sorted(late))
    return [Drift(address, (), f"reload pending for {', '.join(pending)}", address.host, pending=pending)]


__all__ = ["drift", "recorded_hosts"]
