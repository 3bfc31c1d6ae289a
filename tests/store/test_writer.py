"""Commits: what goes in comes out, all or nothing, and the serial counts what it should."""

# ruff: noqa: ASYNC221, ASYNC240 - a test may block its own loop
from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hacore import proc
from hacore.address import Address
from hacore.errors import SerialError, StoreError
from hacore.model import Image, Row
from hacore.store import (
    DropHost,
    DropRow,
    HostRecord,
    PutHost,
    PutRow,
    PutRun,
    PutTask,
    RunRecord,
    SetLoaded,
    SetTask,
    StateReader,
    StateWriter,
    TaskRecord,
    row_to_json,
)
from tests.store.conftest import put_image

ROOT = Path(__file__).parents[2]
MakeRow = Callable[..., Row]
MakeRun = Callable[..., RunRecord]
MakeTask = Callable[..., TaskRecord]
OpenWriter = Callable[..., Awaitable[StateWriter]]


async def test_rows_and_hosts_come_back_after_reopening(url: str, open_writer: OpenWriter, make_row: MakeRow) -> None:
    writer = await open_writer()
    row, host = make_row(), HostRecord("lb1", {"name": "lb1", "address": "192.0.2.1"}, "m1", {"family": "debian"})
    await writer.commit(PutRow(row), PutHost(host), PutHost(HostRecord("lb2", {})))
    await writer.commit(DropHost("lb2"))
    lineage = writer.lineage
    await writer.close()

    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert (reader.rows(), reader.hosts()) == ({row.address: row}, {"lb1": host})
        assert (reader.lineage, reader.serial, reader.lock()) == (lineage, 1, None)


@pytest.mark.parametrize(
    ("moves", "counts"),
    [
        ("same row", 0),
        ("other row", 1),
        ("loaded", 1),
        ("same loaded", 0),
        ("loaded of nothing", 0),
        ("drop", 1),
        ("drop nothing", 0),
        ("host", 0),
        ("two rows", 1),
    ],
)
async def test_the_serial_counts_commits_that_change_rows(
    writer: StateWriter, make_row: MakeRow, moves: str, counts: int
) -> None:
    row = make_row(loaded={"file.a@lb1": "d"})
    await writer.commit(PutRow(row))
    other = Address.parse("file.other@lb1")
    cases = {
        "same row": [PutRow(make_row(loaded={"file.a@lb1": "d"}))],
        "other row": [PutRow(make_row(attrs={"mode": "0600"}))],
        "loaded": [SetLoaded(row.address, {"file.a@lb1": None})],
        "same loaded": [SetLoaded(row.address, {"file.a@lb1": "d"})],
        "loaded of nothing": [SetLoaded(other, {"file.a@lb1": None})],
        "drop": [DropRow(row.address)],
        "drop nothing": [DropRow(other)],
        "host": [PutHost(HostRecord("lb1", {}))],
        "two rows": [PutRow(make_row("file.b@lb1")), PutRow(make_row("file.c@lb1"))],
    }

    done = await writer.commit(*cases[moves])

    assert (done.serial, writer.serial) == (1 + counts, 1 + counts)


async def test_loaded_is_merged_by_source(writer: StateWriter, make_row: MakeRow) -> None:
    row = make_row("service.nginx@lb1", loaded={"a": "1", "b": "2"})
    await writer.commit(PutRow(row))

    await writer.commit(SetLoaded(row.address, {"b": None, "c": "3"}))

    assert writer.rows()[row.address].loaded == {"a": "1", "b": None, "c": "3"}


async def test_images_and_the_task_that_rests_on_them_are_one_commit(
    writer: StateWriter, make_row: MakeRow, make_run: MakeRun, make_task: MakeTask
) -> None:
    row = make_row()
    run = await writer.new_run(make_run(), [make_task("t2", position=2, needs=("t1",)), make_task("t1", position=1)])
    await writer.commit(PutRow(row))
    image = Image({"mode": "0644"}, {"content": b"\0old\xff"}, run=run)
    before = {str(row.address): row_to_json(row)}

    done = await writer.commit(
        SetTask(run, "t1", {"status": "doing", "before": before}, image_tokens={str(row.address): "tok"}),
        PutRow(make_row("file.b@lb1"), origin_token="tok"),
        images={"tok": image},
    )

    number = done.image_ids["tok"]
    first, second = writer.tasks(run)
    assert (first.status, first.images, first.before) == ("doing", {str(row.address): number}, before)
    assert (second.id, second.status, second.needs) == ("t2", "do", ("t1",))
    assert writer.image(number) == image
    assert writer.rows()[Address.parse("file.b@lb1")].origin == number


