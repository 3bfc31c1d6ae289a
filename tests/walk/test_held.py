"""What must stay held during a run: pure, from what the hosts hold before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from hacore.address import Address
from hacore.contract import Facts, Held, View
from hacore.testing import KINDS
from hacore.walk.held import held_before
from hacore.walk.held_check import _words

SPEC = KINDS["gate"].spec(vip="v")


class Serving(type(KINDS["gate"])):  # type: ignore[misc]
    """A gate that reports what a test wants of each host."""

    found: ClassVar[dict[str, Held | None]] = {}

    def held(self, view: View[Any]) -> Held | None:
        return self.found[view.address.host or ""]


def of(**found: Held | None) -> Any:
    kind = type("Now", (Serving,), {"found": found})()
    views = {a: View(a, SPEC, None, Facts()) for a in (Address("gate", "g", host=host) for host in found)}
    return held_before(views, {"gate": kind})


def held(*present: str, served: str = "x y", kept: str = "x y", settle: float = 2.0) -> Held:
    return Held(frozenset(present), frozenset(served.split()), frozenset(kept.split()), settle)


def test_what_exactly_one_host_holds_and_the_plan_keeps() -> None:
    assert of(a=held("x"), b=held("y")).holders == {"x": "a", "y": "b"}
    assert of(a=held("x", settle=5.0), b=held()).settle == 5.0


def test_nothing_else() -> None:
    assert of(a=held("x"), b=held("x", "y")).holders == {"y": "b"}  # x was doubled before
    assert of(a=held("x", "y", kept="y"), b=held(kept="y")).holders == {"y": "a"}  # the plan removes x
    assert of(a=held("x", "host's own"), b=None).holders == {"x": "a"}
    assert of(a=held("x", served="y"), b=held()).holders == {}  # put there by hand


def test_an_address_that_moves_to_another_instance_is_kept() -> None:
    assert of(a=held("x", kept="y"), b=held(kept="x")).holders == {"x": "a"}


def test_lost_and_doubled_are_named_and_a_silent_host_may_hold_it() -> None:
    before = replace(of(a=held("x"), b=held("y")))
    one, two = frozenset({"x"}), frozenset({"x", "y"})
    assert list(_words(before, {"a": one, "b": two}, [])) == ["x, which a held before the run, is held by a and b"]
    assert list(_words(before, {"a": one, "b": one - one}, [])) == ["y, which b held before the run, is held by nobody"]
    assert list(_words(before, {"a": one}, ["b"])) == []
    assert list(_words(before, {"a": frozenset({"y"}), "b": one}, [])) == []  # moved, and held by one each
