"""Actions and their reasons, chosen from recorded, observed and desired."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Desired
from hacore.model import Action, Lifecycle, Row
from hacore.plan.decision import Decision, decide, decide_unwanted

ONE, TWO, GONE = (Address.parse(text) for text in ("thing.one@a", "thing.two@a", "thing.gone@a"))
V1, V2 = {"text": "v1"}, {"text": "v2"}
DELETE, KEPT = Decision(Action.DELETE, "why"), Decision(Action.FORGET, "why; lifecycle.on_delete is keep")
MISSING, IN_PROGRESS = "is missing", "was in progress when the run was interrupted"


def taken(*takers: Address) -> Decision:
    return Decision(Action.FORGET, f"now managed by {TWO}", takers=takers)


REDUCED = "no longer has the package x: restored to the original state"


def row(**more: Any) -> Row:
    return replace(Row(ONE, {}, 1, V1, claims=("own path:/x", "share pkg:gcc"), hosts=("a",), run=7), **more)


@pytest.mark.parametrize(
    ("recorded", "before", "options", "action", "reason"),
    [
        (None, None, {}, Action.CREATE, ""),
        (None, V2, {}, Action.ADOPT, "already in the desired state; added to the state"),
        (None, V1, {}, Action.UPDATE, "exists already, not yet managed"),
        (row(), V2, {}, Action.NOOP, ""),
        (row(), V1, {}, Action.UPDATE, ""),
        (row(), None, {}, Action.CREATE, MISSING),
        (row(tainted=True), V2, {}, Action.UPDATE, "tainted by run 7"),
        (row(tainted=True), None, {}, Action.CREATE, "tainted by run 7"),
        (row(), V1, {"ignore": ("text",)}, Action.NOOP, ""),
        (row(), V2, {"moves": True}, Action.REPLACE, "path or host changed, must be replaced"),
        (None, None, {"moves": True}, Action.CREATE, ""),
        (row(), V2, {"moves": True, "without": "the package x"}, Action.UPDATE, REDUCED),
        (None, V2, {"without": "the package x"}, Action.ADOPT, "already in the desired state; added to the state"),
        (row(), V2, {"begun": Action.CREATE}, Action.CREATE, IN_PROGRESS),
        (row(), V2, {"begun": Action.REPLACE}, Action.REPLACE, IN_PROGRESS),
        (row(), V2, {"begun": Action.DELETE}, Action.UPDATE, IN_PROGRESS),
        (None, V2, {"begun": Action.DELETE}, Action.UPDATE, IN_PROGRESS),
        (None, None, {"begun": Action.DELETE}, Action.CREATE, IN_PROGRESS),
        (row(), V1, {"moves": True, "begun": Action.UPDATE}, Action.REPLACE, "path or host changed, must be replaced"),
    ],
)
def test_the_action_of_a_desired_address(
    recorded: Row | None, before: Any, options: dict[str, Any], action: Action, reason: str
) -> None:
    found = decide(before, Desired(V2), recorded, **options)
    assert (found.action, found.reason) == (action, reason)
    assert found.moves is (action is Action.REPLACE and "moves" in options)
    assert found.reduces is (reason == REDUCED)


def test_only_a_changed_attr_that_cannot_change_in_place_replaces() -> None:
    desired = Desired({"text": "v1", "mode": "0644"}, replace_on=frozenset({"mode"}))
    assert decide({"text": "v0", "mode": "0644"}, desired, row()) == Decision(Action.UPDATE)
    found = decide({"text": "v1", "mode": "0600"}, desired, row())
    assert found == Decision(Action.REPLACE, "mode cannot be changed in place")


@pytest.mark.parametrize(
    ("recorded", "takers", "answered", "decision"),
    [
        (row(), {}, True, DELETE),
        (row(), {}, False, None),
        (row(), {"path:/x": TWO}, True, taken(TWO)),
        (row(), {"path:/x": TWO}, False, taken(TWO)),
        # a shared token alone is not its place
        (row(), {"pkg:gcc": TWO}, True, DELETE),
        # what shares everything is
        (row(claims=("share pkg:gcc",)), {"pkg:gcc": TWO}, True, taken(TWO)),
        (row(), {"pkg:gcc": GONE, "path:/x": TWO}, True, taken(GONE, TWO)),
        # of several owners the first is named
        (row(claims=("own path:/x", "own path:/y")), {"path:/x": TWO, "path:/y": GONE}, True, taken(GONE, TWO)),
        (row(claims=()), {}, True, DELETE),
        (row(lifecycle=Lifecycle(on_delete="keep")), {}, False, KEPT),
    ],
)  # fmt: skip
def test_the_action_of_what_the_stack_does_not_have(
    recorded: Row, takers: dict[str, Address], answered: bool, decision: Decision | None
) -> None:
    assert decide_unwanted(recorded, "why", takers, answered=answered) == decision
