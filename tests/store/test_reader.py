"""Reading changes nothing, and says what is wrong with a state that cannot be read."""

# ruff: noqa: ASYNC240 - a test may block its own loop
from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hacore.errors import StoreError
from hacore.model import Image, Row
from hacore.store import PutRow, RunRecord, StateReader, StateWriter, TaskRecord

OpenWriter = Callable[..., Awaitable[StateWriter]]
MakeRow = Callable[..., Row]
Print = dict[str, tuple[int, int, int, bytes]]


def footprint(folder: Path) -> Print:
    """All files of a folder and the folder itself: mode, inode, time of change, bytes."""
    result: Print = {}
    for entry in (folder, *sorted(folder.rglob("*"))):
        found = entry.stat()
        content = entry.read_bytes() if entry.is_file() else b""
        result[str(entry)] = (found.st_mode, found.st_ino, found.st_mtime_ns, content)
    return result


def read_all(url: str) -> StateReader:
    """Ask a state everything that a plan, drift or show may ask."""
    reader = StateReader.open(url)
    assert reader is not None
    for run in reader.runs():
        reader.tasks(run.id)
    _ = (reader.rows(), reader.hosts(), reader.unfinished(), reader.lock(), reader.images([1]), reader.hmac("x"))
    reader.close()
    return reader


@pytest.fixture
async def filled(
    url: str,
    open_writer: OpenWriter,
    make_row: MakeRow,
    make_run: Callable[..., RunRecord],
    make_task: Callable[..., TaskRecord],
) -> str:
    writer = await open_writer()
    await writer.new_run(make_run(), [make_task()])
    await writer.commit(PutRow(make_row()), images={"i": Image({"a": 1}, {"b": b"secret"}, sensitive=True)})
    await writer.close()
    return url


async def test_reading_changes_not_one_byte(filled: str, path: Path) -> None:
    before = footprint(path.parent)

    read_all(filled)

    assert footprint(path.parent) == before


def test_no_state_is_none_and_stays_none(url: str, path: Path) -> None:
    assert StateReader.open(url) is None
    assert not path.parent.exists()

    path.parent.mkdir()
    path.touch()  # a writer that was killed before it got to make the tables
    assert StateReader.open(url) is None
    assert path.read_bytes() == b""


@pytest.fixture
def unprivileged(filled: str, path: Path) -> Iterator[str]:
    """The state in a folder that this user cannot write, as root would not notice."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("pair.db", "pair.db.key"):
            shutil.copy(path.with_name(name), place / name)
            if os.geteuid() == 0:
                os.chown(place / name, 65534, 65534)
        place.chmod(0o555)
        url = f"sqlite:///{place}/pair.db"
        read_all(url)  # imports all that nobody may not be allowed to
        try:
            yield url
        finally:
            place.chmod(0o755)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Not root, within a test only: pytest and what measures it write files as well."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


async def test_reading_works_in_a_folder_that_cannot_be_written(unprivileged: str) -> None:
    folder = Path(unprivileged.removeprefix("sqlite:///")).parent
    with as_nobody():
        with pytest.raises(PermissionError):
            (folder / "probe").touch()
        before = footprint(folder)

        read_all(unprivileged)

        assert footprint(folder) == before


async def test_a_reader_answers_from_the_moment_it_was_opened(url: str, writer: StateWriter, make_row: MakeRow) -> None:
    await writer.commit(PutRow(make_row()))
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        await writer.commit(PutRow(make_row("file.b@lb1")))

        assert (reader.serial, len(reader.rows())) == (1, 1)
        assert (writer.serial, len(writer.rows())) == (2, 2)
        held = reader.lock()
        assert held is not None
        assert (held.who, held.what, held.pid) == ("ann@desk", "apply", os.getpid())


@pytest.mark.parametrize("where", ["header", "middle"])
async def test_a_damaged_file_is_explained(filled: str, path: Path, where: str, open_writer: OpenWriter) -> None:
    content = bytearray(path.read_bytes())
    start = 0 if where == "header" else 4096
    content[start : start + 4096] = b"\xaa" * 4096
    path.write_bytes(content)

    with pytest.raises(StoreError, match="backup"):
        read_all(filled)
    with pytest.raises(StoreError, match="backup"):
        await open_writer()  # may not meet the damage
        read_all(filled)


async def test_a_database_of_something_else_is_left_alone(url: str, path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (id INTEGER)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="is not a state of hacore"):
        StateReader.open(url)
    with pytest.raises(StoreError, match="is not a state of hacore"):
        await StateWriter.open(url, who="w", what="apply")
    assert path.read_bytes() == before


async def test_a_newer_schema_is_refused_and_left_alone(filled: str, path: Path) -> None:
    newer = sqlite3.connect(path)
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    before = footprint(path.parent)

    with pytest.raises(StoreError, match=r"newer hacore wrote it.*9999.*update"):
        StateReader.open(filled)
    with pytest.raises(StoreError, match=r"newer hacore wrote it.*9999.*update"):
        await StateWriter.open(filled, who="w", what="apply")
    assert footprint(path.parent) == before


async def test_an_image_that_is_not_there_is_a_store_error(filled: str) -> None:
    with StateReader.open(filled) as reader, pytest.raises(StoreError, match="before-image 5, 6"):  # type: ignore[union-attr]
        reader.images([1, 6, 5])


async def test_a_reader_could_not_write_if_it_tried(filled: str) -> None:
    why = "it is read-only" if filled.startswith("postgresql") else "it cannot be written"
    with StateReader.open(filled) as reader, pytest.raises(StoreError, match=why):  # type: ignore[union-attr]
        reader._read(lambda reading: reading.fetch("DELETE FROM lock"))
