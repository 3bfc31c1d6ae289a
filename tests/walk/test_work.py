"""What a provider gets of a task, and how its result is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from hacore.address import Address
from hacore.contract import Facts, View
from hacore.errors import ProviderError
from hacore.journal import RunningTask
from hacore.model import Host, Image, Lifecycle, Op, Row, Status
from hacore.plan import PlannedChange, PlanTask
from hacore.testing import KINDS
from hacore.walk import Context
from hacore.walk.work import deletes, fresh_view, load_origins, work_of
from tests.journal.runs import changed
from tests.plan.table import Table, row_of, spec_of
from tests.walk.test_walker import X, Y, known
from tests.walk.walks import Walk

IMAGE = Image({"kind": "stored"})


class Images:
    """The stored images of a state."""

    def image(self, number: int) -> Image:
        return replace(IMAGE, data={"number": number})


def context(**more: Any) -> Context:
    given: dict[str, Any] = {key: {} for key in ("links", "rows", "facts", "views", "sources", "hosts")}
    fixed = {"run": 1, "token": "", "providers": KINDS, "writer": Images(), "emit": print, "fetch": cast("Any", None)}
    return Context(**{**given, **fixed, **more})


def delete(where: str, row: Row | None) -> PlannedChange:
    return replace(changed(where, "-"), row=row)


def live_of(*changes: PlannedChange) -> RunningTask:
    addresses = tuple(p.address for p in changes)
    return RunningTask(PlanTask("t1", Op.CHANGE, "thing", "a", addresses, changes))


MIXED = live_of(
    delete("thing.norow@a", None),
    replace(changed("thing.update@a", "~"), row=replace(row_of("thing.update@a"), origin=1)),
    delete("thing.adopted@a", row_of("thing.adopted@a")),
    delete("thing.first@a", replace(row_of("thing.first@a"), origin=0)),
    delete("thing.last@a", replace(row_of("thing.last@a"), origin=4)),
)


async def test_the_origins_of_deletes_wherever_they_stand() -> None:
    origins = await load_origins(MIXED, context())
    assert {str(address): image.data for address, image in origins.items()} == {
        "thing.first@a": {"number": 0},
        "thing.last@a": {"number": 4},
    }


async def test_what_is_to_be_removed_has_no_use_for_its_origin() -> None:
    row = replace(row_of(X), origin=4, found="different", lifecycle=Lifecycle(on_delete="remove"))
    change = delete(X, row)
    origins = await load_origins(live_of(change), context())
    assert origins == {change.address: KINDS["thing"].absent(change.change.spec, "different")}


async def test_a_provider_gets_no_delete_of_what_has_nothing_to_restore() -> None:
    ctx = context()
    origins = await load_origins(MIXED, ctx)
    there = [str(change.address) for change in work_of(MIXED, ctx, origins).changes]
    assert there == ["thing.update@a", "thing.first@a", "thing.last@a"]
    back = [change.address for change in work_of(MIXED, ctx, {}, undo=True).changes]
    assert back == list(MIXED.task.addresses)


@pytest.mark.parametrize(
    ("actions", "only"), [(("-",), True), (("-", "-"), True), (("-", "~"), False), (("=",), False), (("-", "="), True)]
)
def test_a_task_that_only_deletes(actions: tuple[str, ...], only: bool) -> None:
    changes = [changed(f"thing.t{number}@a", action) for number, action in enumerate(actions)]
    assert deletes(live_of(*changes)) is only


def test_a_view_has_the_newest_answers_of_each_host() -> None:
    host = Host(name="a", address="192.0.2.1")
    old, new = Facts({"of": "before"}), Facts({"of": "now"})
    spec = spec_of(Address.parse(X), {})
    view = View(Address.parse(X), spec, host, facts=old, members={"a": (spec, old), "b": (spec, old)})
    fresh = fresh_view(view, {"a": new})
    assert fresh is not None
    assert (fresh.facts, fresh.members) == (new, {"a": (spec, new), "b": (spec, old)})
    other = fresh_view(view, {"b": new})
    assert other is not None
    assert (other.facts, other.members) == (old, {"a": (spec, old), "b": (spec, new)})
    assert fresh_view(None, {"a": new}) is None


async def test_a_kind_that_cannot_make_a_row_leaves_the_recorded_one_tainted(tmp_path: Path) -> None:
    class Rowless(type(KINDS["thing"])):  # type: ignore[misc]
        def recorded(self, spec: Any) -> Any:
            raise ProviderError("kind thing: cannot record it")

    table = Table()
    known(table, X, "old")
    table.want(X, text="new")
    table.want(Y, text="new")  # never recorded
    for name in ("x", "y"):
        table.world["a"].fail(f"write /{name}", "no space")
    async with Walk.of(tmp_path, table) as walk:
        walk.ctx.providers = {**KINDS, "thing": Rowless()}
        await walk.forward("halt")
        assert set(walk.statuses().values()) == {Status.ERROR}
        row = walk.row(X)
        assert row is not None
        assert (row.tainted, row.run, row.attrs) == (True, walk.ctx.run, row_of(X, text="old").attrs)
        assert walk.row(Y) is None
        assert len(walk.said_of("warning")) == 2
