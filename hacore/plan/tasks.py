"""The execution graph: which tasks a run has and what each waits for.

    change     one task per changed address; those that share an aggregate on a host are one task
    trigger    after the consumer's own change and after all its sources
    delete     after the deletes of whatever needs it, and after the changes of what used to need it
    ensure     a no-op downstream of a change that invalidates what it uses: looked at again in the run
    guards     drain before, verify and undrain after what restarts something on a guarded host

An edge between two changes holds across no-ops in between.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from ..address import Address
from ..contract import Change
from ..graph import components, depths, topological
from ..graph.order import Edge, ordered
from ..model import Action, Disrupts, Op, strongest
from .inputs import Comparison, Inputs
from .types import PlannedChange, PlanTask

_TOUCHING = (Action.CREATE, Action.UPDATE, Action.REPLACE)


@dataclass
class Draft:
    """A task in the making: its needs are still sets, its id is its key."""

    key: str
    op: Op
    kind: str
    host: str | None
    changes: list[PlannedChange] = field(default_factory=list)
    addresses: tuple[Address, ...] = ()
    needs: set[str] = field(default_factory=set)
    trigger: str = ""
    sources: tuple[Address, ...] = ()
    disrupts: Disrupts = "none"
    group: str = ""
    aggregate: str = ""
    level: int | None = None  # of an aggregate that may have several tasks on a host


def build_tasks(outcome: Comparison, triggers: Iterable[Draft], given: Inputs) -> tuple[PlanTask, ...]:
    """The tasks in an order that respects their needs, with lanes."""
    drafts: dict[str, Draft] = {}
    done_by: dict[Address, set[str]] = {}  # tasks after which an address is as wanted
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
    loose = _wire_deletes(drafts, done_by, given)
    for key, draft in drafts.items():
        draft.needs.discard(key)
        draft.needs &= drafts.keys()
    return _finish(drafts, given, loose)


def _add_changes(
    outcome: Comparison, given: Inputs, drafts: dict[str, Draft], done_by: dict[Address, set[str]]
) -> None:
    depth = depths(given.graph.needs) if outcome.changes else {}
    inherited = {planned.inherits for planned in outcome.changes}
    for planned in outcome.changes:
        if planned.action is Action.FORGET:
            if planned.address not in inherited:  # else its heir's task moves the row
                key = f"forget {planned.address}"
                drafts[key] = _draft(key, planned)
            continue
        provider = given.providers[planned.kind]
        aggregate = provider.aggregate(planned.change.spec)
        going = planned.action is Action.DELETE
        if aggregate is None:
            key = f"{'delete' if going else 'apply'} {planned.address}"
        elif provider.whole:
            key = f"apply {planned.kind} {aggregate}@{planned.address.host}"
        else:
            level = "-" if going else depth.get(planned.address, 0)
            key = f"{'delete' if going else 'apply'} {planned.kind} {aggregate} {level}@{planned.address.host}"
        if planned.moves:  # a delete of the old and a create of the new; else the provider replaces it in place
            old = _old_half(planned, given)
            old_key = f"delete {planned.address}"
            drafts[old_key] = _draft(old_key, old)
        draft = drafts.setdefault(key, _draft(key, planned, empty=True))
        if aggregate is not None and not going and not provider.whole:
            draft.aggregate, draft.level = aggregate, depth.get(planned.address, 0)
        draft.changes.append(planned)
        draft.addresses = (*draft.addresses, planned.address)
        draft.disrupts = strongest(draft.disrupts, planned.disrupts)
        if not going:
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
    """Edges between tasks, across no-ops: what an address needs is what its needs are done by."""
    by_address: dict[Address, list[Draft]] = {}
    for draft in drafts.values():
        if draft.op in (Op.CHANGE, Op.ENSURE):
            for planned in draft.changes:
                if planned.action is Action.FORGET:
                    # not before its place is taken: when that fails, the row is needed still
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
        if planned.moves:
            old = f"delete {planned.address}"
            for key in done_by.get(planned.address, ()):
                if drafts[key].op is not Op.TRIGGER:
                    drafts[key].needs.add(old)


def _wire_deletes(drafts: Mapping[str, Draft], done_by: Mapping[Address, set[str]], given: Inputs) -> set[Edge]:
    """Edges of what goes; those that give way in a circle are given back.

    Such are those of a task that also makes changes: a file of sections is written once, and when one section
    goes and another stays, what needs the one that stays comes after the task, whatever it used to need. And
    where a daemon must take in that something is gone: it is reloaded after the delete.
    """
    loose: set[Edge] = set()
    mixed = {key for key, draft in drafts.items() if any(p.action is not Action.DELETE for p in draft.changes)}
    going: dict[str, str] = {}
    for draft in drafts.values():
        if draft.op is Op.CHANGE:
            going.update({str(p.address): draft.key for p in draft.changes if p.action is Action.DELETE})
    waiting: dict[str, set[str]] = {}  # what goes -> the triggers that take that in
    for draft in drafts.values():
        for source in draft.sources if draft.op is Op.TRIGGER else ():
            if str(source) in going and source not in given.stack.instances:
                gone = drafts[going[str(source)]]
                draft.needs.add(gone.key)
                waiting.setdefault(str(source), set()).add(draft.key)
                if draft.trigger == "restart":  # it goes from under the daemon: not while its host serves
                    gone.disrupts = "restart"
    moving = {
        text: _resting_on(Address.parse(text), given) for text in going if Address.parse(text) in given.graph.needs
    }
    for address, item in given.recorded.items():
        mine = going.get(str(address))
        for need in item.row.needs:
            theirs = going.get(need)
            if theirs is None or theirs == mine:
                continue
            before: set[str] = set()
            if mine is not None:
                before = {mine}
            elif address in given.stack.instances and address not in moving.get(need, ()):
                before = done_by.get(address, set()) - {theirs} - waiting.get(need, set())
            if theirs in mixed or mine in mixed or (waiting and mine is None):
                loose |= {(theirs, key) for key in before & drafts.keys()}
            else:
                drafts[theirs].needs |= before
    return loose


def _resting_on(address: Address, given: Inputs) -> set[Address]:
    """All that needs an address still: what moves is gone from its old place before they change."""
    found = {address}
    for other in given.graph.order:
        if not found.isdisjoint(given.graph.needs[other]):
            found.add(other)
    return found - {address}


def _levels(drafts: Mapping[str, Draft]) -> set[Edge]:
    """Edges (later, earlier) between the tasks of one aggregate on a host, level after level.

    What they share must go back in the reverse of the order in which it came: a package that the first
    one brought is a package that the second one found. Needs alone do not say which one that is.
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
    """What the companions in the aggregate want, for a delete too, which has no view of them."""
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
