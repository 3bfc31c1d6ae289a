"""Pending reloads and restarts, as a function of what is recorded and what is planned.

A consumer's row holds `loaded`: for each source the digest of the source's attrs when the consumer
last took them in. NULL or another digest means pending. A source that changes in this plan makes it
pending, too; a start in this plan swallows both. So does a source that goes: the daemon runs on with what
it read there until it reads again, after the delete, which a start before that does not replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace

from ..address import Address
from ..contract import Change, Trigger
from ..graph import by_resource, members
from ..graph.build import Index
from ..model import Action, Disrupts, Op, has_loaded, has_loaded_deleted, marked_keys, strongest
from .inputs import Comparison, Inputs
from .targets import Scope
from .tasks import Draft
from .types import PlannedChange

_TOUCHING = (Action.CREATE, Action.UPDATE, Action.REPLACE)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a consumer is pulled by: its source addresses and the strongest operation."""

    consumer: Address
    op: Disrupts
    sources: tuple[Address, ...]
    left_by: int = 0  # the run that left it pending; 0: this plan's changes cause it


def plan_triggers(
    outcome: Comparison, given: Inputs, scope: Scope | None = None
) -> tuple[list[Draft], list[PlannedChange]]:
    """Tasks for all triggers, and changes for consumers that are only reloaded or restarted.

    Within a scope: also of a daemon outside, when something inside changes that it must take in.
    """
    changed = {c.address: c for c in outcome.changes if c.action in _TOUCHING}
    going = {c.address for c in outcome.changes if c.action is Action.DELETE}
    adopted = {c.address for c in outcome.changes if c.action is Action.ADOPT}
    index = by_resource(given.stack)
    drafts: list[Draft] = []
    extra: list[PlannedChange] = []
    for address in given.graph.order:
        own = changed.get(address)
        starts = own is not None and given.providers[address.kind].loads(own.change)
        pulled = _pulled(address, changed, going, index, given, starts=starts)
        if pulled is None or (scope is not None and not _concerns(scope, address, pulled, changed.keys() | going)):
            continue
        still = outcome.still.get(address) or _left_alone(address, scope)
        if address not in outcome.views or (still is None and own is None and address not in adopted):
            continue
        drafts.append(
            Draft(
                key=f"{pulled.op} {address}",
                op=Op.TRIGGER,
                kind=address.kind,
                host=address.host,
                addresses=(address,),
                trigger=pulled.op,
                sources=pulled.sources,
                disrupts=pulled.op,
            )
        )
        if still is not None:
            extra.append(_consumer_change(still, pulled))
    return drafts, extra


def _concerns(scope: Scope, consumer: Address, pulled: Pulled, changed: Set[Address]) -> bool:
    """Whether a trigger is part of what was asked for."""
    if consumer in scope.silent:
        return False
    return consumer in scope.inside or any(source in changed for source in pulled.sources)


def _left_alone(address: Address, scope: Scope | None) -> PlannedChange | None:
    """A recorded daemon whose own change is left out: as it is, it takes in what changes."""
    aside = None if scope is None else scope.aside.get(address)
    if aside is None or aside.row is None or aside.observed is None or aside.desired is None:
        return None
    found = aside.observed.attrs
    attrs = {key: found[key] for key in aside.desired.attrs or {} if key in found}
    return replace(aside, desired=replace(aside.desired, attrs=attrs), irreversible="")


def sources_of(address: Address, given: Inputs, index: Index) -> Iterator[tuple[Address, Trigger]]:
    """The addresses that this one's reload and restart hang on, each with its trigger."""
    instance = given.stack.instances[address]
    provider = given.providers[address.kind]
    for trigger in provider.triggers(instance.spec, address):
        for source in members(address.host, index, Address.parse(trigger.source)):
            yield source, trigger


def gone_sources(address: Address, going: Set[Address], given: Inputs) -> Iterator[tuple[Address, Trigger]]:
    """What a consumer has loaded and that goes (`going`), or has gone without the consumer knowing it."""
    recorded = given.recorded.get(address)
    if recorded is None or not recorded.row.loaded:
        return
    known = list(given.providers[address.kind].triggers(recorded.spec, address))
    for text, mark in recorded.row.loaded.items():
        source = Address.parse(text)
        unaware = source not in given.recorded and has_loaded_deleted(mark)
        if source in given.stack.instances or not (source in going or unaware):
            continue
        named = (trigger for trigger in known if Address.parse(trigger.source).resource == source.resource)
        yield source, next(named, Trigger(text, "reload", marked_keys(mark)))


def all_sources(given: Inputs, going: Set[Address]) -> dict[Address, dict[Address, tuple[str, ...]]]:
    """What each consumer's triggers hang on, what goes as well, and the attrs that count (none named: all)."""
    index = by_resource(given.stack)
    found = {
        address: {
            source: trigger.attrs
            for pulls in (sources_of(address, given, index), gone_sources(address, going, given))
            for source, trigger in pulls
        }
        for address in given.stack.instances
    }
    return {address: sources for address, sources in found.items() if sources}


def counts(planned: PlannedChange, attrs: tuple[str, ...]) -> bool:
    """Whether a change is one that a trigger on `attrs` cares for."""
    if not attrs or planned.action is not Action.UPDATE or not planned.attrs:
        return True
    return any(change.path.partition(".")[0].partition("[")[0] in attrs for change in planned.attrs)


def _pulled(
    address: Address,
    changed: Mapping[Address, PlannedChange],
    going: Set[Address],
    index: Index,
    given: Inputs,
    *,
    starts: bool,
) -> Pulled | None:
    recorded = given.recorded.get(address)
    loaded = recorded.row.loaded if recorded else {}
    op: Disrupts = "none"
    sources: list[Address] = []
    left_by = 0
    for source, trigger in () if starts else sources_of(address, given, index):
        row = given.recorded[source].row if source in given.recorded else None
        now = source in changed and counts(changed[source], trigger.attrs)
        left = not now and row is not None and str(source) in loaded and not has_loaded(loaded[str(source)], row.attrs)
        if now or left:
            sources.append(source)
            op = strongest(op, trigger.op)
        if left and row is not None:
            left_by = max(left_by, row.run)
    for source, trigger in gone_sources(address, going, given):
        if source in going or not starts:
            sources.append(source)
            op = strongest(op, trigger.op)
    return Pulled(address, op, tuple(sources), left_by) if sources else None


def _consumer_change(still: PlannedChange, pulled: Pulled) -> PlannedChange:
    """A consumer that is itself as wanted shows as an update: its daemon is not."""
    names = ", ".join(str(s) for s in pulled.sources)
    if pulled.left_by:
        reason = f"{pulled.op} pending since run {pulled.left_by}: {names}"
    else:
        reason = f"{pulled.op} because of {names}"
    change: Change[object] = replace(still.change, action=Action.UPDATE)  # type: ignore[type-var]
    return replace(
        still,
        action=Action.UPDATE,
        change=change,
        reason=reason,
        effect=f"{pulled.op} {still.address.name}",
        attrs=(),
        disrupts=pulled.op,
    )
