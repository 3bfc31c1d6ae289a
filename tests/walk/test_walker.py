"""Whole walks over hosts in memory: what is done, what is undone, and what the state has of it afterwards."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.errors import FloodError
from hacore.journal import RunningTask
from hacore.model import Lifecycle, Op, Status, loaded_mark
from hacore.plan import PlanTask
from hacore.store import SetLoaded
from hacore.testing import World
from hacore.walk import Walker
from hacore.walk.backward import undo_task
from tests.plan.table import Table, row_of
from tests.walk.walks import Walk

X, Y, WEB = "thing.x@a", "thing.y@a", "daemon.web@a"
READS = {"unit": "web", "reads": ("/x",), "reload_on": ("thing.x",)}


def mark(text: str) -> str:
    return loaded_mark(row_of(X, text=text).attrs)


def known(table: Table, where: str, text: str, **body: Any) -> None:
    """A thing that is recorded and on its host."""
    address = Address.parse(where)
    table.record(replace(row_of(where, text=text, **body), origin=None, found="same"))
    table.world[str(address.host)].data[f"/{address.name}"] = {"text": text}


def with_daemon(text: str = "new", loaded: str | None = None) -> Table:
    """A daemon that runs with the old text of a thing that gets a new one."""
    table = Table()
    known(table, X, "old")
    table.want(X, text=text)
    table.want(WEB, needs=[X], **READS)
    table.record(replace(row_of(WEB, needs=(X,), **READS), loaded={X: loaded or mark("old")}))
    table.world["a"].units["web"] = {"running": True, "loaded": {"/x": {"text": "old"}}}
    return table


def loaded(table: Table) -> str:
    return str(table.world["a"].units["web"]["loaded"]["/x"]["text"])


# -- rows


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [(None, "new", "new"), ("old", "new", "new"), ("old", None, None)],
    ids=["create", "update", "delete"],
)
async def test_rows_follow_what_is_done_and_undone(
    tmp_path: Path, before: str | None, wanted: str | None, after: str | None
) -> None:
    table = Table()
    if before is not None:
        known(table, X, before)
        (row,) = table.rows.values()
        table.record(replace(row, lifecycle=Lifecycle(on_delete="remove"), found="absent"))
    if wanted is not None:
        table.want(X, text=wanted)
    was, old = table.world.snapshot(), table.rows.get(Address.parse(X))
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        now = walk.row(X)
        assert (None if now is None else now.attrs) == (None if after is None else row_of(X, text=after).attrs)
        assert table.world["a"].data == ({} if after is None else {"/x": {"text": after}})
        assert walk.recorded()["t1"] == {"status": "done", "error": ""}

        await walk.back()
        assert walk.row(X) == old
        assert table.world.snapshot() == was
        assert walk.recorded()["t1"] == {"status": "undone", "error": ""}


async def test_a_failure_undoes_its_lane_and_holds_what_has_not_begun(tmp_path: Path) -> None:
    table = Table()
    table.want(X, text="new")
    table.want(Y, text="new", needs=[X])
    table.want("thing.z@a", text="new", needs=[Y])
    table.want("thing.far@b", text="new")
    table.world["a"].fail("write /y", "disk full")
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        assert {a: s.value for a, s in walk.statuses().items()} == {
            X: "undone", Y: "undone", "thing.z@a": "hold", "thing.far@b": "done",
        }  # fmt: skip
        assert table.world["a"].data == {}
        assert (walk.row(X), walk.row(Y)) == (None, None)
        ids = {str(live.task.addresses[0]): live.id for live in walk.lives}
        assert "disk full" in walk.recorded()[ids[Y]]["error"]
        assert walk.recorded()[ids["thing.z@a"]] == {"status": "hold", "error": ""}
        assert walk.said_of("task_held") == [("thing.z@a",)]
        assert sorted(walk.said_of("task_undone")) == [(X,), (Y,)]


async def test_what_failed_and_is_not_undone_is_tainted(tmp_path: Path) -> None:
    table = Table()
    known(table, X, "old")
    table.want(X, text="new")
    table.want(Y, text="new", needs=[X])
    table.world["a"].fail("write /x", "disk full")
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward("halt")
        assert [s.value for s in walk.statuses().values()] == ["error", "hold"]
        row = walk.row(X)
        assert row is not None
        assert (row.tainted, row.attrs, row.run) == (True, row_of(X, text="old").attrs, walk.ctx.run)


async def test_what_was_sensitive_is_tainted_sealed(tmp_path: Path) -> None:
    """The stack no longer calls it sensitive, but the host still has what was."""
    table = Table()
    known(table, X, "old", secret=True)
    table.record(replace(table.rows[Address.parse(X)], sensitive=("text",)))
    table.want(X, text="new")
    table.world["a"].fail("write /x", "disk full")
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward("halt")
        row = walk.row(X)
        assert row is not None and row.attrs is not None
        assert (row.tainted, row.sensitive, row.attrs["text"][:5]) == (True, ("text",), "hmac:")


async def test_a_new_name_leaves_no_row_of_the_former_one(tmp_path: Path) -> None:
    table = Table()
    known(table, X, "old")
    table.want(Y, text="new", key="/x")
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        row = walk.row(Y)
        assert (walk.row(X), row is not None and row.found) == (None, "same")


async def test_what_cannot_be_undone_is_tainted_and_says_both_errors(tmp_path: Path) -> None:
    table = Table()
    known(table, X, "old")
    table.want(X, text="new")
    table.world["a"].fail("write /x", "disk full")
    table.world["a"].fail("restore /x", "still full")
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        assert walk.recorded()["t1"]["status"] == "error"
        first, second = walk.recorded()["t1"]["error"].splitlines()
        assert ("disk full" in first, "still full" in second) == (True, True)
        row = walk.row(X)
        assert row is not None
        assert (row.tainted, row.attrs) == (True, row_of(X, text="old").attrs)
        assert walk.said_of("task_undo_failed") == [(X,)]


# -- what a daemon has loaded


async def test_a_daemon_loads_what_is_done_and_what_is_undone(tmp_path: Path) -> None:
    table = with_daemon()
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        row = walk.row(WEB)
        assert row is not None
        assert (loaded(table), row.loaded) == ("new", {X: mark("new")})

        await walk.back()
        row = walk.row(WEB)
        assert row is not None
        assert (loaded(table), row.loaded) == ("old", {X: mark("old")})
        assert len(table.world["a"].did("reload web*")) == 2


async def test_a_daemon_is_pending_from_before_its_source_is_written(tmp_path: Path) -> None:
    table, seen = with_daemon(), list[Any]()
    async with Walk.of(tmp_path, table) as walk:
        table.world["a"].on("write /x", lambda _machine: seen.append(walk.row(WEB)))
        await walk.forward()
    assert [row.loaded for row in seen] == [{X: "?" + mark("old")}]


async def test_a_daemon_is_pending_from_before_its_source_is_restored(tmp_path: Path) -> None:
    table, seen = with_daemon(), list[Any]()
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        table.world["a"].on("restore /x", lambda _machine: seen.append(walk.row(WEB)))
        await walk.back()
    assert [row.loaded for row in seen] == [{X: "?" + mark("new")}]


async def test_a_daemon_that_never_loaded_the_new_text_is_not_reloaded_on_the_way_back(tmp_path: Path) -> None:
    table = with_daemon()
    table.world["a"].fail("write /x", "disk full")
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        row = walk.row(WEB)
        assert row is not None
        assert row.loaded == {X: mark("old")}
        assert table.world["a"].did("reload*") == []


@pytest.mark.parametrize(("settles", "after"), [(True, mark("old")), (False, "?" + mark("old"))])
async def test_a_daemon_that_may_have_loaded_the_new_text_is_pending_until_it_has_settled(
    tmp_path: Path, settles: bool, after: str
) -> None:
    """Its reload was begun by a run that ended there; a rollback undoes that run."""
    table = with_daemon()
    table.world["a"].fail("reload web*", "no answer", times=1 if settles else 2)
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward("halt")
        await walk.back()
        row = walk.row(WEB)
        assert row is not None
        assert row.loaded == {X: after}


@pytest.mark.parametrize(
    ("before", "triggered", "after"),
    [
        ("?" + mark("old"), False, mark("old")),
        # it loaded the new text in this run
        ("?" + mark("old"), True, "?" + mark("old")),
        # it was pending before the run, too
        ("?" + mark("older"), False, "?" + mark("older")),
    ],
)
async def test_the_mark_of_a_restored_source(tmp_path: Path, before: str, triggered: bool, after: str) -> None:
    table = with_daemon()
    web, source = Address.parse(WEB), Address.parse(X)
    async with Walk.of(tmp_path, table) as walk:
        await walk.forward()
        await walk.ctx.commit(SetLoaded(web, {X: before}))
        walk.ctx.set_loaded(web, {X: before})
        change = next(live for live in walk.lives if live.task.changes)
        assert await undo_task(change, walk.ctx, triggered={web: {source}} if triggered else {}) is None
        row = walk.row(WEB)
        assert row is not None
        assert row.loaded == {X: after}


# -- what runs beside what


@pytest.mark.parametrize(("parallelism", "most"), [(1, 1), (2, 2), (3, 3), (10, 3)])
async def test_no_more_hosts_at_once_than_parallelism_allows(tmp_path: Path, parallelism: int, most: int) -> None:
    table = Table(World("a", "b", "c"))
    for host in "abc":
        table.want(f"thing.x@{host}", text="new")
    async with Walk.of(tmp_path, table, parallelism=parallelism) as walk:
        await walk.forward()
        assert walk.most_at_once("task_started", "task_done") == most
        await walk.back()
        assert walk.most_at_once("task_undo_started", "task_undone") == most
        assert set(walk.statuses().values()) == {Status.UNDONE}


@pytest.mark.parametrize("parallelism", [1, 10])
async def test_what_is_ready_on_one_host_goes_in_one_exec(tmp_path: Path, parallelism: int) -> None:
    table = Table()
    for where in (X, Y, "thing.far@b"):
        table.want(where, text="new")
    async with Walk.of(tmp_path, table, parallelism=parallelism) as walk:
        await walk.forward()
        assert walk.ctx.parallelism == parallelism
    assert table.world["a"].log == ["print /x", "print /y", "write /x", "write /y"]
    assert table.world["a"].execs == 2


async def test_what_is_stopped_starts_nothing_more(tmp_path: Path) -> None:
    table = Table()
    table.want(X, text="new")
    table.want(Y, text="new", needs=[X])
    async with Walk.of(tmp_path, table) as walk:
        walker = Walker(walk.lives, walk.ctx)
        table.world["a"].on("write /x", lambda _machine: walker.stop())
        await walker.walk()
        assert [s.value for s in walk.statuses().values()] == ["done", "do"]


async def test_a_result_that_is_not_known_undoes_nothing(tmp_path: Path) -> None:
    table = Table()
    table.want(X, text="new")
    async with Walk.of(tmp_path, table) as walk:

        def cut(machine: Any) -> None:
            machine.breach = FloodError("too much output")

        table.world["a"].on("write /x", cut, after=True)
        await walk.forward()
        assert walk.statuses() == {X: Status.ERROR}
        assert table.world["a"].did("restore*") == []


async def test_a_block_takes_its_host_out_of_service_and_back(tmp_path: Path) -> None:
    gate, table = Address.parse("gate.g@a"), Table()
    table.want(str(gate), vip="v")
    table.world.vips["v"] = ["a", "b"]
    ops = (Op.DRAIN, Op.UNDRAIN)
    parts = [PlanTask(op.value, op, "gate", "a", (gate,), group="g") for op in ops]
    inside = [replace(part, needs=(before.id,)) for before, part in pairwise(parts)]
    async with Walk.of(tmp_path, table, [RunningTask(part) for part in (parts[0], *inside)]) as walk:
        await walk.forward()
        assert table.world["a"].log == ["drain v", "undrain v"]
        assert {task["status"] for task in walk.recorded().values()} == {"done"}

        await walk.back()
        assert table.world["a"].log[2:] == ["drain v", "undrain v"]
        assert {task["status"] for task in walk.recorded().values()} == {"undone"}
