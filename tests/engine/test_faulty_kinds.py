"""Whatever a kind raises or returns wrongly: told with method, kind, package and address, in the plan's error or in its
own task's failure; tasks of others in the same exec go on, and no run is left unfinished.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hacore.contract import Desired, Observed, Step
from hacore.errors import ProviderError, StackError
from hacore.store import StateReader
from hacore.testing import KINDS
from hacore.testing.things import Daemon, Thing, ThingSpec

from .play import Play

STACK = """
thing:
  good: {hosts: a, key: /good, text: new}
odd:
  bad: {hosts: a, key: /bad, text: new}
"""


HERE = __name__


class Odd(Thing):
    """A thing with a fault in one of its methods."""

    kind = "odd"


def odd(method: str, fault: Callable[..., Any]) -> dict[str, Any]:
    made = type("Odd", (Odd,), {method: fault, "__module__": __name__})
    return {**KINDS, "odd": made()}


def boom(self: Any, *args: Any) -> Any:
    raise KeyError("x")


def status(play: Play) -> str:
    reader = StateReader.open(play.url)
    assert reader is not None
    with reader:
        return reader.runs()[-1].status


def faulty(play: Play, method: str, fault: Callable[..., Any]) -> None:
    play.options = {"providers": odd(method, fault)}
    play.stack(STACK)


# -- before a host is touched -----------------------------------------------------------------------


def undated(value: Any) -> Any:
    return lambda self, view: value


@pytest.mark.parametrize(
    ("method", "fault", "said"),
    [
        ("facts", boom, "raised KeyError: 'x' at "),
        ("facts", lambda self, spec: [("value", "x")], "returned an item that is a tuple, and must be of Ask"),
        ("observe", boom, "raised KeyError: 'x' at "),
        ("observe", undated("there"), "returned a str, and must be an Observed or None"),
        ("observe", undated(Observed({"a": {1}})), "returned attrs['a'], which is a set and not JSON"),
        ("observe", undated(Observed({"a": [{"b": b"c"}]})), "returned attrs['a'][0].b, which is a bytes and not JSON"),
        ("observe", undated(Observed({"a": 1}, {"seen": object()})), "returned info['seen'], which is a object"),
        ("desire", boom, "raised KeyError: 'x' at "),
        ("desire", undated(None), "returned a NoneType, and must be a Desired"),
        ("desire", undated(Desired({"a": float("nan")})), "returned attrs['a'], which is nan and not a JSON number"),
        ("desire", undated(Desired({"a": 1}, disrupts="all")), "returned disrupts = 'all', and must be one of none"),  # type: ignore[arg-type]
        ("aggregate", boom, "raised KeyError: 'x' at "),
        ("exclusive", lambda self, spec: 3, "returned a int, and must be a string or None"),
        ("recorded", lambda self, spec: None, "returned a NoneType, and must be a ThingSpec"),
        ("claims", lambda self, spec: ["path:/x"], "returned an item that is a str, and must be of Claim"),
        ("examine", boom, "raised KeyError: 'x' at "),
        ("loads", lambda self, change: "yes", "returned a str, and must be true or false"),
    ],
)
async def test_a_fault_that_a_plan_meets_is_its_error(play: Play, method: str, fault: Any, said: str) -> None:
    faulty(play, method, fault)

    for go in (play.plan, play.apply):
        with pytest.raises(ProviderError) as caught:
            await go()

        assert str(caught.value).startswith(
            f"cannot continue with odd.bad@a: `{method}` of the kind 'odd' ({HERE}) {said}"
        )
    assert not any(machine.data for machine in play.world)
    assert play.world["a"].lock == ""


@pytest.mark.parametrize(
    ("method", "fault", "said"),
    [
        ("resolve", boom, "raised KeyError: 'x' at "),
        ("resolve", lambda self, spec, files: {"key": "/x"}, "returned a dict, and must be a ThingSpec"),
        ("validate", boom, "raised KeyError: 'x' at "),
        ("validate", lambda self, *a: [("a", "wrong")], "returned ('a', 'wrong'), and must be pairs of a host's name"),
        ("needs", boom, "raised KeyError: 'x' at "),
        ("triggers", lambda self, spec, address: "restart", "returned a str, and must be a sequence of Trigger"),
    ],
)
async def test_a_fault_at_load_is_a_mistake_with_its_place(play: Play, method: str, fault: Any, said: str) -> None:
    faulty(play, method, fault)

    with pytest.raises(StackError) as caught:
        await play.plan()

    (problem,) = caught.value.problems
    assert problem.message.startswith(f"`{method}` of the kind 'odd' ({HERE}) {said}")
    assert problem.address.startswith("odd.bad")
    assert problem.line > 1


# -- while hosts are changed ------------------------------------------------------------------------


def unparsable(self: Any, work: Any) -> Step | None:
    step = Thing.capture(self, work)
    assert step is not None
    return replace(step, parse=lambda output: {}["x"])


def misparsed(self: Any, work: Any) -> Step | None:
    step = Thing.capture(self, work)
    assert step is not None
    return replace(step, parse=lambda output: {"odd.bad@a": None})


def second_time(method: str) -> Callable[..., Any]:
    """Fails where the change has been made: a plan does not meet it."""

    def fault(self: Any, view: Any) -> Any:
        if view.facts.get(*_asked(self, view)) is not None:
            raise KeyError("x")
        return getattr(Thing, method)(self, view)

    return fault


def _asked(self: Any, view: Any) -> tuple[Any, str]:
    (ask,) = self.facts(view.spec)
    return ask.fact, ask.arg


@pytest.mark.parametrize(
    ("method", "fault", "said"),
    [
        ("prepare", boom, f"`prepare` of the kind 'odd' ({HERE}) raised KeyError: 'x' at"),
        ("capture", boom, f"`capture` of the kind 'odd' ({HERE}) raised KeyError: 'x' at"),
        (
            "capture",
            lambda self, work: "cat",
            f"`capture` of the kind 'odd' ({HERE}) returned a str",
        ),
        ("capture", unparsable, f"`capture's parse` of the kind 'odd' ({HERE}) raised KeyError"),
        ("capture", misparsed, f"`capture's parse` of the kind 'odd' ({HERE}) returned a key"),
        ("apply", boom, f"`apply` of the kind 'odd' ({HERE}) raised KeyError: 'x' at"),
        (
            "apply",
            lambda self, work: ["rm"],
            f"`apply` of the kind 'odd' ({HERE}) returned an item",
        ),
        ("patience", boom, f"`patience` of the kind 'odd' ({HERE}) raised KeyError: 'x' at"),
        ("observe", second_time("observe"), f"`observe` of the kind 'odd' ({HERE}) raised"),
        (
            "desire",
            second_time("desire"),
            f"`desire` of the kind 'odd' ({HERE}) raised KeyError",
        ),
    ],
)
async def test_a_fault_in_a_task_is_its_own(play: Play, method: str, fault: Any, said: str) -> None:
    faulty(play, method, fault)

    result = await play.apply()

    (bad,) = [task for task in result.tasks if task.addresses == ("odd.bad@a",)]
    (good,) = [task for task in result.tasks if task.addresses == ("thing.good@a",)]
    assert said in bad.error
    assert good.status == "done"
    assert good.error == ""
    assert play.world["a"].data == {"/good": {"text": "new"}}
    assert status(play) == "failed"


async def test_an_undo_that_cannot_be_made_ends_the_run(play: Play) -> None:
    faulty(play, "undo", boom)
    play.world["a"].fail("write /late")
    play.stack(STACK + "  late: {hosts: a, key: /late, text: new, uses: ['path:/bad']}\n")

    result = await play.apply()

    (bad,) = [task for task in result.tasks if task.addresses == ("odd.bad@a",)]
    assert bad.status == "error"
    assert f"`undo` of the kind 'odd' ({HERE}) raised KeyError: 'x' at" in bad.error
    assert status(play) == "failed"


async def test_a_trigger_that_cannot_be_made_is_its_own_task(play: Play) -> None:
    made = type("Fickle", (Daemon,), {"kind": "fickle", "trigger": boom, "__module__": __name__})
    play.options = {"providers": {**KINDS, "fickle": made()}}
    play.world["a"].units["d"] = {"running": True, "loaded": {}}
    play.stack("thing:\n  t: {hosts: a, text: new}\nfickle:\n  d: {hosts: a, reload_on: [thing.t]}\n")

    result = await play.apply()

    assert any("cannot continue with fickle.d@a: `trigger` of the kind" in task.error for task in result.tasks)
    assert status(play) != "running"


async def test_a_kind_that_cannot_say_what_to_record_leaves_no_run_open(play: Play) -> None:
    """`recorded` works in the plan and fails while the run goes on, where halt wants the row of what stays."""
    calls: list[ThingSpec] = []

    def fault(self: Any, spec: ThingSpec) -> ThingSpec:
        calls.append(spec)
        if play.world["a"].lock and "/good" in play.world["a"].data:
            raise KeyError("x")
        return spec

    faulty(play, "recorded", fault)
    play.world["a"].fail("write /bad")

    result = await play.apply(on_failure="halt")

    assert calls
    assert {task.status for task in result.tasks} == {"done", "error"}
    assert status(play) == "failed"
