"""Pending reloads and restarts, as a function of the recorded rows and the planned changes. Pure.

A consumer's row holds `loaded`: for each source the digest of the attrs that the consumer last loaded. NULL or
another digest means pending. A source that changes in this plan makes it pending, too; a start in this plan covers
both. A deleted source is different: the daemon still runs with it, and reads again only after the delete, which a
start before that does not replace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from enum import Enum

from ..address import Address
from ..contract import Change, Trigger
from ..graph import by_resource, members
from ..graph.build import Index
from ..model import Action, Disrupts, Op, Row, has_loaded, has_loaded_deleted, marked_keys, strongest
from .draft import Draft
from .inputs import Comparison, Inputs
from .targets import Scope
from .types import PlannedChange

_TOUCHING = (Action.CREATE, Action.UPDATE, Action.REPLACE)


class Reason(Enum):
    """Why a source makes its consumer reload or restart."""

    CHANGED = "this plan changes it"
    PENDING = "an earlier run changed it, and the consumer did not load it"
    DELETED = "it is deleted, and the consumer still runs with it"


@dataclass(frozen=True, slots=True)
class Pulled:
    """The reload or restart of a consumer: its sources, each with the reason, and the strongest operation."""

    consumer: Address
    op: Disrupts
    reasons: Mapping[Address, Reason]
    left_by: int  # the newest run that left it pending; 0: only this plan causes it

    @property
    def sources(self) -> tuple[Address, ...]:
        """The addresses that it loads, in the order of its triggers."""
        return tuple(self.reasons)


def plan_triggers(
    outcome: Comparison, given: Inputs, scope: Scope | None = None
) -> tuple[list[Draft], list[PlannedChange]]:
    """Tasks for all triggers, and changes for consumers that are only reloaded or restarted.

    Within a scope: also of a daemon outside, when it must load a change inside.
    """
    changed = {c.address: c for c in outcome.changes if c.action in _TOUCHING}
    deleted = {c.address for c in outcome.changes if c.action is Action.DELETE}
    adopted = {c.address for c in outcome.changes if c.action is Action.ADOPT}
    index = by_resource(given.stack)
    drafts: list[Draft] = []
    extra: list[PlannedChange] = []
    for address in given.graph.order:
        own = changed.get(address)
        starts = own is not None and given.providers[address.kind].loads(own.change)
        pulled = _pulled(address, changed, deleted, index, given, starts=starts)
        if pulled is None or (scope is not None and not _concerns(scope, address, pulled, changed.keys() | deleted)):
            continue
        still = outcome.still.get(address) or _left_alone(address, scope)
        if still is None and own is None and address not in adopted:  # its host did not answer
            continue
        drafts.append(_draft(pulled))
        if still is not None:
            extra.append(_consumer_change(still, pulled))
    drafts += [_draft(pulled) for pulled in _left_behind(outcome, deleted, given)]
    return drafts, extra


def _draft(pulled: Pulled) -> Draft:
    address = pulled.consumer
    return Draft(
        key=f"{pulled.op} {address}",
        op=Op.TRIGGER,
        kind=address.kind,
        host=address.host,
        addresses=(address,),
        trigger=pulled.op,
        sources=pulled.sources,
        disrupts=pulled.op,
    )


def _left_behind(outcome: Comparison, deleted: Set[Address], given: Inputs) -> Iterator[Pulled]:
    """The triggers of daemons that this plan no longer manages, and that stay on their host.

    They run with what the plan deletes or restores: it must be loaded before their row is deleted.
    """
    for planned in outcome.changes:
        if not stays(planned):
            continue
        found = {s: t for s, t in gone_sources(planned.address, deleted, given) if s != planned.address}
        if found:
            op = strongest(*(trigger.op for trigger in found.values()))
            yield Pulled(planned.address, op, dict.fromkeys(found, Reason.DELETED), 0)


def stays(planned: PlannedChange) -> bool:
    """Whether a delete leaves the resource on its host, because it existed before hacore."""
    row = planned.row
    if planned.action is not Action.DELETE or row is None or planned.address.host is None:
        return False
    return row.found in ("same", "different") and row.lifecycle.on_delete == "restore"


def _concerns(scope: Scope, consumer: Address, pulled: Pulled, changed: Set[Address]) -> bool:
    """Whether a trigger belongs to the selection."""
    if consumer in scope.silent:
        return False
    return consumer in scope.inside or any(source in changed for source in pulled.sources)


def _left_alone(address: Address, scope: Scope | None) -> PlannedChange | None:
    """A recorded daemon that is not selected itself: it only loads the changes of its sources."""
    aside = None if scope is None else scope.aside.get(address)
    if aside is None or aside.row is None or aside.observed is None or aside.desired is None:
        return None
    found = aside.observed.attrs
    attrs = {key: found[key] for key in aside.desired.attrs or {} if key in found}
    return replace(aside, desired=replace(aside.desired, attrs=attrs), irreversible="")


def sources_of(address: Address, given: Inputs, index: Index) -> Iterator[tuple[Address, Trigger]]:
    """The addresses that reload or restart this one, each with its trigger."""
    instance = given.stack.instances[address]
    provider = given.providers[address.kind]
    for trigger in provider.triggers(instance.spec, address):
        for source in members(address.host, index, Address.parse(trigger.source)):
            yield source, trigger


def gone_sources(address: Address, deleted: Set[Address], given: Inputs) -> Iterator[tuple[Address, Trigger]]:
    """The sources that a consumer has loaded and that this plan deletes, or an earlier run did without its notice."""
    recorded = given.recorded.get(address)
    if recorded is None or not recorded.row.loaded:
        return
    known = list(given.providers[address.kind].triggers(recorded.spec, address))
    for text, mark in recorded.row.loaded.items():
        source = Address.parse(text)
        unaware = source not in given.recorded and has_loaded_deleted(mark)
        if source in given.stack.instances or not (source in deleted or unaware):
            continue
        if source in given.recorded and _stays_as_it_is(given.recorded[source].row, mark):
            continue
        named = (trigger for trigger in known if Address.parse(trigger.source).resource == source.resource)
        yield source, next(named, Trigger(text, "reload", marked_keys(mark)))


def _stays_as_it_is(row: Row, mark: str | None) -> bool:
    """Whether the delete of a source only ends its management: it was there before, no run has changed it, and the
    consumer has loaded it as it is."""
    adopted = row.found == "same" and row.origin is None and row.lifecycle.on_delete == "restore"
    return adopted and has_loaded(mark, row.attrs)


def all_sources(given: Inputs, changes: Collection[PlannedChange]) -> dict[Address, dict[Address, tuple[str, ...]]]:
    """The sources of each consumer's triggers, deleted ones as well, with the attrs that count (none named: all)."""
    index = by_resource(given.stack)
    deleted = {c.address for c in changes if c.action is Action.DELETE}
    found = {
        address: {
            source: trigger.attrs
            for pulls in (sources_of(address, given, index), gone_sources(address, deleted, given))
            for source, trigger in pulls
        }
        for address in given.stack.instances
    }
    for planned in changes:
        if stays(planned):
            gone = gone_sources(planned.address, deleted, given)
            found[planned.address] = {source: trigger.attrs for source, trigger in gone}
    return {address: sources for address, sources in found.items() if sources}


