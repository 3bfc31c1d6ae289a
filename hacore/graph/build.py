"""Edges between instances: those that the stack names, and those that claims make obvious.

A need without a host means the instance on the same host; where either side spans several
hosts, every member. An automatic edge (from claims) that would close a cycle gives way to the
edges that the user wrote; a cycle of those alone is an error that names the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..address import Address
from ..contract import Claim, Provider
from ..contract.claims import containers, spoken
from ..errors import Problem, StackError
from ..load.contained import naming
from ..load.stack import Instance, Stack
from .order import find_cycle, topological


@dataclass(frozen=True, slots=True)
class Graph:
    """The instances of a stack in order. `needs` maps each to what must be done before it."""

    order: tuple[Address, ...] = ()
    needs: Mapping[Address, tuple[Address, ...]] = field(default_factory=dict)
    claims: Mapping[Address, tuple[Claim, ...]] = field(default_factory=dict)


def build_graph(stack: Stack, providers: Mapping[str, Provider[Any]]) -> Graph:
    """The graph of a loaded stack; raises StackError for cycles and for things claimed twice."""
    with naming((address, instance.spec) for address, instance in stack.instances.items()):
        claims = {
            address: tuple(providers[instance.address.kind].claims(instance.spec))
            for address, instance in stack.instances.items()
        }
    index = by_resource(stack)
    named = {a: _named(i, index) - {a} for a, i in stack.instances.items()}
    owners = _owners(stack, claims)
    problems = list(_conflicts(stack, owners))
    if problems:
        raise StackError(problems)
    automatic = {a: _claimed(stack.instances[a], claims[a], owners) - {a} for a in stack.instances}
    needs = _acyclic(stack, named, automatic)
    order = tuple(topological(needs))
    return Graph(order, needs, claims)


ANY = "*"
Index = Mapping[tuple[str, str | None, str | None], Sequence[Address]]
"""Addresses by `kind.name`, key (None: all keys) and host (ANY: all hosts; None: those that span hosts)."""


def members(host: str | None, index: Index, selector: Address) -> list[Address]:
    """The instances that `selector` means for one on `host` (None: one that spans hosts)."""
    name, key = selector.resource, selector.key
    if selector.host is not None:
        return list(index.get((name, key, selector.host), ()))
    if host is not None:
        here = [*index.get((name, key, host), ()), *index.get((name, key, None), ())]
        if here:
            return here
        # the other side lives on other hosts only: then every member is meant
    return list(index.get((name, key, ANY), ()))


def by_resource(stack: Stack) -> Index:
    """The addresses by the parts that selectors name, so that they are found without a scan."""
    index: dict[tuple[str, str | None, str | None], list[Address]] = {}
    for address in stack.instances:
        name, own, host = address.resource, address.key, address.host
        for key in (None, own) if own is not None else (None,):
            index.setdefault((name, key, ANY), []).append(address)
            index.setdefault((name, key, host), []).append(address)
    return index


def _named(instance: Instance, index: Index) -> set[Address]:
    return {a for need in instance.needs for a in members(instance.host, index, need.selector)}


Owners = dict[tuple[str, str], list[tuple[Address, str]]]  # (host, token) -> [(who, mode)]


def _owners(stack: Stack, claims: Mapping[Address, Sequence[Claim]]) -> Owners:
    owners: Owners = {}
    for address, instance in stack.instances.items():
        for claim in claims[address]:
            if claim.mode != "use":
                for host in instance.hosts:
                    owners.setdefault((host, claim.token), []).append((address, claim.mode))
    return owners


def _conflicts(stack: Stack, owners: Owners) -> Iterator[Problem]:
    for (host, token), holders in owners.items():
        if len(holders) < 2:
            continue
        exclusive = [who for who, mode in holders if mode == "own"]
        if not exclusive:
            continue
        others = [who for who, _ in holders if who != exclusive[-1]]
        if not others:
            continue
        where = stack.instances[exclusive[-1]].position
        yield Problem(
            where.file,
            where.line,
            where.column,
            f"{spoken(token)} on {host} already belongs to {others[0]}: remove one of the two, or give it another one",
            str(exclusive[-1]),
        )


def _claimed(instance: Instance, claims: Sequence[Claim], owners: Owners) -> set[Address]:
    """Edges that follow from claims: users after owners, paths after the folders they lie in."""
    found: set[Address] = set()
    for claim in claims:
        tokens = list(containers(claim.token))
        if claim.mode == "use":
            tokens.append(claim.token)
        for host in instance.hosts:
            for token in tokens:
                found.update(who for who, _ in owners.get((host, token), ()))
    return found


def _acyclic(
    stack: Stack, named: Mapping[Address, set[Address]], automatic: dict[Address, set[Address]]
) -> dict[Address, tuple[Address, ...]]:
    while True:
        needs = {a: tuple(sorted(named[a] | automatic[a])) for a in stack.instances}
        if len(topological(needs)) == len(needs):
            return needs
        cycle = find_cycle(needs)
        assert cycle is not None
        ring = list(zip(cycle.nodes, (*cycle.nodes[1:], cycle.nodes[0]), strict=True))
        loose = next(((a, b) for a, b in ring if b not in named[a]), None)
        if loose is None:
            where = stack.instances[cycle.nodes[0]].position
            message = f"the needs form a circle: {cycle}: remove one of them"
            raise StackError([Problem(where.file, where.line, where.column, message, str(cycle.nodes[0]))])
        automatic[loose[0]].discard(loose[1])
