"""A delete as its kind sees it: what was found, the lifecycle, and what the plan says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from hacore.contract import NO_RULES, Desired, Effect, Found, Host, Image, Lifecycle, Mistake, View
from hacore.errors import StackError
from hacore.testing import KINDS
from hacore.testing.things import Thing, ThingSpec

from .play import Play


class Account(Thing):
    """Leaves alone on `on_delete: remove` what hacore did not make."""

    kind = "account"

    def absent(self, spec: ThingSpec, found: Found) -> Image:
        return Image(data=None if found == "absent" else {"text": "kept"})

    def delete_effect(self, view: View[ThingSpec], found: Found) -> Effect:
        verb = "userdel" if view.removed(found) else "usermod"
        return Effect(f"{verb} {view.spec.key} ({found}, {view.lifecycle.on_delete})", "restart")

    def desire(self, view: View[ThingSpec]) -> Desired:
        desired = super().desire(view)
        return Desired(desired.attrs, effect="useradd", replace_on=frozenset({"mode"}), replace_effect=Effect("anew"))

    def validate(
        self, members: Mapping[str, ThingSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        if lifecycle.keep_on_failure:
            yield from ((host, Mistake("lifecycle.keep_on_failure", "is of no use here")) for host in members)

    def examine(self, view: View[ThingSpec]) -> Iterable[Mistake]:
        if view.lifecycle.prevent_destroy:
            yield Mistake("", "stays for ever", warning=True)


@pytest.fixture
def play(play: Play) -> Play:
    play.options = {"providers": {**KINDS, "account": Account()}}
    return play


def effects(plan: dict[str, Any]) -> dict[str, str]:
    return {change["address"]: change["effect"] for change in plan["changes"]}


async def test_remove_is_told_what_hacore_found(play: Play) -> None:
    play.world["a"].data = {"/found": {"text": "old"}, "/same": {"text": "new"}}
    remove = "hosts: a, text: new, lifecycle: {on_delete: remove}"
    await play.make(
        f"account: {{m: {{key: /made, {remove}}}, f: {{key: /found, {remove}}}, s: {{key: /same, {remove}}}}}"
    )
    play.stack("{}")

    assert effects(await play.plan()) == {
        "account.f@a": "userdel /found (different, remove)",
        "account.m@a": "userdel /made (absent, remove)",
        "account.s@a": "userdel /same (same, remove)",
    }
    assert (await play.apply()).ok
    assert play.world["a"].data == {"/found": {"text": "kept"}, "/same": {"text": "kept"}}


async def test_restore_is_told_too_and_what_is_only_adopted_has_no_effect(play: Play) -> None:
    play.world["a"].data = {"/found": {"text": "old"}, "/same": {"text": "new"}}
    body = "hosts: a, text: new"
    await play.make(
        f"account: {{m: {{key: /made, {body}}}, f: {{key: /found, {body}}}, s: {{key: /same, {body}}}}}\n"
        f"thing: {{t: {{key: /thing, {body}}}}}"
    )

    assert effects(await play.plan(destroy=True)) == {
        "account.f@a": "usermod /found (different, restore)",
        "account.m@a": "userdel /made (absent, restore)",
        "account.s@a": "",
        "thing.t@a": "remove the managed resource",
    }


async def test_what_is_kept_or_taken_over_has_no_effect(play: Play) -> None:
    await play.make("account: {k: {hosts: a, key: /k, text: new, lifecycle: {on_delete: keep}}}")
    play.stack("{}")

    assert effects(await play.plan()) == {"account.k@a": ""}


async def test_a_replace_says_its_own_effect(play: Play) -> None:
    await play.make("account: {r: {hosts: a, key: /r, text: new, mode: '1'}}")
    play.stack("account: {r: {hosts: a, key: /r, text: new, mode: '2'}}")

    assert effects(await play.plan()) == {"account.r@a": "anew"}


async def test_validate_and_examine_see_the_lifecycle(play: Play) -> None:
    play.stack("account: {p: {hosts: a, key: /p, lifecycle: {prevent_destroy: true}}}")
    assert (await play.plan())["warnings"] == ["account.p@a: stays for ever"]

    play.stack("account: {p: {hosts: a, key: /p, lifecycle: {keep_on_failure: true}}}")
    with pytest.raises(StackError, match="is of no use here"):
        await play.plan()


async def test_a_delete_that_restarts_is_done_while_its_host_is_drained(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    gate = "gate: {g: {vip: v}}\n"
    await play.make(f"{gate}account: {{m: {{key: /made, text: new}}}}")
    play.stack(gate)

    plan = await play.plan()

    assert [task["op"] for task in plan["tasks"] if task["host"] == "a"] == ["drain", "change", "verify", "undrain"]
    assert (await play.apply()).ok
    assert play.world["a"].data.keys() == {"gate:v"}
