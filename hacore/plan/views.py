"""Views of desired and of recorded instances, and the questions that they need answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..address import Address
from ..contract import NO_RULES, Ask, Facts, Provider, Spec, View
from ..errors import PlanError
from ..load.contained import naming
from ..load.registry import why_missing
from ..load.stack import Instance
from ..model import Host, Lifecycle, Row

Providers = Mapping[str, Provider[Any]]
NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the state with its spec brought back to life."""

    row: Row
    spec: Spec


def revive(rows: Mapping[Address, Row], providers: Providers) -> dict[Address, Recorded]:
    """The recorded specs as models; raises PlanError for a kind that is not installed or cannot read its spec."""
    revived: dict[Address, Recorded] = {}
    for address, row in rows.items():
        provider = providers.get(address.kind)
        if provider is None:
            raise PlanError(
                f"cannot plan {address}: {why_missing(providers, address.kind)}; "
                f"install it, or forget the resource with `hacore state rm {address}`"
            )
        try:
            revived[address] = Recorded(row, provider.spec.model_validate(row.spec))
        except ValueError as error:
            raise PlanError(f"cannot read what the state records of {address}: {error}") from error
    return revived


def asks_of_desired(instances: Mapping[Address, Instance], providers: Providers) -> dict[str, list[Ask]]:
    """Questions per host for all that is wanted."""
    return _asks(((a, i.spec, i.hosts) for a, i in instances.items()), providers)


def asks_of_recorded(recorded: Mapping[Address, Recorded], providers: Providers) -> dict[str, list[Ask]]:
    """Questions per host for all that is recorded."""
    return _asks(((a, r.spec, r.row.hosts) for a, r in recorded.items()), providers)


def _asks(items: Iterator[tuple[Address, Spec, tuple[str, ...]]], providers: Providers) -> dict[str, list[Ask]]:
    asks: dict[str, list[Ask]] = {}
    known = list(items)
    with naming((address, spec) for address, spec, _ in known):
        for address, spec, hosts in known:
            questions = providers[address.kind].facts(spec)
            for host in hosts:
                asks.setdefault(host, []).extend(questions)
    return asks


def merge_asks(desired: Mapping[str, Sequence[Ask]], recorded: Mapping[str, Sequence[Ask]]) -> dict[str, list[Ask]]:
    """All questions of each host; a wanted instance decides how its question is asked.

    What is recorded asks without content, because it needs none; that must not keep the content
    from the plan's hunks. Where the wanted one's own question is secret, it stays secret.
    """
    merged: dict[str, list[Ask]] = {host: list(asks) for host, asks in desired.items()}
    for host, asks in recorded.items():
        own = merged.setdefault(host, [])
        known = {ask.id for ask in own}
        own.extend(ask for ask in asks if ask.id not in known)
    return merged


def desired_views(
    instances: Mapping[Address, Instance], hosts: Mapping[str, Host], facts: Mapping[str, Facts], providers: Providers
) -> dict[Address, View[Any]]:
    """A view of each wanted instance."""
    items = ((a, i.spec, i.hosts, i.lifecycle) for a, i in instances.items())
    views = _views(items, hosts, facts, providers)
    needs = {a: tuple(str(need.selector) for need in i.needs) for a, i in instances.items() if i.needs}
    return {address: replace(view, needs=needs.get(address, ())) for address, view in views.items()}


def recorded_views(
    recorded: Mapping[Address, Recorded],
    hosts: Mapping[str, Host],
    facts: Mapping[str, Facts],
    providers: Providers,
) -> dict[Address, View[Any]]:
    """A view of each recorded instance."""
    items = ((a, r.spec, r.row.hosts, r.row.lifecycle) for a, r in recorded.items())
    return _views(items, hosts, facts, providers)


def views_of(
    items: Mapping[Address, tuple[Spec, tuple[str, ...]]],
    hosts: Mapping[str, Host],
    facts: Mapping[str, Facts],
    providers: Providers,
) -> dict[Address, View[Any]]:
    """A view of each spec on its hosts, without rules of a block."""
    return _views(((a, spec, where, NO_RULES) for a, (spec, where) in items.items()), hosts, facts, providers)


def _views(
    items: Iterator[tuple[Address, Spec, tuple[str, ...], Lifecycle]],
    hosts: Mapping[str, Host],
    facts: Mapping[str, Facts],
    providers: Providers,
) -> dict[Address, View[Any]]:
    known = list(items)
    members: dict[tuple[str, str, str | None], dict[str, tuple[Any, Facts]]] = {}
    companions: dict[tuple[str | None, str, str], list[tuple[Address, Any]]] = {}
    own: dict[Address, Mapping[str, Facts]] = {}
    with naming((address, spec) for address, spec, _, _ in known):
        aggregates = {address: providers[address.kind].aggregate(spec) for address, spec, _, _ in known}
        for address, spec, where, _ in known:
            own[address] = _answers(address, spec, where, facts, providers)
    for address, spec, where, _ in known:
        group = members.setdefault((address.kind, address.name, address.key), {})
        group.update((host, (spec, own[address].get(host, NO_FACTS))) for host in where)
        if (name := aggregates[address]) is not None:
            companions.setdefault((address.host, address.kind, name), []).append((address, spec))
    shared = {key: tuple(sorted(group, key=lambda item: item[0])) for key, group in companions.items()}
    return {
        address: View(
            address=address,
            spec=spec,
            host=hosts.get(address.host) if address.host else None,
            facts=own[address].get(address.host, NO_FACTS) if address.host else NO_FACTS,
            members=members[address.kind, address.name, address.key],
            companions=shared.get((address.host, address.kind, aggregates[address] or ""), ()),
            lifecycle=lifecycle,
        )
        for address, spec, _, lifecycle in known
    }


def _answers(
    address: Address, spec: Spec, where: tuple[str, ...], facts: Mapping[str, Facts], providers: Providers
) -> Mapping[str, Facts]:
    """The facts of an instance's hosts; one that did not answer all of its questions is to it as if out of reach."""
    if not any(facts[host].failed for host in where if host in facts):
        return facts
    asks = providers[address.kind].facts(spec)
    return {host: facts[host] for host in where if host in facts and not facts[host].unanswered(asks)}
