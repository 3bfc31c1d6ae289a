"""Rows as a task leaves them: what is found, which origin is kept, and what a daemon has loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Change, Desired, Observed
from hacore.graph import Graph
from hacore.journal import new_row
from hacore.journal.new_rows import recorded_sources, rows_after
from hacore.load.stack import Instance
from hacore.model import Action, Lifecycle, Row, Unknown, loaded_mark, pending_mark
from hacore.plan import PlannedChange
from hacore.testing import KINDS
from tests.plan.table import HERE, row_of, spec_of

X, Y, Z, WEB = (Address.parse(text) for text in ("thing.x@a", "thing.y@a", "thing.z@a", "daemon.web@a"))
OLD, NEW = {"text": "old"}, {"text": "new"}


def made(action: Action = Action.UPDATE, address: Address = X, **more: Any) -> Row:
    """The row that a task leaves; `observed` before it in `planned`, after it in `seen`."""
    planned_fields = {k: more.pop(k) for k in ("observed", "desired", "inherits") if k in more}
    spec = spec_of(address, {})
    planned = PlannedChange(address, action, Change(address, action, spec), **planned_fields)
    lifecycle = Lifecycle(ignore_changes=more.pop("ignored", ()))
    instance = Instance(address, spec, "a", ("a",), HERE, lifecycle=lifecycle)
    graph = Graph((address,), {address: more.pop("needs", ())}, {address: tuple(KINDS[address.kind].claims(spec))})
    given: dict[str, Any] = {"seal": lambda text: f"hmac:{text}", "rows": {}, "sources": {}, "run": 7, **more}
    return new_row(planned, instance, KINDS[address.kind], graph, given.pop("seen", None), **given)


def recorded(address: Address = X, **more: Any) -> dict[Address, Row]:
    return {address: replace(row_of(str(address)), **more)}


@pytest.mark.parametrize(
    ("action", "observed", "found"),
    [
        (Action.ADOPT, Observed(OLD), "same"),
        (Action.CREATE, None, "absent"),
        # of a kind that observes something of what is not there yet
        (Action.CREATE, Observed(OLD), "absent"),
        (Action.UPDATE, None, "absent"),
        (Action.UPDATE, Observed(OLD), "different"),
    ],
)
def test_what_was_there_at_first(action: Action, observed: Observed | None, found: str) -> None:
    assert made(action, observed=observed).found == found


def test_what_was_there_at_first_and_the_first_origin_stay() -> None:
    row = made(observed=Observed(OLD), rows=recorded(found="same", origin=3), origin=9)
    assert (row.found, row.origin, row.run) == ("same", 3, 7)


@pytest.mark.parametrize(("before", "origin"), [({}, 9), (recorded(), 9), (recorded(origin=0), 0)])
def test_the_first_image_is_the_origin(before: dict[Address, Row], origin: int) -> None:
    assert made(rows=before, origin=9).origin == origin


@pytest.mark.parametrize(
    ("rows", "origin"),
    [
        (recorded(Y, origin=3), 3),
        # its own row wins over that of its former address
        (recorded(Y, origin=3) | recorded(X, origin=4), 4),
    ],
)
def test_a_renamed_one_keeps_its_origin(rows: dict[Address, Row], origin: int) -> None:
    assert made(inherits=Y, rows=rows, origin=9).origin == origin


def test_a_row_is_not_tainted_and_knows_its_needs_and_claims() -> None:
    row = made(rows=recorded(tainted=True), needs=(Z, Y))
    assert not row.tainted
    assert (row.needs, row.claims, row.hosts) == ((str(Y), str(Z)), row_of(str(X)).claims, ("a",))


@pytest.mark.parametrize(
    ("desired", "ignored", "seen", "attrs"),
    [
        ({"text": "new"}, (), {"text": "seen"}, {"text": "new"}),
        ({"text": "new"}, (), None, {"text": "new"}),
        # known only once it is there
        ({"text": Unknown("later")}, (), {"text": "seen"}, {"text": "seen"}),
        # not hacore's to change: recorded as it is
        ({"text": "new", "mode": "1"}, ("text",), {"text": "seen", "mode": "2"}, {"text": "seen", "mode": "1"}),
        ({"text": "new"}, ("text",), {}, {"text": "new"}),
        ({"text": "new"}, ("mode",), {"text": "seen", "mode": "2"}, {"text": "new"}),
        (None, (), {"text": "seen"}, None),
    ],
)
def test_attrs(desired: Any, ignored: tuple[str, ...], seen: Any, attrs: Any) -> None:
    observed = None if seen is None else Observed(seen, {"size": 4})
    row = made(desired=Desired(desired), ignored=ignored, seen=observed)
    assert row.attrs == attrs
    assert row.info == ({} if seen is None else {"size": 4})


def test_a_secret_attribute_is_recorded_sealed() -> None:
    row = made(desired=Desired({"text": "s", "mode": "1"}, sensitive=frozenset({"text"})))
    assert (row.attrs, row.sensitive) == ({"text": 'hmac:"s"', "mode": "1"}, ("text",))


@pytest.mark.parametrize(
    ("desired", "sensitive"),
    [
        # what the stack no longer governs is still on the host: a delete would show it
        (Desired({"mode": "1"}), ("text",)),
        (Desired(None), ("text",)),
        # what it governs now is as it says
        (Desired({"text": "open"}), ()),
    ],
)
def test_what_was_sensitive_stays_so_until_it_is_governed_as_open(desired: Desired, sensitive: tuple[str, ...]) -> None:
    assert made(desired=desired, rows=recorded(sensitive=("text",))).sensitive == sensitive


# -- marks

GONE = "?" + loaded_mark(OLD)


@pytest.mark.parametrize(
    ("before", "keys", "there", "started", "after"),
    [
        # a new source: the daemon has loaded it as it is now
        ({}, (), True, False, {"thing.x@a": loaded_mark(NEW)}),
        ({}, ("text",), True, False, {"thing.x@a": loaded_mark(NEW, ("text",))}),
        # a known one: what it has loaded does not change by itself
        ({"thing.x@a": loaded_mark(OLD)}, (), True, False, {"thing.x@a": loaded_mark(OLD)}),
        ({"thing.x@a": None}, (), True, False, {"thing.x@a": None}),
        ({"thing.x@a": GONE}, (), True, False, {"thing.x@a": GONE}),
        # a start loads all
        ({"thing.x@a": GONE}, (), True, True, {"thing.x@a": loaded_mark(NEW)}),
        # a deleted one that it has still loaded, until it is started afresh
        ({"thing.x@a": GONE}, (), False, False, {"thing.x@a": GONE}),
        ({"thing.x@a": GONE}, (), False, True, {}),
        ({"thing.x@a": loaded_mark(OLD)}, (), False, False, {}),
        ({}, (), False, False, {}),
        # no longer a source
        ({"thing.z@a": loaded_mark(OLD)}, (), True, False, {"thing.x@a": loaded_mark(NEW)}),
    ],
)
def test_what_a_daemon_has_loaded(
    before: dict[str, str | None], keys: tuple[str, ...], there: bool, started: bool, after: dict[str, str | None]
) -> None:
    rows = recorded(WEB, loaded=before) | (recorded(attrs=NEW) if there else {})
    assert made(address=WEB, rows=rows, sources={X: keys}, started=started).loaded == after


def test_a_deleted_source_hides_no_other_one() -> None:
    rows = recorded(WEB, loaded={str(X): loaded_mark(OLD)}) | recorded(attrs=NEW)
    assert made(address=WEB, rows=rows, sources={Y: (), X: ()}).loaded == {str(X): loaded_mark(OLD)}


def test_a_daemon_is_not_taken_to_be_started_unless_that_is_said() -> None:
    rows = recorded(WEB, loaded={str(X): GONE}) | recorded(attrs=NEW)
    assert made(address=WEB, rows=rows, sources={X: ()}).loaded == {str(X): GONE}


# -- rows without a task


def rewritten(*fresh: Row, rows: dict[Address, Row]) -> dict[Address, Row]:
    changes = [PlannedChange(r.address, Action.NOOP, Change(r.address, Action.NOOP, None)) for r in fresh]
    return {row.address: row for row in rows_after(changes, {r.address: r for r in fresh}, rows)}


@pytest.mark.parametrize(
    ("mark", "follows"),
    [
        (loaded_mark(OLD), loaded_mark(NEW)),
        (loaded_mark(OLD, ("text",)), loaded_mark(NEW, ("text",))),
        # it had something else loaded, or is to reload: its mark still says so
        (loaded_mark({"text": "older"}), None),
        (pending_mark(loaded_mark(OLD)), None),
        (None, None),
    ],
)
def test_the_mark_of_a_rewritten_source_follows(mark: str | None, follows: str | None) -> None:
    other = loaded_mark({"text": "of y"})
    rows = recorded(attrs=OLD) | recorded(WEB, loaded={str(X): mark, str(Y): other})
    found = rewritten(replace(rows[X], attrs=NEW), rows=rows)
    assert found[X].attrs == NEW
    if follows is None:
        assert WEB not in found
    else:
        assert found[WEB] == replace(rows[WEB], loaded={str(X): follows, str(Y): other})


def test_a_rewritten_daemon_follows_its_rewritten_source() -> None:
    rows = recorded(attrs=OLD) | recorded(WEB, loaded={str(X): loaded_mark(OLD)})
    fresh = replace(rows[WEB], run=9)
    found = rewritten(replace(rows[X], attrs=NEW), fresh, rows=rows)
    assert found[WEB] == replace(fresh, loaded={str(X): loaded_mark(NEW)})


@pytest.mark.parametrize("attrs", [OLD, None])
def test_without_new_attrs_no_mark_moves(attrs: Any) -> None:
    """`None`: the row is the first one of its address."""
    web = recorded(WEB, loaded={str(X): loaded_mark(OLD)})
    rows = web if attrs is None else recorded(attrs=OLD) | web
    assert list(rewritten(replace(row_of(str(X)), attrs=OLD, run=9), rows=rows)) == [X]


def test_sources_of_the_rows_alone() -> None:
    rows = recorded() | recorded(WEB, loaded={str(X): loaded_mark(OLD, ("text", "mode")), str(Y): None})
    assert recorded_sources(rows) == {WEB: {X: ("text", "mode"), Y: ()}}