async def test_set_task_merges_images_and_before_and_replaces_the_rest(
    writer: StateWriter, make_run: MakeRun, make_task: MakeTask
) -> None:
    run = await writer.new_run(make_run(), [make_task(payload={"a": 1}, before={"x": None})])
    one, two = [await put_image(writer, Image(n)) for n in (1, 2)]
    await writer.commit(SetTask(run, "t1", {"images": {"x": one}}))

    await writer.commit(SetTask(run, "t1", {"images": {"y": two}, "before": {"y": {"k": 1}}, "payload": {"b": 2}}))

    (task,) = writer.tasks(run)
    assert (task.images, task.before, task.payload) == ({"x": one, "y": two}, {"x": None, "y": {"k": 1}}, {"b": 2})


async def test_runs_are_listed_in_order_and_the_unfinished_one_is_found(writer: StateWriter, make_run: MakeRun) -> None:
    first = await writer.new_run(make_run(), [])
    await writer.commit(PutRun(make_run(id=first, status="done", ended=1700000009.5, summary={"create": 1})))
    assert writer.unfinished() is None

    second = await writer.new_run(make_run(command="rollback", undoes=(first,)), [])

    assert [run.id for run in writer.runs()] == [first, second]
    assert writer.run(first).ended == 1700000009.5
    assert writer.unfinished() == make_run(id=second, command="rollback", undoes=(first,))
    with pytest.raises(StoreError, match="run 99"):
        writer.run(99)


async def test_of_two_interrupted_runs_the_newest_is_the_one_to_resume(
    url: str, writer: StateWriter, make_run: MakeRun, make_row: MakeRow
) -> None:
    numbers = [await writer.new_run(make_run(status=status), []) for status in ("interrupted", "done", "running")]

    found = writer.unfinished()
    assert found is not None
    assert found.id == numbers[-1]
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert reader.unfinished() == found
    await writer.commit(PutRow(make_row()))
    assert writer.revisions()[-1].run == numbers[-1]


async def test_put_task_replaces_a_task_with_its_images(
    writer: StateWriter, make_run: MakeRun, make_task: MakeTask
) -> None:
    run = await writer.new_run(make_run(), [make_task()])
    await writer.commit(PutTask(make_task(run=run), {"x": "i"}), images={"i": Image(1)})

    task = make_task(run=run, status="error", error="cannot install: no\0space \udcff", images={})
    await writer.commit(PutTask(task))

    (stored,) = writer.tasks(run)
    assert (stored.images, stored.error) == ({}, "cannot install: no\\0space \\udcff")


async def test_concurrent_commits_are_grouped_and_none_is_lost(writer: StateWriter, make_row: MakeRow) -> None:
    rows = [make_row(f"file.f{n}@lb1") for n in range(100)]

    done = await asyncio.gather(*(writer.commit(PutRow(row)) for row in rows))

    assert writer.rows() == {row.address: row for row in sorted(rows, key=lambda row: row.address)}
    assert max(each.serial for each in done) == writer.serial
    assert writer.serial < 50  # one transaction each would be 100


async def test_a_cancelled_caller_does_not_take_its_moves_back(writer: StateWriter, make_row: MakeRow) -> None:
    mishaps: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, mishap: mishaps.append(mishap))
    caller = asyncio.create_task(writer.commit(PutRow(make_row())))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    await writer.commit()

    assert len(writer.rows()) == 1
    assert mishaps == []


async def test_what_is_not_json_or_refers_nowhere_fails_its_caller_alone(
    writer: StateWriter, make_row: MakeRow
) -> None:
    with pytest.raises(TypeError):
        await writer.commit(PutRow(make_row(attrs={"a": object()})))
    with pytest.raises(ValueError, match="'nope'"):
        await writer.commit(SetTask(1, "t", {}, image_tokens={"a": "nope"}))
    with pytest.raises(ValueError, match="colour"):
        SetTask(1, "t", {"colour": "red"})

    assert writer.broken is None
    assert (await writer.commit(PutRow(make_row()))).serial == 1


async def test_a_failing_move_takes_its_whole_commit_along_and_ends_the_writer(
    writer: StateWriter, make_row: MakeRow
) -> None:
    with pytest.raises(StoreError, match="task t9 of run 1"):
        await writer.commit(PutRow(make_row()), SetTask(1, "t9", {"status": "done"}))

    assert (writer.rows(), writer.serial) == ({}, 0)
    with pytest.raises(StoreError, match="task t9 of run 1"):
        await writer.commit(PutRow(make_row()))
    assert isinstance(writer.broken, StoreError)
    assert writer.rows() == {}


