"""What hosts report of the addresses that they serve together: asked, asked again where it looks bad, and judged.

Hosts answer in parallel, but not at the same instant: during a move one may have answered before it held the
address, the other after it released it. Only what two looks one second apart show is reported as an outage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..address import Address
from ..contract import Ask, Check, Daemon, Facts, Provider, Served, Spec, Verdict, View
from ..model import Host
from ..plan import HostStatus
from ..plan.views import views_of
from ..store import RunRecord
from .connections import Hosts, answered
from .second_look import PAUSE, updated
from .verdicts import OUTAGES, AddressStatus, assess

Providers = Mapping[str, Provider[Any]]
Items = Mapping[Address, tuple[Spec, tuple[str, ...]]]
"""Specs with the hosts of their resources."""

ELECTION = 10.0
"""Seconds after a run in which a move is still the run's: the members elect a holder."""

SEALED = "hmac:"
"""The beginning of a value that the state keeps as an HMAC: it cannot be asked for."""


@dataclass(frozen=True, slots=True)
class PairLook:
    """The status of the addresses, and the daemons of each host."""

    addresses: tuple[AddressStatus, ...] = ()
    daemons: Mapping[str, tuple[Daemon, ...]] | None = None


def serving_asks(items: Items, providers: Providers) -> dict[str, list[Ask]]:
    """The questions of `served` and `daemons`, by host."""
    asks: dict[str, list[Ask]] = {}
    for address, (spec, where) in items.items():
        for ask in providers[address.kind].serving_facts(spec):
            for host in where:
                asks.setdefault(host, []).append(ask)
    return asks


async def look_at_pairs(
    items: Items,
    statuses: Mapping[str, HostStatus],
    hosts: Hosts,
    providers: Providers,
    runs: Sequence[RunRecord] = (),
    *,
    asked_twice: Collection[str] = (),
    ask_checks: bool = False,
) -> PairLook:
    """Judge by the answers in `statuses`; ask again, once, where an address has no holder or several.

    `asked_twice`: hosts of which the answers are a second look already. `ask_checks`: this machine asks the health
    checks, too. `runs`: their own moves are not counted.
    """
    known = {name: status.host for name, status in statuses.items()}
    facts = answered(statuses)
    found = _judge(items, known, facts, providers, runs)
    if any(
        one.verdict in OUTAGES and not {m.host for m in one.members}.issubset(asked_twice) for one in found.addresses
    ):
        await asyncio.sleep(PAUSE)
        facts = await _again(items, facts, hosts, providers)
        found = _judge(items, known, facts, providers, runs)
    if not ask_checks:
        return found
    asked = await _asked(items, known, facts, providers)
    return _judge(items, known, facts, providers, runs, asked)


async def _again(items: Items, facts: Mapping[str, Facts], hosts: Hosts, providers: Providers) -> dict[str, Facts]:
    asks = serving_asks(items, providers)
    for address, (spec, where) in items.items():
        for host in where if host_serves(providers[address.kind]) else ():
            asks.setdefault(host, []).extend(providers[address.kind].facts(spec))
    later = answered(await hosts.probe(asks, [name for name in asks if name in facts]))
    return {
        name: replace(updated(old, new), host=new.host) if (new := later.get(name)) is not None else old
        for name, old in facts.items()
    }


def host_serves(provider: Provider[Any]) -> bool:
    """Whether a kind reports addresses at all."""
    return type(provider).served is not Provider.served


def _judge(
    items: Items,
    known: Mapping[str, Host],
    facts: Mapping[str, Facts],
    providers: Providers,
    runs: Sequence[RunRecord],
    asked: Mapping[str, Sequence[Verdict]] | None = None,
) -> PairLook:
    seen: list[tuple[str, Served]] = []
    daemons: dict[str, dict[str, Daemon]] = {}
    for address, view in views_of(items, known, facts, providers).items():
        provider = providers[address.kind]
        seen += [(str(address.resource), served) for served in provider.served(view)]
        if address.host is not None and address.host in facts:
            own = daemons.setdefault(address.host, {})
            for daemon in provider.daemons(view):
                if daemon.name not in own or daemon.wanted is not None:
                    own[daemon.name] = daemon
    by_host = {host: tuple(own[name] for name in sorted(own)) for host, own in sorted(daemons.items())}
    found = assess(seen, by_host, asked)
    return PairLook(tuple(_without_own_moves(one, runs) for one in found), by_host)


def _without_own_moves(status: AddressStatus, runs: Sequence[RunRecord]) -> AddressStatus:
    """Moves during a run of this state are the run's."""

    def foreign(at: float) -> bool:
        return not any(run.started - 1 <= at <= (run.ended or at) + ELECTION for run in runs)

    members = (replace(m, takeovers=tuple(at for at in m.takeovers if foreign(at))) for m in status.members)
    return replace(status, members=tuple(members))


async def _asked(
    items: Items, known: Mapping[str, Host], facts: Mapping[str, Facts], providers: Providers
) -> dict[str, list[Verdict]]:
    """The checks of each address, asked by this machine."""
    from ..walk import ask_all

    checks: dict[Address, tuple[Check, ...]] = {}
    about: dict[Address, list[str]] = {}
    views: Mapping[Address, View[Any]] = views_of(items, known, facts, providers)
    for address, (spec, _) in items.items():
        provider = providers[address.kind]
        checks[address] = tuple(check for check in provider.checks(spec) if SEALED not in check.http)
        if checks[address]:
            about[address] = [served.address for served in provider.served(views[address])]
    found: dict[str, list[Verdict]] = {}
    for address, answers in (await ask_all({a: c for a, c in checks.items() if c})).items():
        for served in about[address]:
            found.setdefault(served, []).extend(Verdict(check.http, not why, why or "ok") for check, why in answers)
    return found


__all__ = ["PairLook", "look_at_pairs", "serving_asks"]
