"""A run that loses its state keeps what it did, and the next one can record it."""

# ruff: noqa: ASYNC240 - a test may block its own loop
from __future__ import annotations

import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.errors import StoreError
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
    unlock,
)

OpenWriter = Callable[..., Awaitable[StateWriter]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


async def test_every_move_and_image_comes_back(
    url: str,
    path: Path,
    writer: StateWriter,
    make_row: Callable[..., Row],
    make_run: Callable[..., RunRecord],
    make_task: Callable[..., TaskRecord],
) -> None:
    address = Address.parse('file.a["k@"]@lb1')
    moves = (
        PutRow(make_row(loaded={"a": None}), "s"),
        DropRow(address),
        PutHost(HostRecord("lb1", {"a": [1]}, "m")),
        DropHost("lb2"),
        PutRun(make_run(id=1, undoes=(4, 5))),
        PutTask(make_task(run=1, needs=("a",), images={"x": 3}, before={"x": None}), {"y": "p"}),
        SetTask(1, "t1", {"status": "done", "before": {"z": {"q": 1}}}, {"y": "p"}),
        SetLoaded(address, {"b": "1"}),
    )
    images = {"s": Image({"n": 1}, {"b": b"hunter2" * 3}, True, 1), "p": Image("p", {"b": b"\0\xff"}, False, 1)}

    file = writer.spill(*moves, images=images)
    writer.spill(SetTask(1, "t2", {"status": "done"}))

    assert file == path.with_name("pair.db.spill")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"hunter2" not in file.read_bytes()
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        first, second = reader.spilled()
    assert (first.moves, first.images, first.serial) == (moves, images, 0)
    assert second.moves == (SetTask(1, "t2", {"status": "done"}),)
    writer.forget_spilled()
    assert writer.spilled() == []
    assert not file.exists()


async def test_a_run_whose_lock_was_broken_is_recorded_by_the_next(
    url: str, open_writer: OpenWriter, make_row: Callable[..., Row]
) -> None:
    lost = await open_writer()
    assert unlock(url, force=True) == lost.held
    moves = (PutRow(make_row(), "i"),)
    with pytest.raises(StoreError):
        await lost.commit(*moves, images={"i": Image("was")})
    lost.spill(*moves, images={"i": Image("was")})
    await lost.close()

    writer = await open_writer()
    (spilled,) = writer.spilled()
    await writer.commit(*spilled.moves, images=spilled.images)
    writer.forget_spilled()

    (row,) = writer.rows().values()
    assert row.origin is not None
    assert writer.image(row.origin).data == "was"


async def test_what_is_spilled_is_on_disk_with_its_name(path: Path, writer: StateWriter, synced: list[str]) -> None:
    file = writer.spill(DropHost("lb1"))

    assert synced == [file.read_text(), f"{path.parent.name}/"]
    assert "lb1" in synced[0]


async def test_the_users_own_folder_serves_where_the_states_cannot_be_written(
    path: Path, home: Path, writer: StateWriter
) -> None:
    path.with_name("pair.db.spill").mkdir()  # stands in for a folder that is read-only, root or not

    file = writer.spill(DropHost("lb1"))

    assert file == home / "hacore" / f"{writer.lineage}.spill"
    path.with_name("pair.db.spill").rmdir()
    assert [each.moves for each in writer.spilled()] == [(DropHost("lb1"),)]


async def test_cut_off_lines_and_other_states_are_left_out(path: Path, writer: StateWriter) -> None:
    file = writer.spill(DropHost("lb1"))
    whole = file.read_text()
    file.write_text(whole.replace(writer.lineage, "another") + whole[: len(whole) // 2])
    writer.spill(DropHost("lb2"))

    assert [each.moves for each in writer.spilled()] == [(DropHost("lb2"),)]


@pytest.mark.parametrize("change", [lambda _: "[1]", lambda _: "7", lambda line: line.replace('"moves"', '"move"')])
async def test_a_line_that_no_run_wrote_is_named(path: Path, writer: StateWriter, change: Callable[[str], str]) -> None:
    file = writer.spill(DropHost("lb1"))
    file.write_text(file.read_text() + change(file.read_text().strip()) + "\n")

    with pytest.raises(StoreError, match=r"cannot read .*\.spill:2: not what a run of hacore wrote there"):
        writer.spilled()


async def test_when_no_place_takes_it_both_are_named(path: Path, home: Path, writer: StateWriter) -> None:
    path.with_name("pair.db.spill").mkdir()
    home.write_text("not a folder")

    with pytest.raises(StoreError, match=r"pair\.db\.spill: .*home"):
        writer.spill(DropHost("lb1"))
