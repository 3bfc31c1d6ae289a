"""Orders over directed graphs given as `node -> what it needs`. The only importer of networkx.

networkx costs 0.17 s to import, so it is imported by the first call that needs it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import PlanError

N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class Cycle:
    """A ring of needs: each node needs the next one, the last one the first."""

    nodes: tuple[Any, ...]

    def __str__(self) -> str:
        return " -> ".join(str(n) for n in (*self.nodes, self.nodes[0]))


def find_cycle(needs: Mapping[N, Iterable[N]]) -> Cycle | None:
    """One cycle, or None. The smallest node comes first, so that the result is stable."""
    import networkx as nx

    graph: nx.DiGraph[N] = nx.DiGraph()
    graph.add_edges_from((node, need) for node, wanted in needs.items() for need in wanted)
    try:
        ring = [edge[0] for edge in nx.find_cycle(graph)]
    except nx.NetworkXNoCycle:
        return None
    start = min(range(len(ring)), key=lambda i: str(ring[i]))
    return Cycle(tuple(ring[start:] + ring[:start]))


def topological(needs: Mapping[N, Sequence[N]]) -> list[N]:
    """All nodes, each after what it needs; among the ready ones in the order of `needs`.

    The graph must have no cycle (see `find_cycle`); nodes on one are left out.
    """
    rank = {node: i for i, node in enumerate(needs)}
    waits = {node: sum(1 for need in wanted if need in rank) for node, wanted in needs.items()}
    dependants: dict[N, list[N]] = {}
    for node, wanted in needs.items():
        for need in wanted:
            if need in rank:
                dependants.setdefault(need, []).append(node)
    ready = [(rank[node], node) for node, count in waits.items() if not count]
    heapq.heapify(ready)
    order: list[N] = []
    while ready:
        _, node = heapq.heappop(ready)
        order.append(node)
        for dependant in dependants.get(node, ()):
            waits[dependant] -= 1
            if not waits[dependant]:
                heapq.heappush(ready, (rank[dependant], dependant))
    return order


def depths(needs: Mapping[N, Sequence[N]]) -> dict[N, int]:
    """The length of the longest chain of needs below each node; 0 for a node without needs."""
    depth: dict[N, int] = {}
    for node in topological(needs):
        depth[node] = max((depth[need] + 1 for need in needs[node] if need in depth), default=0)
    return depth


def reach(start: Iterable[N], edges: Mapping[N, Iterable[N]]) -> set[N]:
    """These and all that their edges lead to."""
    found: set[N] = set()
    queue = list(start)
    while queue:
        node = queue.pop()
        if node not in found:
            found.add(node)
            queue.extend(edges.get(node, ()))
    return found


def components(needs: Mapping[N, Sequence[N]]) -> list[list[N]]:
    """The connected parts of the graph, whatever the direction of its edges, in the order of `needs`."""
    parent: dict[N, N] = {node: node for node in needs}

    def root(node: N) -> N:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for node, wanted in needs.items():
        for need in wanted:
            if need in parent:
                parent[root(need)] = root(node)
    parts: dict[N, list[N]] = {}
    for node in needs:
        parts.setdefault(root(node), []).append(node)
    return list(parts.values())


def between(marked: Set[str], hosts: Mapping[str, str | None], needs: Mapping[str, Iterable[str]]) -> set[str]:
    """The tasks between two marked ones of their host: what is put around both includes them."""
    waited = {key: reach(needs.get(key, ()), needs) for key in marked}
    found: set[str] = set()
    for top in marked:
        for key in waited[top]:
            same = hosts[key] is not None and hosts[key] == hosts[top] and key not in marked
            if same and any(hosts[low] == hosts[key] for low in reach(needs.get(key, ()), needs) & marked):
                found.add(key)
    return found


Edge = tuple[str, str]
"""The later task, the earlier one."""


def ordered(needs: Mapping[str, Set[str]], loose: Set[Edge]) -> dict[str, tuple[str, ...]]:
    """The needs of all tasks, with the `loose` edges but those that would close a circle.

    Raises PlanError when the needs themselves form a circle.
    """
    more: dict[str, set[str]] = {}
    for later, earlier in loose:
        more.setdefault(later, set()).add(earlier)
    while True:
        found = {key: tuple(sorted(own | more.get(key, set()))) for key, own in needs.items()}
        if len(topological(found)) == len(found):
            return found
        cycle = find_cycle(found)
        assert cycle is not None
        ring = zip(cycle.nodes, (*cycle.nodes[1:], cycle.nodes[0]), strict=True)
        giving = next(((k, need) for k, need in ring if need in more.get(k, ()) and need not in needs[k]), None)
        if giving is None:
            raise PlanError(f"cannot order the tasks, they wait for each other in a circle: {cycle}")
        more[giving[0]].discard(giving[1])
