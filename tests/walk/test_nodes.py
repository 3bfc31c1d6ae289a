"""Which undrain closes the block of a drain."""

from __future__ import annotations

import pytest

from hacore.walk.nodes import undrains
from tests.walk.dsl import node


@pytest.mark.parametrize(
    ("tasks", "closed"),
    [
        ("d1!d x:d1 v:x!v u1:v!u", {"d1": "u1"}),
        ("d1!d x:d1 y:d1,x v:x,y!v u1:v!u", {"d1": "u1"}),
        # left open by an interrupted run
        ("d1!d x:d1", {}),
        ("d1!d x:d1 u1:d1,x!u", {"d1": "u1"}),
        # a block that waits for another one
        ("d1!d x:d1 v1:x!v u1:v1!u d2:u1!d y:d2 v2:y!v u2:v2!u", {"d1": "u1", "d2": "u2"}),
        ("d1!d x:d1 v1:x!v u1:v1!u d2!d y:d2,u1 v2:y!v u2:v2!u", {"d1": "u1", "d2": "u2"}),
        # both were left open, one after the other
        ("d1!d x:d1 u1:d1,x!u d2:u1!d y:d2 u2:d2,y!u", {"d1": "u1", "d2": "u2"}),
    ],
)
def test_the_undrain_of_each_drain(tasks: str, closed: dict[str, str]) -> None:
    assert undrains({n.id: n for n in map(node, tasks.split())}) == closed
