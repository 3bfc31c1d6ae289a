"""kill -9 at the worst moments: what was acknowledged is there, what was not is there whole or not at all."""

# ruff: noqa: ASYNC240 - a test may block its own loop
from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hacore.errors import StoreError
from hacore.model import Row
from hacore.store import PutRow, StateReader, StateWriter

OpenWriter = Callable[..., Awaitable[StateWriter]]

# Each commit moves a row, its task and an image together, and says so when it is on disk.
BUSY = """
import os
async def main():
    writer = await StateWriter.open(url, who="bob@ci", what="apply")
    address = Address.parse("file.x@lb1")
    task = TaskRecord(0, "t", "change", "file", "lb1", (str(address),), "do")
    run = await writer.new_run(RunRecord(0, "apply", "running", 1.0, None, "bob", "s", "d", "halt"), [task])
    n = 0
    while True:
        n += 1
        await writer.commit(
            PutRow(Row(address, {"n": n}, 1, {}, run=run), origin_token="i"),
            SetTask(run, "t", {"payload": {"n": n}}, image_tokens={str(address): "i"}),
            images={"i": Image({"n": n}, {"b": os.urandom(5000)})},
        )
        say(n)
asyncio.run(main())
"""

# A transaction that has outgrown its cache: pages are in the file already, the journal is hot.
HALFWAY = """
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA cache_size=1")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE meta SET serial = 77")
db.execute("DELETE FROM resource")
for n in range(200):
    db.execute("INSERT INTO blob VALUES (1, ?, 1, 'raw', zeroblob(5000))", (f"x{n}",))
say("halfway")
hear()
"""


@pytest.mark.parametrize("commits", [1, 3, 8])
async def test_killed_while_committing(
    url: str, child: Callable[[str], Any], open_writer: OpenWriter, commits: int
) -> None:
    bob = child(BUSY)
    for _ in range(commits):
        acknowledged = int(bob.hear())
    bob.kill()
    assert bob.process.stdout is not None
    acknowledged = max([acknowledged, *(int(line) for line in bob.process.stdout.read().split())])

    writer = await open_writer()

    assert writer.broke is not None
    assert writer.broke.pid == bob.process.pid
    run = writer.unfinished()
    assert run is not None
    (row,) = writer.rows().values()
    (task,) = writer.tasks(run.id)
    assert row.origin is not None
    told = [writer.serial, row.spec["n"], task.payload["n"], writer.image(row.origin).data["n"]]
    assert told in ([acknowledged] * 4, [acknowledged + 1] * 4)
    assert task.images == {str(row.address): row.origin}
    assert (await writer.commit(PutRow(Row(row.address, {"n": -1}, 1, {})))).serial == told[0] + 1


@pytest.fixture
async def killed_halfway(
    url: str, path: Path, child: Callable[[str], Any], open_writer: OpenWriter, make_row: Callable[..., Row]
) -> Row:
    writer = await open_writer()
    row = make_row()
    await writer.commit(PutRow(row))
    await writer.close()
    bob = child(HALFWAY)
    assert bob.hear() == "halfway"
    bob.kill()
    assert path.with_name("pair.db-journal").stat().st_size > 0
    return row


async def test_a_reader_of_a_half_written_state_sees_the_last_commit_and_changes_nothing(
    url: str, path: Path, killed_halfway: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = {entry.name: entry.read_bytes() for entry in path.parent.iterdir()}

    with StateReader.open(url) as reader:
        assert (reader.rows(), reader.serial) == ({killed_halfway.address: killed_halfway}, 1)
        assert reader.has_key

    assert {entry.name: entry.read_bytes() for entry in path.parent.iterdir()} == before
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", ["pair.db", "pair.db-journal"])
async def test_a_copy_is_of_one_moment(
    url: str, path: Path, killed_halfway: Row, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Half of one commit and half of the next would be a state that never was."""
    copy, moments = shutil.copyfile, itertools.count(1)

    def changing(source: Path, target: Path) -> Path:
        copied, now = copy(source, target), next(moments)
        if now <= left:
            os.utime(path.with_name(name), ns=(now, now))
        return copied

    monkeypatch.setattr("shutil.copyfile", changing)
    left = 3  # the third copy is the first of the second try
    with StateReader.open(url) as reader:
        assert reader.rows() == {killed_halfway.address: killed_halfway}
    assert next(moments) == 7

    left, moments = 1000, itertools.count(10)
    with pytest.raises(StoreError, match="it is busy, another process is writing it"):
        StateReader.open(url)


async def test_a_writer_of_a_half_written_state_rolls_it_back(
    path: Path, killed_halfway: Row, open_writer: OpenWriter
) -> None:
    writer = await open_writer()

    assert (writer.rows(), writer.serial) == ({killed_halfway.address: killed_halfway}, 1)
    assert not path.with_name("pair.db-journal").exists()


async def test_a_busy_state_is_said(
    url: str, path: Path, child: Callable[[str], Any], open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hacore.store.source.BUSY", 0.1)
    await (await open_writer()).close()
    bob = child(HALFWAY)
    assert bob.hear() == "halfway"

    with pytest.raises(StoreError, match="busy"):
        StateReader.open(url)
    with pytest.raises(StoreError, match="busy"):
        await open_writer()


async def test_killed_before_the_tables_were_made(url: str, path: Path, open_writer: OpenWriter) -> None:
    path.parent.mkdir()
    path.touch()

    writer = await open_writer()

    assert writer.serial == 0
    assert json.loads(json.dumps(writer.lineage)) == writer.lineage
