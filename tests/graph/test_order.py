"""Orders over graphs, on graphs of all shapes."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.errors import PlanError
from hacore.graph import components, depths, find_cycle, topological
from hacore.graph.order import ordered

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


@pytest.mark.parametrize(
    ("needs", "loose", "expected"),
    [
        ({"a": {"b"}, "b": set()}, set(), {"a": ("b",), "b": ()}),
        ({"a": {"c", "b"}, "b": set(), "c": set()}, {("b", "c")}, {"a": ("b", "c"), "b": ("c",), "c": ()}),
        # an edge that would close a circle gives way
        ({"a": {"b"}, "b": set()}, {("b", "a")}, {"a": ("b",), "b": ()}),
        ({"a": {"b"}, "b": {"c"}, "c": set()}, {("c", "a")}, {"a": ("b",), "b": ("c",), "c": ()}),
        # and only that one
        ({"a": {"b"}, "b": set(), "c": set()}, {("b", "a"), ("b", "c")}, {"a": ("b",), "b": ("c",), "c": ()}),
        # one that is needed as well stays
        ({"a": {"b"}, "b": set()}, {("a", "b"), ("b", "a")}, {"a": ("b",), "b": ()}),
    ],
)
def test_loose_edges_give_way(needs: Any, loose: Any, expected: Any) -> None:
    assert ordered(needs, loose) == expected


def test_of_two_loose_edges_in_a_circle_one_stays() -> None:
    assert ordered({"a": set(), "b": set()}, {("a", "b"), ("b", "a")}) in (
        {"a": ("b",), "b": ()},
        {"a": (), "b": ("a",)},
    )


@pytest.mark.parametrize("loose", [set(), {("a", "b")}, {("c", "a")}])
def test_tasks_that_need_each_other_are_an_error_that_names_them(loose: Any) -> None:
    with pytest.raises(PlanError, match=r"cannot order the tasks, they wait for each other in a circle: a .* b"):
        ordered({"a": {"b"}, "b": {"a"}, "c": set()}, loose)


@given(EDGES.map(acyclic), EDGES)
def test_every_need_is_kept_and_no_circle_stays(needs: Needs, edges: dict[int, set[int]]) -> None:
    named = {str(node): {str(n) for n in wanted} for node, wanted in needs.items()}
    loose = {(str(a), str(b)) for a, of in edges.items() for b in of if {str(a), str(b)} <= named.keys() and a != b}
    found = ordered(named, loose)
    assert all(wanted <= set(found[node]) for node, wanted in named.items())
    assert find_cycle(found) is None
