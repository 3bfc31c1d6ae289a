"""A plan narrowed to a selection: what a target includes, and what an exclusion holds back.

A target includes
    what it needs, and what that needs;
    of what changes: reloads and restarts that follow from it (not other changes of those daemons);
    what must be deleted or changed before something is deleted, and who takes a place that is left;
    all members of an instance that acts together, and everything in one file with it.
An exclusion holds back
    what depends on a change that is not made;
    what something is still using that would be deleted;
    again all members, and all that is in one file.

What is in the desired state never blocks. Guards are put around every restart, whatever was selected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..address import Address
from ..contract import Provider
from ..contract.claims import token_value
from ..graph import Index, by_resource, members
from ..model import Action
from .inputs import Comparison, Inputs
from .selection import Selection
from .types import PlannedChange

_TOGETHER = "its members change together"


@dataclass(frozen=True, slots=True)
class Scope:
    """A selection come to addresses.

    `inside`: the addresses that are changed. `silent`: excluded by name, not even reloaded. `aside`: changes
    that are left out. `widened`: what came along, or stayed back, with another one, and why.
    """

    inside: frozenset[Address]
    silent: frozenset[Address] = frozenset()
    aside: Mapping[Address, PlannedChange] = field(default_factory=dict)
    widened: Mapping[Address, str] = field(default_factory=dict)


def narrow(outcome: Comparison, given: Inputs) -> Scope | None:
    """Remove from a comparison what is not selected; None when everything is."""
    selection = given.selection
    if not selection:
        return None
    web = _Web(given, outcome.changes)
    everything = {*given.stack.instances, *given.recorded}
    widened: dict[Address, str] = {}
    inside = everything
    if selection.targets:
        inside = _spread((a for a in everything if selection.aimed(a)), web.target_closure, widened)
    if selection.excludes:
        held: dict[Address, str] = {}
        inside = inside - _spread((a for a in everything if selection.excluded(a)), web.exclude_closure, held)
        widened.update(held)
    scope = Scope(
        frozenset(inside),
        frozenset(a for a in everything if selection.excluded(a)),
        {c.address: c for c in outcome.changes if c.address not in inside},
        {a: why for a, why in sorted(widened.items()) if a in web.acting},
    )
    outcome.changes = [c for c in outcome.changes if c.address in inside]
    outcome.metadata_only = [c for c in outcome.metadata_only if c.address in inside]
    outcome.drift = [d for d in outcome.drift if d.address in inside]
    outcome.protected = [a for a in outcome.protected if a in inside]
    return scope


def hosts_to_ask(given: Inputs) -> set[str]:
    """The hosts that a selection may be about, before any of them was asked.

    With a host come the members that guard it: they decide whether it may restart something.
    """
    selection, web = given.selection, _Web(given, None)
    everything = {*given.stack.instances, *given.recorded}
    wanted = {a for a in everything if not selection.excluded(a)}
    if selection.targets:
        wanted &= _spread((a for a in everything if selection.aimed(a)), web.target_closure, {})
    hosts = {host for address in wanted for host in _hosts(address, given)}
    for address in everything:
        if _acts_together(given.providers[address.kind]) and hosts & set(_hosts(address, given)):
            hosts |= {host for mate in web.members(address) for host in _hosts(mate, given)}
    return hosts


def _hosts(address: Address, given: Inputs) -> tuple[str, ...]:
    instance, recorded = given.stack.instances.get(address), given.recorded.get(address)
    return (*(instance.hosts if instance else ()), *(recorded.row.hosts if recorded else ()))


def _acts_together(provider: Provider[Any]) -> bool:
    """Whether a kind guards its hosts: what its members send each other must be the same on all."""
    return type(provider).guard is not Provider.guard


Steps = Iterator[tuple[Address, str]]


def _spread(start: Iterable[Address], steps: Callable[[Address], Steps], why: dict[Address, str]) -> set[Address]:
    """All that can be reached; `why` gets the reasons to show."""
    found = set(start)
    queue = deque(sorted(found))
    while queue:
        for address, reason in steps(queue.popleft()):
            if address in found:
                continue
            found.add(address)
            queue.append(address)
            if reason:
                why[address] = reason
    return found


class _Web:
    """The connections between addresses. `changes` None: not known yet, so everything may change."""

    def __init__(self, given: Inputs, changes: Iterable[PlannedChange] | None) -> None:
        self.given = given
        self.changes = None if changes is None else {c.address: c for c in changes}
        everything = {*given.stack.instances, *given.recorded}
        self.acting = (
            everything
            if self.changes is None
            else {a for a, c in self.changes.items() if c.action not in (Action.ADOPT, Action.NOOP)}
        )
        self.by_resource: dict[tuple[str, str, str | None], list[Address]] = {}
        self.by_file: dict[tuple[str, str | None, str], list[Address]] = {}
        for address in sorted(everything):
            self.by_resource.setdefault((address.kind, address.name, address.key), []).append(address)
            name = self._file(address)
            if name is not None:
                self.by_file.setdefault((address.kind, address.host, name), []).append(address)
        self.users: dict[Address, list[Address]] = {}
        for address, needs in given.graph.needs.items():
            for need in needs:
                self.users.setdefault(need, []).append(address)
        self.used_before: dict[str, list[Address]] = {}
        for address, item in given.recorded.items():
            for text in item.row.needs:
                self.used_before.setdefault(text, []).append(address)
        self.index: Index = by_resource(given.stack)
        self.consumers: dict[Address, list[Address]] = {}
        self._find_consumers()

    def _find_consumers(self) -> None:
        for address, instance in self.given.stack.instances.items():
            for trigger in self.given.providers[address.kind].triggers(instance.spec, address):
                for source in members(address.host, self.index, Address.parse(trigger.source)):
                    self.consumers.setdefault(source, []).append(address)

    def _file(self, address: Address) -> str | None:
        """The file, or what else is written whole, that an instance is one part of."""
        provider = self.given.providers[address.kind]
        if not provider.whole:
            return None
        instance, recorded = self.given.stack.instances.get(address), self.given.recorded.get(address)
        spec = instance.spec if instance else recorded.spec if recorded else None
        return None if spec is None else provider.aggregate(spec)

    def members(self, address: Address) -> list[Address]:
        """All members of the resource, itself included."""
        return self.by_resource.get((address.kind, address.name, address.key), [])

    def _together(self, address: Address) -> Steps:
        if address not in self.acting:
            return
        if _acts_together(self.given.providers[address.kind]) and not self._goes(address):
            members = [mate for mate in self.members(address) if mate in self.acting and not self._goes(mate)]
            yield from ((mate, _TOGETHER) for mate in members)
        name = self._file(address)
        if name is not None:
            path = token_value(name) or name
            for other in self.by_file[address.kind, address.host, name]:
                if other in self.acting:
                    yield other, f"it is in {path}, which is written whole"

    def _places(self, address: Address) -> Steps:
        """Who takes over a claim, and who gives it up."""
        changes = self.changes or {}
        change = changes.get(address)
        if change is not None:
            yield from ((taker, "") for taker in change.takers)
            if change.inherits is not None:
                yield change.inherits, ""
        yield from ((a, "") for a, c in changes.items() if address in c.takers)

    def _goes(self, address: Address) -> bool:
        change = (self.changes or {}).get(address)
        return address not in self.given.stack.instances if change is None else change.action is Action.DELETE

    def target_closure(self, address: Address) -> Steps:
        """What a target includes."""
        yield from ((need, "") for need in self.given.graph.needs.get(address, ()))
        yield from self._together(address)
        yield from self._places(address)
        if self._goes(address):
            yield from ((user, "") for user in self.used_before.get(str(address), ()) if user in self.acting)
        if address in self.acting:
            yield from ((c, "") for c in self.consumers.get(address, ()) if self._wakes(c))

    def _wakes(self, consumer: Address) -> bool:
        """Whether a daemon is included: it exists, but is not recorded, so its reload cannot be left pending."""
        if self.changes is None:
            return True
        change = self.changes.get(consumer)
        return change is not None and change.row is None and change.observed is not None

    def exclude_closure(self, address: Address) -> Steps:
        """What an exclusion holds back."""
        yield from self._together(address)
        yield from self._places(address)
        if address not in self.acting:
            return
        yield from ((user, "") for user in self._downstream(address))
        item = self.given.recorded.get(address)
        for text in item.row.needs if item is not None else ():
            need = Address.parse(text)
            if self._goes(need) and need in self.acting:
                yield need, ""

    def _downstream(self, address: Address) -> Iterator[Address]:
        queue, seen = deque([address]), {address}
        while queue:
            for user in self.users.get(queue.popleft(), ()):
                if user not in seen:
                    seen.add(user)
                    queue.append(user)
                    yield user


__all__ = ["Scope", "Selection", "hosts_to_ask", "narrow"]
