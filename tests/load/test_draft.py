"""For which instances one evaluation of a body holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import model_validator

from hacore.address import Address
from hacore.contract import Ask, Desired, Observed, Provider, Spec, View
from hacore.load.blocks import Block, Slot
from hacore.load.draft import reach_of
from hacore.load.stack import Position
from hacore.load.values import Entries
from hacore.load.yaml_nodes import Node

PLACE = Position("stack.yaml", 1, 1)
PAIR = ("lb1", "lb2")


def block(hosts: tuple[str, ...] = PAIR, *, overrides: bool = False) -> Block:
    made = Block("doc", "d", Node({}, PLACE), PLACE, None, hosts=hosts)
    if overrides:
        made.overrides = {"lb1": (Entries({}), made.node)}
    return made


def slot(host: str = "lb1", key: str | None = "a") -> Slot:
    return Slot(Address("doc", "d", key, host), key, host)


ONE = 'doc.d["a"]@lb1'


@pytest.mark.parametrize(
    ("roots", "hosts", "overrides", "host", "key", "single", "address"),
    [
        ((), PAIR, False, None, None, False, "doc.d"),
        (("var", "hosts", "file"), PAIR, False, None, None, False, "doc.d"),
        (("host",), PAIR, False, "lb1", None, False, ONE),
        ((), PAIR, True, "lb1", None, False, ONE),
        (("each",), PAIR, False, None, "a", False, ONE),
        (("each",), ("lb1",), False, None, "a", True, ONE),
        (("each", "host"), PAIR, False, "lb1", "a", True, ONE),
        (("each",), PAIR, True, "lb1", "a", True, ONE),
        (("resource",), PAIR, False, None, None, True, ONE),
        (("resource", "host"), PAIR, False, "lb1", None, True, ONE),
    ],
)
def test_the_reach_follows_from_what_the_body_names(
    roots: tuple[str, ...],
    hosts: tuple[str, ...],
    overrides: bool,
    host: str | None,
    key: str | None,
    single: bool,
    address: str,
) -> None:
    reach = reach_of(block(hosts, overrides=overrides), slot(), frozenset(roots))

    assert (reach.host, reach.key, reach.single, str(reach.address)) == (host, key, single, address)


def test_one_draft_serves_all_instances_within_its_reach() -> None:
    def same(roots: set[str], other: Slot) -> bool:
        return reach_of(block(), slot(), roots) == reach_of(block(), other, roots)

    assert same(set(), slot("lb2", "b"))
    assert same({"host"}, slot("lb1", "b"))
    assert not same({"host"}, slot("lb2", "a"))
    assert same({"each"}, slot("lb2", "a"))
    assert not same({"each"}, slot("lb1", "b"))


class TextSpec(Spec):
    text: str = ""

    @model_validator(mode="after")
    def _count(self) -> TextSpec:
        MADE.append(self.text)
        return self


MADE: list[str] = []


class Texts(Provider[Any]):
    api = 2
    kind = "doc"
    spec = TextSpec

    def facts(self, spec: Any) -> Sequence[Ask]:
        return ()

    def observe(self, view: View[Any]) -> Observed | None:
        return None

    def desire(self, view: View[Any]) -> Desired:
        return Desired({})


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("plain", 1),
        ("{{ var.x }}", 1),
        ("{{ host.name }}", 2),
        ("{{ each.key }}", 3),
        ("{{ each.key }}{{ host.name }}", 6),
    ],
)
def test_a_body_is_evaluated_as_often_as_it_differs(bench: Any, text: str, made: int) -> None:
    bench.providers = {"doc": Texts()}
    MADE.clear()

    stack = bench.load(
        f"variables: {{x: {{default: y}}}}\nresources:\n"
        f"  doc: {{d: {{hosts: lb, for_each: [a, b, c], text: '{text}'}}}}\n"
    )

    assert len(stack.instances) == 6
    assert len(MADE) == made
