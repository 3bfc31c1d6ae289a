"""Another machine behind an old address: nothing of the old one is believed of it, nor brought to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hacore.engine import RollbackPlan
from hacore.errors import PlanError
from hacore.render.drift import drift_exit_code, drift_json, drift_text
from hacore.render.plan import PlanText, plan_text
from hacore.render.rollback import rollback_text
from hacore.testing import Machine
from tests.engine.play import Play

TWO = "thing: {x: {key: /x, text: v1}, y: {key: /y, text: v1, needs: [thing.x]}}"


def burned(machine: Machine) -> None:
    """The machine's place is taken by one as it comes out of the box, with a file of its own."""
    machine.base = replace(machine.base, machine_id=f"another-{machine.facts().machine_id}")
    machine.data = {"/x": {"text": "of the new machine"}}
    machine.units.clear()
    machine.log.clear()


async def lines(play: Play) -> list[str]:
    from hacore.engine import plan

    return plan_text((await plan(play.request)).plan, PlanText("state")).splitlines()


async def test_a_new_machine_is_said_first_and_planned_from_scratch(play: Play) -> None:
    play.world["b"].data["/x"] = {"text": "of the old machine"}
    await play.make(TWO)
    burned(play.world["b"])

    made = await play.plan()
    assert {c["address"]: (c["action"], c["reason"]) for c in made["changes"]} == {
        "thing.x@b": ("update", "exists already, not yet managed"),
        "thing.y@b": ("create", ""),
    }
    assert made["new_machines"] == [{"host": "b", "recorded": "id-of-b", "found": "another-id-of-b"}]
    assert made["drift"] == []
    assert (await lines(play))[0].startswith("New machine: b@192.0.2.2 is not the recorded one")

    result = await play.apply()
    assert result.ok, play.story(result)
    made = await play.plan()
    assert (made["changes"], made["new_machines"]) == ([], [])


async def test_destroy_brings_back_what_the_new_machine_had(play: Play) -> None:
    play.world["b"].data["/x"] = {"text": "of the old machine"}
    await play.make(TWO)
    burned(play.world["b"])
    assert (await play.apply()).ok
    assert (await play.apply(destroy=True)).ok
    assert play.world["b"].data == {"/x": {"text": "of the new machine"}}


async def test_nothing_is_deleted_on_a_new_machine(play: Play) -> None:
    await play.make(TWO)
    burned(play.world["b"])
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}, y: {hosts: a, key: /y, text: v1, needs: [thing.x]}}")
    assert await play.actions() == {}
    assert (await play.apply()).status == "nothing"
    assert set(play.rows()) == {"thing.x@a", "thing.y@a"}
    assert play.world["b"].log == []
    assert (await play.plan())["new_machines"] == []


async def test_destroy_takes_nothing_from_a_new_machine(play: Play) -> None:
    await play.make(TWO)
    burned(play.world["b"])
    assert (await play.apply(destroy=True)).ok
    assert play.world["b"].log == []
    assert play.world["a"].data == {}
    assert play.rows() == {}


async def test_a_failure_on_the_new_machine_brings_nothing_of_the_old_one(play: Play) -> None:
    play.world["b"].data["/x"] = {"text": "of the old machine"}
    await play.make(TWO)
    burned(play.world["b"])
    play.world["b"].fail("write /y")
    result = await play.apply()
    assert result.status == "rolled_back", play.story(result)
    assert play.world["b"].data == {"/x": {"text": "of the new machine"}}
    assert set(play.rows()) == {"thing.x@a", "thing.y@a"}


async def test_a_rollback_passes_over_a_machine_that_is_gone(play: Play) -> None:
    await play.make(TWO)
    burned(play.world["b"])
    shown: list[RollbackPlan] = []

    async def yes(plan: RollbackPlan) -> bool:
        shown.append(plan)
        return True

    assert (await play.rollback(approve=yes)).ok
    assert {item.host for item in shown[0].items} == {"a"}
    assert rollback_text(shown[0]).startswith("New machine: b@192.0.2.2")
    assert play.world["a"].data == {}
    assert play.world["b"].data == {"/x": {"text": "of the new machine"}}
    assert await play.actions() == {
        "thing.x@a": "create",
        "thing.y@a": "create",
        "thing.x@b": "update",
        "thing.y@b": "create",
    }


async def test_an_older_run_is_not_taken_back_on_a_machine_that_came_later(play: Play) -> None:
    """The run on the new machine is taken back, then the one before: its images are the old machine's."""
    play.world["b"].data["/x"] = {"text": "of the old machine"}
    await play.make(TWO)
    burned(play.world["b"])
    await play.make(TWO)
    assert (await play.rollback()).ok
    assert play.world["b"].data == {"/x": {"text": "of the new machine"}}
    assert (await play.rollback()).ok
    assert play.world["b"].data == {"/x": {"text": "of the new machine"}}
    assert play.world["a"].data == {}


async def test_a_run_is_not_gone_on_with_on_another_machine(play: Play) -> None:
    play.stack(TWO)

    class Died(BaseException):
        pass

    def die(_machine: Machine) -> None:
        raise Died

    play.world["b"].on("write /y", die)
    with pytest.raises(Died):
        await play.apply()
    for machine in play.world:
        machine.lock = ""
    burned(play.world["b"])
    with pytest.raises(PlanError, match=r"cannot resume run 1: b@192\.0\.2\.2 was replaced by another machine"):
        await play.apply(resume=True)
    assert (await play.rollback()).ok
    assert play.world["b"].data == {"/x": {"text": "of the new machine"}}
    assert play.world["a"].data == {}


async def test_drift_names_a_new_machine_and_compares_nothing_of_it(play: Play) -> None:
    await play.make(TWO)
    burned(play.world["b"])
    report = await play.drift()
    assert (report.drift, report.checked, drift_exit_code(report)) == ((), 2, 2)
    assert drift_text(report).startswith("New machine: b@192.0.2.2 is not the recorded one")
    assert [m["host"] for m in drift_json(report)["new_machines"]] == ["b"]


async def test_what_spans_hosts_stands_while_one_of_its_machines_does(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    stack = "gate: {g: {vip: v}}\nshared: {s: {vip: v, instance: gate.g}}"
    await play.make(stack)
    burned(play.world["b"])
    assert await play.actions() == {"gate.g@b": "create"}


async def test_a_machine_without_an_id_is_not_judged(play: Play) -> None:
    from hacore.contract import Facts, HostFacts
    from hacore.plan import new_machines

    facts = {"a": Facts(HostFacts(machine_id="")), "b": Facts(HostFacts(machine_id="new"))}
    assert new_machines({"a": "old", "b": ""}, facts, {}) == []
