"""Orders over graphs, on graphs of all shapes."""

from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from hacore.graph import components, depths, find_cycle, topological

EDGES = st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12), max_size=4), max_size=13)
Needs = dict[int, tuple[int, ...]]


def closed(edges: dict[int, set[int]]) -> Needs:
    nodes = {*edges, *(n for wanted in edges.values() for n in wanted)}
    return {node: tuple(sorted(edges.get(node, ()))) for node in sorted(nodes)}


def acyclic(edges: dict[int, set[int]]) -> Needs:
    return {node: tuple(n for n in wanted if n < node) for node, wanted in closed(edges).items()}


@given(EDGES.map(acyclic))
def test_each_node_comes_after_what_it_needs(needs: Needs) -> None:
    order = topological(needs)
    assert sorted(order) == sorted(needs)
    place = {node: i for i, node in enumerate(order)}
    assert all(place[need] < place[node] for node, wanted in needs.items() for need in wanted)


@given(EDGES.map(closed))
def test_a_cycle_is_found_if_and_only_if_there_is_one_and_is_one(needs: Needs) -> None:
    graph = nx.DiGraph((node, need) for node, wanted in needs.items() for need in wanted)
    cycle = find_cycle(needs)
    assert (cycle is None) == nx.is_directed_acyclic_graph(graph)
    assert (cycle is None) == (len(topological(needs)) == len(needs))
    if cycle is not None:
        ring = cycle.nodes
        assert all(b in needs[a] for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))
        assert str(ring[0]) == min(str(n) for n in ring)


@given(EDGES.map(acyclic))
def test_depth_is_the_longest_chain_below(needs: Needs) -> None:
    depth = depths(needs)
    assert all(depth[node] == max((depth[n] + 1 for n in wanted), default=0) for node, wanted in needs.items())


@given(EDGES.map(closed))
def test_components_are_those_of_the_undirected_graph(needs: Needs) -> None:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((node, need) for node, wanted in needs.items() for need in wanted)
    assert sorted(sorted(part) for part in components(needs)) == sorted(
        sorted(p) for p in nx.connected_components(graph)
    )
