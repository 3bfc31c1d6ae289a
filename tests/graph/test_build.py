"""Edges between instances: as written, and as claims make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Ask, Claim, Desired, Observed, Provider, Spec, View
from hacore.errors import StackError
from hacore.graph import Graph, build_graph
from hacore.load.stack import Instance, Need, Position, Stack

HERE = Position("stack.yaml", 7, 3)


class Tokens(Spec):
    claims: tuple[str, ...] = ()


class Kind(Provider[Tokens]):
    api = 2
    kind = "x"
    spec = Tokens

    def claims(self, spec: Tokens) -> Sequence[Claim]:
        return [Claim(token, mode) for mode, _, token in (c.partition(" ") for c in spec.claims)]  # type: ignore[arg-type]

    def facts(self, spec: Tokens) -> Sequence[Ask]:
        return ()

    def observe(self, view: View[Tokens]) -> Observed | None:
        return None

    def desire(self, view: View[Tokens]) -> Desired:
        return Desired({})


def stack_of(bodies: Mapping[str, Mapping[str, Any]]) -> Stack:
    """address -> {needs: [...], claims: [...], hosts: [...] for one without a host}."""
    instances = {}
    for text, body in bodies.items():
        address = Address.parse(text)
        hosts = (address.host,) if address.host else tuple(body.get("hosts", ("a", "b")))
        needs = tuple(Need(Address.parse(n), HERE) for n in body.get("needs", ()))
        spec = Tokens(claims=tuple(body.get("claims", ())))
        instances[address] = Instance(address, spec, address.host, hosts, HERE, needs)
    return Stack("t", Path(), Path("stack.yaml"), "", {}, {}, instances)


def graph_of(bodies: Mapping[str, Mapping[str, Any]]) -> Graph:
    return build_graph(stack_of(bodies), {"x": Kind()})


def needs(bodies: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    return {str(a): [str(n) for n in wanted] for a, wanted in graph_of(bodies).needs.items() if wanted}


def test_a_need_means_the_same_host() -> None:
    bodies = {
        "x.one@a": {},
        "x.one@b": {},
        "x.two@a": {"needs": ["x.one"]},
        "x.two@b": {"needs": ["x.one"]},
    }
    assert needs(bodies) == {"x.two@a": ["x.one@a"], "x.two@b": ["x.one@b"]}


def test_a_need_of_something_on_other_hosts_means_every_member() -> None:
    bodies = {"x.one@a": {}, "x.one@b": {}, "x.two@c": {"needs": ["x.one"]}}
    assert needs(bodies) == {"x.two@c": ["x.one@a", "x.one@b"]}


def test_what_spans_hosts_needs_every_member_and_is_needed_as_one() -> None:
    bodies = {"x.one@a": {}, "x.one@b": {}, "x.all": {"needs": ["x.one"]}, "x.two@b": {"needs": ["x.all"]}}
    assert needs(bodies) == {"x.all": ["x.one@a", "x.one@b"], "x.two@b": ["x.all"]}


def test_a_need_with_a_host_means_that_one() -> None:
    bodies = {"x.one@a": {}, "x.one@b": {}, "x.two@a": {"needs": ["x.one@b"]}}
    assert needs(bodies) == {"x.two@a": ["x.one@b"]}


def test_a_need_means_all_keys_of_a_for_each_or_the_one_named() -> None:
    bodies = {
        'x.one["k"]@a': {},
        'x.one["l"]@a': {},
        "x.all@a": {"needs": ["x.one"]},
        "x.some@a": {"needs": ['x.one["l"]']},
    }
    assert needs(bodies) == {"x.all@a": ['x.one["k"]@a', 'x.one["l"]@a'], "x.some@a": ['x.one["l"]@a']}


def test_nothing_needs_itself() -> None:
    bodies = {'x.one["k"]@a': {"needs": ["x.one"]}, 'x.one["l"]@a': {}}
    assert needs(bodies) == {'x.one["k"]@a': ['x.one["l"]@a']}


def test_a_file_comes_after_the_folder_it_lies_in() -> None:
    bodies = {
        "x.file@a": {"claims": ["own path:/srv/www/index.html"]},
        "x.folder@a": {"claims": ["own path:/srv"]},
        "x.same@b": {"claims": ["own path:/srv/www"]},
        "x.sibling@a": {"claims": ["own path:/srv2/x"]},
    }
    assert needs(bodies) == {"x.file@a": ["x.folder@a"]}


def test_a_user_comes_after_who_owns_or_shares_and_nothing_happens_without_one() -> None:
    bodies = {
        "x.gcc@a": {"claims": ["share pkg:gcc"]},
        "x.too@a": {"claims": ["share pkg:gcc"]},
        "x.build@a": {"claims": ["use pkg:gcc", "use pkg:nobody"]},
        "x.build@b": {"claims": ["use pkg:gcc"]},
    }
    assert needs(bodies) == {"x.build@a": ["x.gcc@a", "x.too@a"]}


def test_an_automatic_edge_gives_way_to_one_that_is_written() -> None:
    bodies = {
        "x.folder@a": {"claims": ["own path:/srv"], "needs": ["x.file"]},
        "x.file@a": {"claims": ["own path:/srv/x"]},
    }
    assert needs(bodies) == {"x.folder@a": ["x.file@a"]}


def test_two_automatic_edges_in_a_ring_lose_one() -> None:
    bodies = {
        "x.one@a": {"claims": ["own unit:one", "use unit:two"]},
        "x.two@a": {"claims": ["own unit:two", "use unit:one"]},
    }
    assert sum(len(n) for n in needs(bodies).values()) == 1


def test_a_circle_of_needs_is_an_error_that_names_the_path() -> None:
    bodies = {
        "x.one@a": {"needs": ["x.three"]},
        "x.two@a": {"needs": ["x.one"]},
        "x.three@a": {"needs": ["x.two"]},
        "x.free@a": {"needs": ["x.one"]},
    }
    with pytest.raises(StackError) as caught:
        graph_of(bodies)
    (problem,) = caught.value.problems
    assert "x.one@a -> x.three@a -> x.two@a -> x.one@a" in problem.message
    assert (problem.file, problem.line) == ("stack.yaml", 7)


@pytest.mark.parametrize(
    ("one", "two", "conflict"),
    [
        ("own path:/x", "own path:/x", True),
        ("own path:/x", "share path:/x", True),
        ("share path:/x", "share path:/x", False),
        ("own path:/x", "use path:/x", False),
        ("own path:/x", "own path:/x/y", False),
    ],
)
def test_two_that_own_one_thing_are_an_error(one: str, two: str, conflict: bool) -> None:
    bodies = {"x.one@a": {"claims": [one]}, "x.two@a": {"claims": [two]}, "x.two@b": {"claims": [one]}}
    if not conflict:
        graph_of(bodies)
        return
    with pytest.raises(StackError) as caught:
        graph_of(bodies)
    (problem,) = caught.value.problems
    assert "the path /x on a" in problem.message
    assert {problem.address} | {w for w in ("x.one@a", "x.two@a") if w in problem.message} == {"x.one@a", "x.two@a"}


def test_the_order_has_needs_first_and_keeps_the_order_of_the_file() -> None:
    bodies = {"x.c@a": {"needs": ["x.z"]}, "x.b@a": {}, "x.z@a": {}, "x.a@a": {}}
    assert [str(a) for a in graph_of(bodies).order] == ["x.b@a", "x.z@a", "x.c@a", "x.a@a"]


def test_ten_thousand_chains_of_two() -> None:
    bodies: dict[str, Mapping[str, Any]] = {}
    for i in range(10_000):
        bodies[f'x.one["{i}"]@a'] = {"claims": [f"own path:/one/{i}"]}
        bodies[f'x.two["{i}"]@a'] = {"needs": [f'x.one["{i}"]']}
    graph = graph_of(bodies)
    assert len(graph.order) == 20_000
    assert graph.needs[Address.parse('x.two["777"]@a')] == (Address.parse('x.one["777"]@a'),)