def counts(planned: PlannedChange, attrs: tuple[str, ...]) -> bool:
    """Whether a change pulls a trigger on `attrs` (none: every change does)."""
    if not attrs or planned.action is not Action.UPDATE or not planned.attrs:
        return True
    return any(change.path.partition(".")[0].partition("[")[0] in attrs for change in planned.attrs)


def reason_of(
    source: Address, trigger: Trigger, planned: PlannedChange | None, row: Row | None, loaded: Mapping[str, str | None]
) -> Reason | None:
    """Why a source that stays pulls a trigger; None when it does not.

    `planned`: its change in this plan; `row`: its recorded row; `loaded`: the marks of the consumer.
    """
    if planned is not None and counts(planned, trigger.attrs):
        return Reason.CHANGED
    key = str(source)
    if row is not None and key in loaded and not has_loaded(loaded[key], row.attrs):
        return Reason.PENDING
    return None


def _pulled(
    address: Address,
    changed: Mapping[Address, PlannedChange],
    deleted: Set[Address],
    index: Index,
    given: Inputs,
    *,
    starts: bool,
) -> Pulled | None:
    recorded = given.recorded.get(address)
    loaded = recorded.row.loaded if recorded else {}
    reasons: dict[Address, Reason] = {}
    ops: list[Disrupts] = []
    left_by = 0
    for source, trigger in () if starts else sources_of(address, given, index):
        row = given.recorded[source].row if source in given.recorded else None
        reason = reason_of(source, trigger, changed.get(source), row, loaded)
        if reason is None:
            continue
        reasons[source] = reason
        ops.append(trigger.op)
        if reason is Reason.PENDING and row is not None:
            left_by = max(left_by, row.run)
    for source, trigger in gone_sources(address, deleted, given):
        if source in deleted or not starts:
            reasons[source] = Reason.DELETED
            ops.append(trigger.op)
    return Pulled(address, strongest(*ops), reasons, left_by) if reasons else None


def _consumer_change(still: PlannedChange, pulled: Pulled) -> PlannedChange:
    """A consumer in the desired state is shown as an update: its daemon has not loaded all of it."""
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
