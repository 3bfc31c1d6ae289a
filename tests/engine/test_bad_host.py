"""One bad host of two: it is named, the other one is shown, and nothing is undone because nobody knows."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hacore.engine import plan, state_url_of, status
from hacore.errors import DeadlineError, FloodError, HacoreError, ProbeError, UnreachableError
from hacore.render.drift import drift_exit_code, drift_text
from hacore.render.plan import PlanText, plan_text
from hacore.render.status import status_exit_code, status_json
from hacore.testing.machine import Machine
from tests.engine.play import Play

BREACHES = [
    pytest.param(DeadlineError("cannot wait for a command on b@192.0.2.2: it did not end within 600s"), id="hangs"),
    pytest.param(FloodError("cannot read the output of b@192.0.2.2: more than 9 bytes on stdout"), id="floods"),
    pytest.param(ProbeError("cannot read the answer of b@192.0.2.2: stat: not found"), id="nonsense"),
]
STACK = "thing: {t: {hosts: a, text: v1}, u: {hosts: b, text: v1}}\ndaemon: {d: {hosts: b, running: true}}"
WHY = "value: it did not end within 60 s and was stopped"


@pytest.fixture
async def two(play: Play) -> Play:
    """Two hosts, both drifted."""
    await play.make(STACK)
    play.world["a"].data["/things/t"]["text"] = "by hand"
    play.world["b"].data["/things/u"]["text"] = "by hand"
    return play


@pytest.mark.parametrize("breach", BREACHES)
async def test_plan_names_it_and_shows_the_other(two: Play, breach: Exception) -> None:
    two.world["b"].breach = breach
    made = await two.plan()

    assert [c["address"] for c in made["changes"]] == ["thing.t@a"]
    assert made["complete"] is False and made["applyable"] is False
    assert made["unreachable"] == [{"host": "b", "reason": str(breach)}]
    planned = await plan(two.request)
    text = plan_text(planned.plan, PlanText("-"))
    assert re.search(rf"b +192\.0\.2\.2 +not checked: {re.escape(str(breach))}", text)
    assert "Incomplete: b was not checked: changes needed there are not known" in text
    report = await status(two.request, state_url_of(two.folder / "stack.yaml"))
    assert status_exit_code(report) == 1
    assert [h["reachable"] for h in status_json(report)["hosts"]] == [True, False]


@pytest.mark.parametrize("breach", BREACHES)
async def test_drift_names_it_and_tells_the_others(two: Play, breach: Exception) -> None:
    two.world["b"].breach = breach
    report = await two.drift()

    assert [str(d.address) for d in report.drift] == ["thing.t@a"]
    assert report.complete is False and drift_exit_code(report) == 1
    assert f"Incomplete: b was not checked, changes there are not known: {breach}" in drift_text(report)


@pytest.mark.parametrize("breach", BREACHES)
async def test_apply_needs_allow_degraded_and_then_leaves_it_alone(two: Play, breach: Exception) -> None:
    two.world["b"].breach = breach
    before = two.world["b"].snapshot()
    with pytest.raises(UnreachableError, match=re.escape(str(breach))):
        await two.apply()
    await two.apply(allow_degraded=True)

    assert two.text("/things/t") == "v1"
    assert two.world["b"].snapshot() == before


@pytest.mark.parametrize("breach", BREACHES)
async def test_rollback_names_it_and_does_nothing(two: Play, breach: Exception) -> None:
    two.world["b"].breach = breach
    before = two.world.snapshot()
    with pytest.raises(UnreachableError, match=re.escape(str(breach))):
        await two.rollback(force=True)

    assert two.world.snapshot() == before


async def test_a_fact_that_is_not_answered_costs_what_asks_for_it_alone(two: Play) -> None:
    two.world["b"].silent["value"] = WHY
    two.world["b"].units["d"]["running"] = False
    made, report = await two.plan(), await two.drift()

    assert [c["address"] for c in made["changes"]] == ["daemon.d@b", "thing.t@a"] or {
        c["address"] for c in made["changes"]
    } == {"daemon.d@b", "thing.t@a"}
    assert made["complete"] is False
    ((host, why),) = [(u["host"], u["reason"]) for u in made["unreachable"]]
    assert (host, why) == ("b", f"b@192.0.2.2 did not answer every question: {WHY} (asked by thing)")
    assert {str(d.address) for d in report.drift} == {"daemon.d@b", "thing.t@a"}
    assert report.complete is False and drift_exit_code(report) == 1
    text = plan_text((await plan(two.request)).plan, PlanText("-"))
    assert re.search(r"checked in part: .*value: it did not end within 60 s", text)


async def test_apply_takes_a_host_that_answers_in_part_for_one_that_does_not(two: Play) -> None:
    two.world["b"].silent["value"] = WHY
    two.world["b"].units["d"]["running"] = False
    before = two.world["b"].snapshot()
    with pytest.raises(UnreachableError, match="value: it did not end"):
        await two.apply()
    await two.apply(allow_degraded=True)

    assert two.text("/things/t") == "v1"
    assert two.world["b"].snapshot() == before


def _breach(machine: Machine) -> None:
    machine.breach = DeadlineError("cannot wait for a command on b: it did not end within 600s")


def _silence(machine: Machine) -> None:
    machine.silent["value"] = WHY


@pytest.mark.parametrize("bad", [_breach, _silence])
async def test_what_came_of_a_task_is_asked_again_then_held_and_not_undone(
    play: Play, bad: Callable[[Machine], None]
) -> None:
    await play.make("thing: {u: {hosts: b, text: v1}, w: {hosts: b, text: v1, needs: [thing.u]}}")
    play.stack("thing: {u: {hosts: b, text: v2}, w: {hosts: b, text: v2, needs: [thing.u]}}")
    play.world["b"].on("write /things/u", bad, after=True)
    asked = play.world["b"].execs
    result = await play.apply()

    assert result.status == "failed", play.story(result)
    assert play.text("/things/u", "b") == "v2"  # as it was made
    assert play.text("/things/w", "b") == "v1"  # what depends on it has not begun
    assert not play.world["b"].did("restore *")
    assert "nothing is undone" in play.story(result)
    assert play.world["b"].execs >= asked + 2
    play.world["b"].breach, play.world["b"].silent = None, {}
    assert (await play.apply()).ok
    assert play.text("/things/w", "b") == "v2"


async def test_a_host_that_answers_the_second_time_is_fine(play: Play) -> None:
    await play.make("thing: {u: {hosts: b, text: v1}}")
    play.stack("thing: {u: {hosts: b, text: v2}}")
    machine, link = play.world["b"], play.world.connect

    def once(machine: Machine) -> None:
        machine.silent["value"] = WHY

    async def connect(host: object) -> object:
        made = await link(host)  # type: ignore[arg-type]
        ask = made.facts

        async def facts(asks: object) -> object:
            machine.silent.clear()  # the frame's own questions were the ones not answered
            return await ask(asks)  # type: ignore[arg-type]

        made.facts = facts  # type: ignore[assignment, method-assign]
        return made

    machine.on("write /things/u", once, after=True)
    play.options = {"connect": connect}
    result = await play.apply()

    assert result.ok, play.story(result)


def test_what_is_doubtful_is_an_error_of_hacores_own() -> None:
    from hacore.errors import DoubtError

    assert issubclass(DoubtError, HacoreError)


async def test_a_plan_to_be_saved_leaves_a_host_out_that_answers_in_part(two: Play) -> None:
    two.world["b"].silent["value"] = WHY
    two.world["b"].units["d"]["running"] = False
    made = (await plan(two.request, whole=True)).plan

    assert [str(c.address) for c in made.changes] == ["thing.t@a"]
    assert made.unreachable == ("b",)
