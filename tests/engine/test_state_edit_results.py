"""What edits of a state report and leave: the backup, a new key, runs that were forgotten."""

# ruff: noqa: ASYNC240 - a test may block its own loop
from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.engine import forget, new_key
from hacore.engine.state_edits import prune_runs
from hacore.errors import LockedError, StoreError, UsageError
from hacore.model import Row
from hacore.store import PutRow, PutRun, RunRecord, StateReader, StateWriter

A, B = Address.parse("file.a@lb1"), Address.parse("file.b@lb1")


@pytest.fixture
async def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("HACORE_KEY", raising=False)
    url = f"sqlite:///{tmp_path}/pair.db"
    async with await StateWriter.open(url, who="ann", what="apply") as writer:
        for number in range(4):
            run = RunRecord(0, "apply", "running", float(number), None, "ann", "pair", "d", "rollback")
            found = await writer.new_run(run, [])
            done = RunRecord(found, "apply", "done", float(number), 9.0, "ann", "pair", "d", "rollback")
            await writer.commit(PutRun(done))
        await writer.commit(PutRow(Row(A, {}, 1, {}, hosts=("lb1",))), PutRow(Row(B, {}, 1, {}, hosts=("lb1",))))
    return url


def rows(url: str) -> set[str]:
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        return {str(address) for address in reader.rows()}


async def test_the_state_before_an_edit_is_beside_it(url: str, tmp_path: Path) -> None:
    done = await forget(url, [A])
    assert done.backup == str(tmp_path / "pair.db.backup-serial-1")
    assert (done.serial, done.gone, done.moved, done.broke, done.upgraded) == (2, (A,), None, None, "")
    assert rows(url) == {"file.b@lb1"}
    copy = sqlite3.connect(done.backup)
    assert copy.execute("SELECT count(*) FROM resource").fetchone() == (2,)
    assert copy.execute("SELECT count(*) FROM lock").fetchone() == (0,), "a backup is not locked"
    copy.close()


async def test_an_edit_names_who_made_it_and_frees_the_lock(url: str) -> None:
    await forget(url, [A], who="bob@ci")
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        last = reader.revisions()[-1]
        assert (last.who, last.what, last.run) == ("bob@ci", "state rm", None)
        assert reader.lock() is None


async def test_a_locked_state_is_not_edited(url: str) -> None:
    async with await StateWriter.open(url, who="ann@desk", what="apply"):
        with pytest.raises(LockedError, match=r"locked by ann@desk \(apply"):
            await forget(url, [A])
    assert rows(url) == {"file.a@lb1", "file.b@lb1"}


async def test_a_selector_that_matches_nothing_changes_nothing(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot find file\.zz@lb1: it is not recorded"):
        await forget(url, [A, Address.parse("file.zz@lb1")])
    assert rows(url) == {"file.a@lb1", "file.b@lb1"}
    assert list(tmp_path.glob("*.backup-*")) == []


# -- a new key


async def test_a_state_that_has_its_key_keeps_it(url: str, tmp_path: Path) -> None:
    before = (tmp_path / "pair.db.key").read_text()
    assert await new_key(url) is None
    assert (tmp_path / "pair.db.key").read_text() == before


async def test_a_state_that_lost_its_key_gets_a_new_one(url: str, tmp_path: Path) -> None:
    key = tmp_path / "pair.db.key"
    before = key.read_text()
    key.unlink()
    done = await new_key(url, who="bob@ci")
    assert done is not None
    assert (done.serial, done.broke) == (1, None)
    assert key.read_text() != before
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert reader.has_key


async def test_without_a_state_there_is_nothing_to_edit(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    with pytest.raises(StoreError, match="cannot make a new key: there is no state yet; `hacore apply` creates it"):
        await new_key(url)
    with pytest.raises(StoreError, match="cannot prune runs: there is no state yet"):
        await prune_runs(url, 1)
    assert list(tmp_path.iterdir()) == []


# -- runs


@pytest.mark.parametrize(
    ("keep", "forgotten", "left"),
    [(0, 4, []), (1, 3, [4]), (3, 1, [2, 3, 4]), (9, 0, [1, 2, 3, 4])],
)
async def test_the_newest_runs_are_kept(url: str, keep: int, forgotten: int, left: list[int]) -> None:
    assert await prune_runs(url, keep) == forgotten
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert [run.id for run in reader.runs()] == left
