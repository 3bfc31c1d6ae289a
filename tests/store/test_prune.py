"""Old runs go; every before-image that something could still bring back stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.errors import StoreError
from hacore.model import Image, Row
from hacore.store import PutRow, PutRun, RunRecord, SetTask, StateWriter, TaskRecord, row_to_json
from tests.store.conftest import put_image


async def test_only_what_nothing_needs_goes(
    path: Path,
    writer: StateWriter,
    make_row: Callable[..., Row],
    make_run: Callable[..., RunRecord],
    make_task: Callable[..., TaskRecord],
) -> None:
    ids: dict[str, int] = {}

    async def run(status: str, *names: str, before: dict[str, Row | None] | None = None) -> int:
        number = await writer.new_run(make_run(), [make_task()])
        images = {name: Image(name, {"b": name.encode()}, run=number) for name in names}
        done = await writer.commit(
            SetTask(
                number,
                "t1",
                {"before": {key: row and row_to_json(row) for key, row in (before or {}).items()}},
                {name: name for name in names},
            ),
            images=images,
        )
        ids.update(done.image_ids)
        await writer.commit(PutRun(make_run(id=number, status=status)))
        return number

    crashed = await run("interrupted", "crashed")
    first = await run("done", "old", "origin", "deleted row's origin")
    await writer.commit(PutRow(make_row(origin=ids["origin"])))
    deleted = make_row("file.gone@lb1", origin=ids["deleted row's origin"])
    second = await run("failed", "middle")
    third = await run("done", "new", before={"file.gone@lb1": deleted, "file.never@lb1": None})
    loose = await put_image(writer, Image("loose", {"b": b"loose"}, run=third))  # captured, not tied to a task yet
    unused = await put_image(writer, Image("unused", {"b": b"unused"}))
    serial = writer.serial

    assert await writer.prune(1) == 2

    assert [each.id for each in writer.runs()] == [crashed, third]
    assert writer.tasks(first) == writer.tasks(second) == []
    ids["loose"] = loose
    kept = {"crashed", "origin", "deleted row's origin", "new", "loose"}
    for name in kept:
        assert writer.image(ids[name]).blobs == {"b": name.encode()}
    for number in (ids["old"], ids["middle"], unused):
        with pytest.raises(StoreError, match="pruned"):
            writer.image(number)
    assert writer.serial == serial
    assert await writer.prune(1) == 0
    await writer.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM blob").fetchone() == (len(kept),)
    db.close()


@pytest.mark.parametrize(("keep", "left"), [(0, []), (2, [2, 3]), (3, [1, 2, 3]), (5, [1, 2, 3]), (9, [1, 2, 3])])
async def test_the_newest_runs_are_kept(
    writer: StateWriter, make_run: Callable[..., RunRecord], keep: int, left: list[int]
) -> None:
    for _ in range(3):
        await writer.new_run(make_run(status="done"), [])

    assert await writer.prune(keep) == 3 - len(left)
    assert [run.id for run in writer.runs()] == left


@pytest.mark.parametrize(("status", "left"), [("failed", [1, 3]), ("done", [3])])
async def test_what_a_failed_rollback_has_yet_to_restore_is_kept_with_it(
    writer: StateWriter, make_run: Callable[..., RunRecord], status: str, left: list[int]
) -> None:
    for _ in range(2):
        await writer.new_run(make_run(status="done"), [])
    await writer.new_run(make_run(command="rollback", status=status, undoes=(1,)), [])

    await writer.prune(1)
    assert [run.id for run in writer.runs()] == left
    await writer.prune(0)
    assert list(writer.runs()) == []


async def test_numbers_of_runs_are_never_used_again(writer: StateWriter, make_run: Callable[..., RunRecord]) -> None:
    number = await writer.new_run(make_run(status="done"), [])
    await writer.prune(0)

    assert await writer.new_run(make_run(), []) == number + 1
