"""What must stay held during a run, from what the hosts hold before it, and what a block checks of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hacore.address import Address
from hacore.contract import Facts, Held, View
from hacore.journal import RunningTask
from hacore.model import Op
from hacore.plan import PlanTask
from hacore.testing import KINDS
from hacore.walk.held import HeldAddresses, held_before
from hacore.walk.held_check import _look, _words, lost_addresses
from tests.plan.table import Table
from tests.walk.walks import Walk

SPEC = KINDS["gate"].spec(vip="v")


class Serving(type(KINDS["gate"])):  # type: ignore[misc]
    """A gate that reports what a test wants of each host."""

    found: ClassVar[dict[str, Held | None]] = {}

    def held(self, view: View[Any]) -> Held | None:
        return self.found[view.address.host or ""]


def kind_of(**found: Held | None) -> Any:
    return type("Now", (Serving,), {"found": found})()


def views_of(*hosts: str) -> dict[Address, View[Any]]:
    return {a: View(a, SPEC, None, Facts()) for a in (Address("gate", "g", host=host) for host in hosts)}


def of(**found: Held | None) -> Any:
    return held_before(views_of(*found), {"gate": kind_of(**found)})


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


@pytest.mark.parametrize("silent", ["a", "b"])
async def test_one_silent_host_hides_no_other(tmp_path: Path, silent: str) -> None:
    kinds = {**KINDS, "gate": kind_of(a=held("x"), b=held("y"))}
    must_hold = HeldAddresses({}, views_of("a", "b"))
    async with Walk.of(tmp_path, Table(), [], providers=kinds, must_hold=must_hold) as walk:
        walk.ctx.links = {name: link for name, link in walk.ctx.links.items() if name != silent}
        found = {"a": frozenset({"x"}), "b": frozenset({"y"})}
        assert await _look(walk.ctx) == ({h: names for h, names in found.items() if h != silent}, [silent])


async def test_one_bad_look_is_not_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts are asked at the same time, but not at the same instant: an address on its way is on none of them."""
    monkeypatch.setattr("hacore.walk.held_check.PAUSE", 0.01)
    looks = iter([(), ("x",), ()])

    class Moving(type(KINDS["gate"])):  # type: ignore[misc]
        def held(self, view: View[Any]) -> Held | None:
            return held(*next(looks, ()))

    must_hold = HeldAddresses({"x": "a"}, views_of("a"))
    kinds = {**KINDS, "gate": Moving()}
    async with Walk.of(tmp_path, Table(), [], providers=kinds, must_hold=must_hold) as walk:
        assert await lost_addresses(walk.ctx) == ()
        assert await lost_addresses(walk.ctx) == ("x, which a held before the run, is held by nobody",)


async def test_an_address_that_nobody_holds_fails_the_undrain_and_not_the_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its host is out of service, an address may be anywhere."""
    monkeypatch.setattr("hacore.walk.held_check.PAUSE", 0.01)
    gate, table = Address.parse("gate.g@a"), Table()
    table.want(str(gate), vip="v")
    table.world.vips["v"] = ["a", "b"]
    parts = [PlanTask(op.value, op, "gate", "a", (gate,), group="g") for op in (Op.DRAIN, Op.UNDRAIN)]
    inside = [replace(part, needs=(before.id,)) for before, part in pairwise(parts)]
    kinds = {**KINDS, "gate": kind_of(a=held(), b=held())}
    must_hold = HeldAddresses({"x": "a"}, views_of("a", "b"))
    lives = [RunningTask(part) for part in (parts[0], *inside)]
    async with Walk.of(tmp_path, table, lives, providers=kinds, must_hold=must_hold) as walk:
        await walk.forward("halt")
        assert walk.recorded() == {
            "drain": {"status": "done", "error": ""},
            "undrain": {"status": "error", "error": "x, which a held before the run, is held by nobody"},
        }
