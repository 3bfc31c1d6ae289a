"""Import: recorded as found, touched by nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.engine import Adoption, adopt
from hacore.errors import Cancelled, PlanError, UsageError
from hacore.render.adoption import adopted_text, adoption_json, adoption_text
from tests.engine.play import HEAD, Play

TWO = "thing: {x: {key: /x, text: v1}, y: {key: /y, text: v1, needs: [thing.x]}}"


async def take_in(play: Play, *addresses: str, answer: bool = True) -> Adoption:
    async def approve(_shown: Adoption) -> bool:
        return answer

    return await adopt(play.request, [Address.parse(a) for a in addresses], approve=approve)


def there(play: Play, text: str, *, host: str = "a", keys: Sequence[str] = ("/x", "/y")) -> None:
    play.world[host].data.update({key: {"text": text} for key in keys})


async def test_what_is_as_wanted_is_recorded_and_nothing_is_left_to_do(play: Play) -> None:
    play.stack(TWO)
    for host in ("a", "b"):
        there(play, "v1", host=host)
    done = await take_in(play, "thing.x", "thing.y")
    assert [str(item.address) for item in done.items] == ["thing.x@a", "thing.x@b", "thing.y@a", "thing.y@b"]
    assert await play.actions() == {}
    assert not (await play.drift()).drift
    assert [machine.log for machine in play.world] == [[], []]
    assert play.row("thing.x@a").found == "same"


async def test_what_differs_is_recorded_as_found_and_changed_by_the_next_apply(play: Play) -> None:
    play.stack(TWO)
    there(play, "theirs")
    shown = await take_in(play, "thing.x@a")
    assert play.world["a"].log == []
    assert not (await play.drift()).drift
    made = await play.plan()
    assert [(c["address"], c["action"], c["reason"]) for c in made["changes"] if c["address"] == "thing.x@a"] == [
        ("thing.x@a", "update", "")
    ]
    text = adoption_text(shown)
    assert "# thing.x@a will be recorded in its current state; the next plan shows these changes" in text
    assert text.endswith("Import: 1 to record, 1 of them does not match the desired state.")
    assert adopted_text(shown, "hacore plan").startswith(
        "Imported: 1 resource. To show the changes that remain: hacore"
    )
    assert adoption_json(shown)["imported"] == [{"address": "thing.x@a", "host": "a", "differs": ["text"]}]

    result = await play.apply()
    assert result.ok, play.story(result)
    assert (await play.apply(destroy=True)).ok
    assert play.world["a"].data["/x"] == {"text": "theirs"}


async def test_destroy_leaves_what_was_only_imported(play: Play) -> None:
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}}")
    there(play, "v1", keys=["/x"])
    await take_in(play, "thing.x")
    assert (await play.apply(destroy=True)).ok
    assert play.world["a"].data == {"/x": {"text": "v1"}}
    assert play.rows() == {}


async def test_the_next_apply_marks_the_hosts(play: Play) -> None:
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}}")
    there(play, "v1", keys=["/x"])
    await take_in(play, "thing.x")
    assert play.world["a"].markers == {}
    assert (await play.apply()).status == "nothing"
    assert len(play.world["a"].markers) == 1


async def test_a_secret_is_recorded_sealed(play: Play) -> None:
    play.stack("thing: {x: {hosts: a, key: /x, text: '{{ var.secret }}'}}")
    there(play, "hunter2-and-more", keys=["/x"])
    await take_in(play, "thing.x")
    assert play.row("thing.x@a").attrs["text"].startswith("hmac:")
    assert await play.actions() == {}
    play.world["a"].data["/x"] = {"text": "by hand"}
    assert [str(d.address) for d in (await play.drift()).drift] == ["thing.x@a"]


async def test_an_imported_daemon_has_loaded_what_was_imported(play: Play) -> None:
    play.stack("""
thing: {conf: {hosts: a, key: /conf, text: v1}}
daemon: {d: {hosts: a, reads: [/conf], reload_on: [thing.conf]}}
""")
    assert (await play.apply()).ok
    (play.states / "test.db").unlink()
    play.world["a"].markers.clear()
    await take_in(play, "thing.conf", "daemon.d")
    assert await play.actions() == {}


async def test_what_is_recorded_already_is_refused(play: Play) -> None:
    await play.make(TWO)
    with pytest.raises(
        PlanError, match=r"cannot import: thing\.x@a is recorded already \(`hacore state rm thing\.x@a`"
    ):
        await take_in(play, "thing.x@a")


async def test_all_that_prevents_an_import_is_said_at_once(play: Play) -> None:
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}}")
    assert (await play.apply()).ok
    play.stack(TWO)
    play.world["b"].reachable = False
    with pytest.raises(PlanError) as caught:
        await take_in(play, "thing.x@a", "thing.y")
    told = str(caught.value)
    assert "thing.x@a is recorded already" in told
    assert "thing.y@a does not exist: `hacore apply` creates it" in told
    assert "thing.y@b was not checked: cannot reach b@192.0.2.2" in told
    assert set(play.rows()) == {"thing.x@a"}


@pytest.mark.parametrize(
    ("address", "hint"),
    [("thing.yy@a", r"did you mean thing\.y@a\?"), ("thing.off", "its `when` is false"), ("pack.z", "hacore graph")],
)
async def test_what_the_stack_does_not_have_cannot_be_imported(play: Play, address: str, hint: str) -> None:
    play.stack(TWO.replace("}}", "}, off: {when: false, key: /off}}"))
    with pytest.raises(UsageError, match=rf"cannot import {address}: .*{hint}"):
        await take_in(play, address)
    assert [machine.execs for machine in play.world] == [0, 0]


@pytest.mark.parametrize("addresses", [("thing.x", "thing.yy@a"), ("thing.yy@a", "thing.x")])
async def test_of_several_addresses_each_must_be_in_the_stack(play: Play, addresses: tuple[str, str]) -> None:
    play.stack(TWO)
    there(play, "v1")
    with pytest.raises(UsageError, match=r"cannot import thing\.yy@a: it is not in the stack; did you mean thing\.y@a"):
        await take_in(play, *addresses)
    assert play.rows() == {}


async def test_a_renamed_thing_is_left_to_the_next_apply(play: Play) -> None:
    await play.make("thing: {x: {hosts: a, key: /x, text: v1}}")
    play.stack("thing: {new: {hosts: a, key: /x, text: v1}}")
    with pytest.raises(PlanError, match=r"thing\.new@a replaces thing\.x@a"):
        await take_in(play, "thing.new")


async def test_a_no_records_nothing(play: Play) -> None:
    play.stack(TWO)
    there(play, "v1")
    with pytest.raises(Cancelled):
        await take_in(play, "thing.x@a", answer=False)
    assert not list(play.states.iterdir())


async def test_what_another_state_manages_cannot_be_imported(play: Play, tmp_path: Path) -> None:
    await play.make(TWO)
    (tmp_path / "lost").mkdir()
    (tmp_path / "state").mkdir()
    lost = Play(tmp_path / "lost", tmp_path / "state", play.world)
    lost.stack(TWO, HEAD)
    with pytest.raises(PlanError, match=r"cannot import: a@192.* is managed by another state"):
        await take_in(lost, "thing.x")


async def test_a_vip_is_imported_over_its_hosts(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    for host in ("a", "b"):
        play.world[host].data["gate:v"] = {"weight": 100}
    play.stack("gate: {g: {vip: v}}\nshared: {s: {vip: v, instance: gate.g}}")
    await take_in(play, "gate.g", "shared.s")
    assert play.row("shared.s").hosts == ("a", "b")
    assert await play.actions() == {}
