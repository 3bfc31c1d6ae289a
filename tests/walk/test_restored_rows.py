"""Rows of what a rollback restores: their marks, what is tainted when it fails, and what a block checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.journal import RunningTask
from hacore.model import Op, Row
from hacore.plan import PlanTask
from hacore.store import row_to_json
from hacore.walk.guards import _as_wanted
from hacore.walk.record import tainted_rows
from hacore.walk.undo_steps import restored_rows
from tests.plan.table import Table, row_of
from tests.walk.test_settling import context
from tests.walk.test_walker import WEB, X, Y, known, mark
from tests.walk.walks import Walk

THING, OTHER, DAEMON = Address.parse(X), Address.parse(Y), Address.parse(WEB)


def web(**loaded: str | None) -> Row:
    return replace(row_of(WEB, unit="web"), loaded=loaded)


def restoring(host: str | None, **rows: Row | None) -> RunningTask:
    stored = {Address.parse(a): None if row is None else row_to_json(row) for a, row in rows.items()}
    return RunningTask(PlanTask("t1", Op.RESTORE, "daemon", host, tuple(stored), rows=stored), intent=True)


@pytest.mark.parametrize(
    ("host", "now", "source"),
    [
        # a trigger of this run loads it: until then the mark is that of now
        ("a", web(**{X: mark("new")}), "?" + mark("new")),
        ("a", None, None),
        # in the state alone nothing is pending
        (None, web(**{X: mark("new")}), mark("old")),
    ],
)
def test_of_a_restored_consumer_only_what_a_trigger_loads_is_pending(
    host: str | None, now: Row | None, source: str | None
) -> None:
    live = restoring(host, **{WEB: web(**{X: mark("old"), Y: mark("old")}), X: None})
    ctx = context({} if now is None else {DAEMON: now}, {})
    ctx.sources = {DAEMON: {THING: ()}}
    rows = restored_rows(live, ctx)
    assert rows[THING] is None
    row = rows[DAEMON]
    assert row is not None
    assert row.loaded[Y] == mark("old")
    assert row.loaded[X] == source


@pytest.mark.parametrize("intent", [True, False])
def test_what_may_be_half_restored_is_tainted(intent: bool) -> None:
    now, gone = row_of(X, text="now"), row_of(Y, text="gone")
    live = restoring("a", **{X: row_of(X, text="old"), Y: gone, WEB: None})
    live.intent = intent
    rows = tainted_rows(live, context({THING: now}, {}))
    assert rows == ([replace(row, tainted=True, run=1) for row in (now, gone)] if intent else [])


@pytest.mark.parametrize(
    ("after", "now", "fine"),
    [
        # not recorded after the rollback
        (None, "old", True),
        # its own restore is still to come
        ("other", None, True),
        ("other", "old", True),
        # restored, and the host has something else
        ("other", "other", False),
        ("old", "old", True),
    ],
)
async def test_a_block_of_a_rollback_checks_what_is_restored_already(
    tmp_path: Path, after: str | None, now: str | None, fine: bool
) -> None:
    table = Table()
    known(table, X, "old")
    table.want(X, text="old")
    async with Walk.of(tmp_path, table) as walk:
        walk.ctx.expected = {} if after is None else {THING: row_of(X, text=after)}
        walk.ctx.rows = {} if now is None else {THING: row_of(X, text=now)}
        assert _as_wanted(walk.ctx.views[THING], walk.ctx) is fine
