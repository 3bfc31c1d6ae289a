"""The execution graph: which tasks a run has and what each waits for.

    change     one task per changed address; those that share an aggregate on a host are one task
    trigger    after the consumer's own change and after all its sources
    delete     after the deletes of what needs it, and after the changes of what used to need it (see `deletes`)
    ensure     a no-op downstream of a change that invalidates what it uses: checked again in the run
    guards     drain before, verify and undrain after what restarts something on a guarded host (see `guards`)

An edge between two changes holds across no-ops in between.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Change
from ..graph import components, depths, topological
from ..graph.order import Edge, ordered
from ..model import Action, Op, strongest
from .deletes import levels_apart, wire_deletes
from .draft import Draft
from .inputs import Comparison, Inputs
from .types import PlannedChange, PlanTask


def build_tasks(outcome: Comparison, triggers: Iterable[Draft], given: Inputs) -> tuple[PlanTask, ...]:
    """The tasks in an order that respects their needs, with lanes."""
    drafts: dict[str, Draft] = {}
    done_by: dict[Address, set[str]] = {}  # tasks after which an address is in the desired state
    _add_changes(outcome, given, drafts, done_by)
    for trigger in triggers:
        drafts[trigger.key] = trigger
        for address in trigger.addresses:
            trigger.needs |= done_by.get(address, set())
        for source in trigger.sources:
            trigger.needs |= done_by.get(source, set())
        trigger.needs.discard(trigger.key)
    for trigger in [d for d in drafts.values() if d.op is Op.TRIGGER]:
        for address in trigger.addresses:
            done_by.setdefault(address, set()).add(trigger.key)
    _wire_changes(outcome, given, drafts, done_by)
    loose = wire_deletes(drafts, done_by, given)
    for key, draft in drafts.items():
        draft.needs.discard(key)
        draft.needs &= drafts.keys()
    return _finish(drafts, given, loose)


def _add_changes(
    outcome: Comparison, given: Inputs, drafts: dict[str, Draft], done_by: dict[Address, set[str]]
) -> None:
    depth = depths(given.graph.needs) if outcome.changes else {}
    apart = levels_apart(outcome.changes, given)
    inherited = {planned.inherits for planned in outcome.changes}
    for planned in outcome.changes:
        if planned.action is Action.FORGET:
            if planned.address not in inherited:  # else the task of its new address moves the row
                key = f"forget {planned.address}"
                drafts[key] = _draft(key, planned)
            continue
        provider = given.providers[planned.kind]
        aggregate = provider.aggregate(planned.change.spec)
        deletes = planned.action is Action.DELETE
        if aggregate is None:
            key = f"{'delete' if deletes else 'apply'} {planned.address}"
        elif provider.whole:
            key = f"apply {planned.kind} {aggregate}@{planned.address.host}"
        elif deletes:
            key = f"delete {planned.kind} {aggregate} {apart.get(planned.address, '-')}@{planned.address.host}"
        else:
            key = f"apply {planned.kind} {aggregate} {depth[planned.address]}@{planned.address.host}"
        if planned.is_two_tasks:
            old = _old_half(planned, given)
            old_key = f"delete {planned.address}"
            drafts[old_key] = _draft(old_key, old)
        draft = drafts.setdefault(key, _draft(key, planned, empty=True))
        if aggregate is not None and not deletes and not provider.whole:
            draft.aggregate, draft.level = aggregate, depth[planned.address]
        draft.changes.append(planned)
        draft.addresses = (*draft.addresses, planned.address)
        draft.disrupts = strongest(draft.disrupts, planned.disrupts)
        if not deletes:
            done_by.setdefault(planned.address, set()).add(key)


def _draft(key: str, planned: PlannedChange, *, empty: bool = False) -> Draft:
    op = Op.ENSURE if planned.ensured else Op.CHANGE
    draft = Draft(key, op, planned.kind, planned.address.host, disrupts=planned.disrupts)
    if not empty:
        draft.changes, draft.addresses = [planned], (planned.address,)
    return draft


def _old_half(planned: PlannedChange, given: Inputs) -> PlannedChange:
    item = given.recorded[planned.address]
    change: Change[Any] = replace(
        planned.change, action=Action.DELETE, spec=item.spec, recorded=item.row.attrs, desired=None
    )
    return replace(planned, action=Action.DELETE, change=change, desired=None, hosts=item.row.hosts)


def _wire_changes(
    outcome: Comparison, given: Inputs, drafts: dict[str, Draft], done_by: Mapping[Address, set[str]]
) -> None:
    """Edges between tasks, across no-ops: an address waits for the tasks that change its needs."""
    by_address: dict[Address, list[Draft]] = {}
    for draft in drafts.values():
        if draft.op in (Op.CHANGE, Op.ENSURE):
            for planned in draft.changes:
                if planned.action is Action.FORGET:
                    # after its takers: if one fails, the row is still needed
                    draft.needs |= {key for taker in planned.takers for key in done_by.get(taker, ())}
                elif planned.action is not Action.DELETE:
                    by_address.setdefault(planned.address, []).append(draft)
    reach: dict[Address, frozenset[str]] = {}
    nothing: frozenset[str] = frozenset()
    for address in given.graph.order:
        found: set[str] = set()
        for need in given.graph.needs[address]:
            own = done_by.get(need)
            found |= own if own else reach.get(need, nothing)
        reach[address] = frozenset(found) if found else nothing
        for draft in by_address.get(address, ()):
            draft.needs |= found
    for draft in drafts.values():
        if draft.op is Op.TRIGGER:
            for address in draft.addresses:
                draft.needs |= reach.get(address, nothing)
    for planned in outcome.changes:
        if planned.is_two_tasks:
            old = f"delete {planned.address}"
            for key in done_by.get(planned.address, ()):
                if drafts[key].op is not Op.TRIGGER:
                    drafts[key].needs.add(old)


def _levels(drafts: Mapping[str, Draft]) -> set[Edge]:
    """Edges (later, earlier) between the tasks of one aggregate on a host, level after level.

    What they share is undone in the reverse order: a package that the first one installed is a package that the
    second one found. Needs alone do not decide which one is first.
    """
    levels: dict[tuple[str, str | None, str], list[tuple[int, str]]] = {}
    for draft in drafts.values():
        if draft.level is not None:
            levels.setdefault((draft.kind, draft.host, draft.aggregate), []).append((draft.level, draft.key))
    return {
        (later, earlier) for keys in levels.values() for (_, earlier), (_, later) in itertools.pairwise(sorted(keys))
    }


def _finish(drafts: Mapping[str, Draft], given: Inputs, loose: Set[Edge]) -> tuple[PlanTask, ...]:
    needs = ordered({key: draft.needs for key, draft in drafts.items()}, loose | _levels(drafts))
    order = topological(needs)
    ids = {key: f"t{number}" for number, key in enumerate(order, 1)}
    lanes = {key: lane for lane, part in enumerate(components(needs)) for key in part}
    return tuple(_task(drafts[key], ids, needs[key], lanes[key], given) for key in order)


def _task(draft: Draft, ids: Mapping[str, str], needs: tuple[str, ...], lane: int, given: Inputs) -> PlanTask:
    exclusive = None
    wanted: tuple[tuple[Address, Any], ...] = ()
    keep_on_failure = bool(draft.changes)
    for planned in draft.changes:
        exclusive = given.providers[planned.kind].exclusive(planned.change.spec) or exclusive
        instance = given.stack.instances.get(planned.address)
        keep_on_failure = keep_on_failure and instance is not None and instance.lifecycle.keep_on_failure
        wanted = wanted or _wanted(planned, given)
    return PlanTask(
        id=ids[draft.key],
        op=draft.op,
        kind=draft.kind,
        host=draft.host,
        addresses=draft.addresses,
        changes=tuple(draft.changes),
        needs=tuple(ids[need] for need in needs),
        lane=lane,
        trigger=draft.trigger,
        sources=draft.sources,
        exclusive=exclusive,
        disrupts=draft.disrupts,
        group=draft.group,
        wanted=wanted,
        keep_on_failure=keep_on_failure,
    )


def _wanted(planned: PlannedChange, given: Inputs) -> tuple[tuple[Address, Any], ...]:
    """The desired specs of the whole aggregate; a delete has no view of them."""
    provider = given.providers[planned.kind]
    aggregate = provider.aggregate(planned.change.spec)
    if aggregate is None:
        return ()
    if planned.action is not Action.DELETE and planned.change.view is not None:
        return planned.change.view.companions
    return tuple(
        (address, instance.spec)
        for address, instance in sorted(given.stack.instances.items())
        if address.kind == planned.kind
        and address.host == planned.address.host
        and provider.aggregate(instance.spec) == aggregate
    )
