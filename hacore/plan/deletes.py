"""The order around deletes: after the deletes of what needs them, and after the changes of what used to need them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..address import Address
from ..graph import Graph, depths, reach
from ..graph.order import Edge
from ..model import Action, Op
from .draft import Draft
from .inputs import Inputs
from .types import PlannedChange

DoneBy = Mapping[Address, set[str]]  # the tasks after which an address is in the desired state


@dataclass(frozen=True, slots=True)
class Deletes:
    """The deletes of a plan, by address as text.

    `by`: the task that deletes it. `mixed`: tasks that also make changes. `triggers`: the reloads and restarts that
    follow a delete. `dependents`: of what moves, everything in the stack that depends on it. `reloads`: the
    daemons that are deleted as well, stay on their host, and load what the delete restores.
    """

    by: Mapping[str, str]
    mixed: Collection[str] = frozenset()
    triggers: Mapping[str, set[str]] = field(default_factory=dict)
    dependents: Mapping[str, Collection[Address]] = field(default_factory=dict)
    reloads: Mapping[str, set[str]] = field(default_factory=dict)

    def follow(self, user: Address, need: str, done_by: DoneBy, desired: Collection[Address]) -> set[str]:
        """The tasks that the delete of `need` waits for because `user` is recorded as needing it."""
        mine, theirs = self.by.get(str(user)), self.by[need]
        if mine == theirs or str(user) in self.reloads.get(need, ()):
            return set()  # a daemon that stays loads what is restored: its row is deleted last
        if mine is not None:
            return {mine}
        if user not in desired or user in self.dependents.get(need, ()):
            return set()  # it needs the new place of what moves, which comes after this delete
        return done_by.get(user, set()) - {theirs} - self.triggers.get(need, set())

    def gives_way(self, user: Address, need: str) -> bool:
        """Whether such an edge is dropped where it would close a circle.

        A file of sections is written once: what needs the section that stays comes after the task that also deletes
        another one. What stays in the stack may have to change after the delete: a daemon that must notice it, or one
        that needs the new half of what is replaced, of which the old half waits for the delete. And a daemon that is
        given back to its host loads what is restored, before its row is deleted: another thing that it needs may have
        to be deleted before that.
        """
        mine = self.by.get(str(user))
        loads = any(str(user) in daemons for daemons in self.reloads.values())
        return self.by[need] in self.mixed or mine in self.mixed or mine is None or loads


def wire_deletes(drafts: Mapping[str, Draft], done_by: DoneBy, given: Inputs) -> set[Edge]:
    """Add the edges of deletes to the drafts; those that give way in a circle are returned."""
    by = {
        str(planned.address): draft.key
        for draft in drafts.values()
        if draft.op is Op.CHANGE
        for planned in draft.changes
        if planned.action is Action.DELETE
    }
    if not by:
        return set()
    deletes = Deletes(
        by,
        {key for key, draft in drafts.items() if any(p.action is not Action.DELETE for p in draft.changes)},
        _triggers(drafts, by, given),
        {
            text: _dependents(Address.parse(text), given.graph)
            for text in by
            if Address.parse(text) in given.graph.needs
        },
        _reloads(drafts, by),
    )
    for draft in drafts.values():
        if draft.op is Op.TRIGGER and str(draft.addresses[0]) in by:
            drafts[by[str(draft.addresses[0])]].needs.add(draft.key)
    loose: set[Edge] = set()
    for user, item in given.recorded.items():
        for need in item.row.needs:
            if need not in by:
                continue
            before = deletes.follow(user, need, done_by, given.stack.instances)
            if deletes.gives_way(user, need):
                loose |= {(by[need], key) for key in before & drafts.keys()}
            else:
                drafts[by[need]].needs |= before
    return loose


def levels_apart(changes: Iterable[PlannedChange], given: Inputs) -> dict[Address, int]:
    """The deletes of aggregates that must not be one task, by their recorded depth.

    One task of all packages would wait for itself where something else lies between two of them: the delete of a
    daemon comes after that of a package which needs it, and before that of the package which it needs.
    """
    together: dict[tuple[str, str, str | None], set[Address]] = {}
    for planned in changes:
        provider = given.providers[planned.kind]
        aggregate = provider.aggregate(planned.change.spec)
        if planned.action is Action.DELETE and aggregate is not None and not provider.whole:
            together.setdefault((planned.kind, aggregate, planned.address.host), set()).add(planned.address)
    needs = _recorded_needs(given) if any(len(members) > 1 for members in together.values()) else {}
    found: dict[Address, int] = {}
    for members in together.values():
        beside = {need for address in members for need in needs.get(address, ()) if need not in members}
        if len(members) > 1 and reach(beside, needs) & members:
            depth = depths(needs)
            found.update({address: depth[address] for address in members})
    return found


def _recorded_needs(given: Inputs) -> dict[Address, list[Address]]:
    """What the recorded instances need of each other."""
    known = {str(address): address for address in given.recorded}
    return {a: [known[need] for need in item.row.needs if need in known] for a, item in given.recorded.items()}


def _triggers(drafts: Mapping[str, Draft], by: Mapping[str, str], given: Inputs) -> dict[str, set[str]]:
    """The triggers of what is deleted; they wait for the delete.

    A delete that a daemon must be restarted for removes what it runs: not while its host serves.
    """
    found: dict[str, set[str]] = {}
    for draft in drafts.values():
        for source in draft.sources if draft.op is Op.TRIGGER else ():
            if str(source) in by and source not in given.stack.instances:
                delete = drafts[by[str(source)]]
                draft.needs.add(delete.key)
                found.setdefault(str(source), set()).add(draft.key)
                if draft.trigger == "restart":
                    delete.disrupts = "restart"
    return found


def _reloads(drafts: Mapping[str, Draft], by: Mapping[str, str]) -> dict[str, set[str]]:
    """The deleted daemons that load the delete of a source."""
    found: dict[str, set[str]] = {}
    for draft in drafts.values():
        if draft.op is Op.TRIGGER and str(draft.addresses[0]) in by:
            for source in draft.sources:
                found.setdefault(str(source), set()).add(str(draft.addresses[0]))
    return found


def _dependents(address: Address, graph: Graph) -> set[Address]:
    """Everything that depends on an address, directly or not."""
    found = {address}
    for other in graph.order:
        if not found.isdisjoint(graph.needs[other]):
            found.add(other)
    return found - {address}


__all__ = ["Deletes", "levels_apart", "wire_deletes"]
