"""A second probe of resources that span several hosts, before they are reported as drift.

Hosts are probed in parallel, but not at the same instant: while a virtual address moves, one host may have answered
before it held the address, and the other after it released it. Such a report would be a false alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Ask, Facts, Provider
from ..plan import HostStatus, Recorded, Seal, drift_of, recorded_views
from .connections import Hosts, answered

PAUSE = 1.0
"""Seconds between the probes: a virtual address has moved long before."""


async def probed_twice(
    statuses: Mapping[str, HostStatus],
    recorded: Mapping[Address, Recorded],
    hosts: Hosts,
    providers: Mapping[str, Provider[Any]],
    seal: Seal,
) -> dict[str, HostStatus]:
    """The statuses, with new answers about resources on several hosts that differ from their rows, if all answered.

    That is one more exec on each of these hosts, and none where nothing differs.
    """
    facts = answered(statuses)
    together = {
        a: item for a, item in recorded.items() if a.host is None and _all_answered(item, facts, providers[a.kind])
    }
    views = recorded_views(together, {name: s.host for name, s in statuses.items()}, facts, providers)
    asks: dict[str, list[Ask]] = {}
    for address, item in together.items():
        if drift_of(item.row, providers[address.kind].observe(views[address]), seal) is not None:
            for name in item.row.hosts:
                asks.setdefault(name, []).extend(providers[address.kind].facts(item.spec))
    if not asks:
        return dict(statuses)
    await asyncio.sleep(PAUSE)
    later = answered(await hosts.probe(asks, asks))
    return {
        name: replace(s, facts=s.facts and updated(s.facts, later[name])) if name in later else s
        for name, s in statuses.items()
    }


def _all_answered(item: Recorded, facts: Mapping[str, Facts], provider: Provider[Any]) -> bool:
    asks = provider.facts(item.spec)
    return all(host in facts and not facts[host].unanswered(asks) for host in item.row.hosts)


def updated(facts: Facts, later: Facts) -> Facts:
    """The answers of a host, with those of a later look in place of the earlier ones."""
    return replace(facts, answers={**facts.answers, **later.answers}, failed={**facts.failed, **later.failed})


__all__ = ["PAUSE", "probed_twice", "updated"]
