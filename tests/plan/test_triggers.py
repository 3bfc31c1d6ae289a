"""Why a source reloads or restarts its consumer."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Change, Trigger
from hacore.diff import AttrChange
from hacore.model import Action, Row, loaded_mark, pending_mark
from hacore.plan import PlannedChange
from hacore.plan.triggers import Reason, reason_of
from hacore.testing.things import ThingSpec

SOURCE = Address.parse("thing.x@a")
ROW = Row(SOURCE, {}, 1, {"text": "v1", "mode": "0644"})
LOADED = loaded_mark(ROW.attrs)
RELOAD, ON_TEXT = Trigger("thing.x", "reload"), Trigger("thing.x", "reload", ("text",))


def planned(action: Action, *paths: str) -> PlannedChange:
    change: Change[Any] = Change(SOURCE, action, ThingSpec())
    return PlannedChange(SOURCE, action, change, attrs=tuple(AttrChange(path) for path in paths))


@pytest.mark.parametrize(
    ("trigger", "change", "row", "loaded", "reason"),
    [
        (RELOAD, None, ROW, {}, None),
        (RELOAD, None, ROW, {str(SOURCE): LOADED}, None),
        (RELOAD, None, ROW, {str(SOURCE): None}, Reason.PENDING),
        (RELOAD, None, ROW, {str(SOURCE): "another"}, Reason.PENDING),
        (RELOAD, None, ROW, {str(SOURCE): pending_mark(LOADED)}, Reason.PENDING),
        (RELOAD, None, None, {str(SOURCE): None}, None),
        (RELOAD, planned(Action.UPDATE, "mode"), ROW, {str(SOURCE): LOADED}, Reason.CHANGED),
        (RELOAD, planned(Action.CREATE), None, {}, Reason.CHANGED),
        # a change beats what is pending: it is this plan that causes it
        (RELOAD, planned(Action.UPDATE, "mode"), ROW, {str(SOURCE): None}, Reason.CHANGED),
        # only some attrs count
        (ON_TEXT, planned(Action.UPDATE, "mode"), ROW, {}, None),
        (ON_TEXT, planned(Action.UPDATE, "text"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE, "text.a"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE, "text[0]"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.REPLACE, "mode"), ROW, {}, Reason.CHANGED),
        (ON_TEXT, planned(Action.UPDATE, "mode"), ROW, {str(SOURCE): None}, Reason.PENDING),
    ],
)
def test_why_a_source_pulls_a_trigger(
    trigger: Trigger,
    change: PlannedChange | None,
    row: Row | None,
    loaded: dict[str, str | None],
    reason: Reason | None,
) -> None:
    assert reason_of(SOURCE, trigger, change, row, loaded) is reason