async def test_a_foreign_serial_ends_the_writer(path: Path, writer: StateWriter, make_row: MakeRow) -> None:
    await writer.commit(PutRow(make_row()))
    foreign = sqlite3.connect(path)
    foreign.execute("UPDATE meta SET serial = serial + 1")
    foreign.commit()
    foreign.close()

    with pytest.raises(SerialError, match="serial 2, expected 1"):
        await writer.commit(PutHost(HostRecord("lb1", {})))
    with pytest.raises(SerialError):
        await writer.commit()
    assert writer.hosts() == {}


@pytest.mark.parametrize(
    ("loss", "words"), [("removed", "the file was deleted"), ("replaced", "the file was replaced")]
)
async def test_a_file_that_vanishes_under_the_writer_is_noticed(
    path: Path, writer: StateWriter, make_row: MakeRow, loss: str, words: str
) -> None:
    await writer.commit(PutRow(make_row()))
    copy = path.read_bytes()
    path.unlink()
    if loss == "replaced":
        path.write_bytes(copy)

    with pytest.raises(StoreError, match=words):
        await writer.commit(PutRow(make_row("file.b@lb1")))


async def test_a_full_disk_is_said_and_nothing_is_written_afterwards(
    url: str, path: Path, make_row: MakeRow, open_writer: OpenWriter
) -> None:
    await (await open_writer()).close()
    # the limit on file size stands in for the disk: SQLite meets both in the same place
    script = f"""
import asyncio, os, resource, signal
from hacore.errors import StoreError
from hacore.model import Image
from hacore.store import *
async def main():
    writer = await StateWriter.open({url!r}, who="w", what="apply")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = os.path.getsize({str(path)!r})
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, old[1]))
    for _ in range(2):
        try:
            await writer.commit(images={{"i": Image(None, {{"b": os.urandom(300_000)}})}})
        except StoreError as error:
            print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
    try:
        await writer.commit(images={{"i": Image(1)}})
    except StoreError as error:
        print(error)
    await writer.close()
asyncio.run(main())
"""
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )
    assert child.stderr == ""
    said = child.stdout.splitlines()
    assert len(said) == 3
    assert len(set(said)) == 1
    assert said[0].startswith(f"cannot use the state {path}: the disk ")
    with StateReader.open(url) as reader, pytest.raises(StoreError):  # type: ignore[union-attr]
        reader.image(1)


@pytest.mark.parametrize(
    ("type_", "network"), [("ext4", False), ("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("fuseblk", False)]
)
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_state_on_a_network_file_system_is_warned_of(
    path: Path, open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch, type_: str, network: bool
) -> None:
    writer = await open_writer()
    assert writer.place_warning == "" or "network file system" in writer.place_warning  # as this machine is
    mounts = [proc.Mount("/", "ext4", ()), proc.Mount(str(path.parent), type_, ())]
    monkeypatch.setattr(proc, "mounts", lambda: mounts)

    assert bool(writer.place_warning) == network
    assert not network or f"state {path} is on a network file system ({type_})" in writer.place_warning


async def test_files_are_for_their_owner_only(path: Path, open_writer: OpenWriter) -> None:
    old = os.umask(0)
    try:
        writer = await open_writer()
    finally:
        os.umask(old)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert modes == {"pair.db": 0o600, "pair.db.key": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await writer.close()

    path.chmod(0o644)
    await open_writer()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_missing_server_driver_or_odd_url_is_a_store_error() -> None:
    for wrong in ("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x.db?mode=rw", "nosuch://x/y", "rubbish"):
        with pytest.raises(StoreError, match="cannot use the state"):
            await StateWriter.open(wrong, who="w", what="apply")
        with pytest.raises(StoreError, match="cannot use the state"):
            StateReader.open(wrong)


async def test_reading_a_file_imports_no_database_library(
    url: str, path: Path, writer: StateWriter, make_row: MakeRow
) -> None:
    await writer.commit(PutRow(make_row()), images={"i": Image(1)})
    code = (
        "import sys; from hacore.store import StateReader, StateWriter;"
        f"reader = StateReader.open({url!r});"
        "assert len(reader.rows()) == 1; reader.hmac('x'); reader.image(1);"
        "assert not {'sqlalchemy', 'alembic', 'cryptography'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)
