"""What is read from an earlier version and written again is the same; what is new since may come beside it."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.frozen.thawing import CANARY, DATA
from tests.frozen.today import MARKERS, PutRow, PutRun, PutTask, SetTask, StateWriter, codec, load_plan, plan_to_json

STATES = sorted(DATA.glob("*.db.gz"))


def rows(state: Path, table: str, folder: Path) -> list[dict[str, Any]]:
    (folder / "copy.db").write_bytes(gzip.decompress(state.read_bytes()))
    database = sqlite3.connect(folder / "copy.db")
    database.row_factory = sqlite3.Row
    found = [dict(row) for row in database.execute(f"SELECT * FROM {table}")]
    database.close()
    return found


def holds(before: Any, after: Any, where: str = "") -> None:
    """All that is in `before` is in `after`, under the same keys."""
    if isinstance(before, dict):
        assert before.keys() <= after.keys(), where
        for key in before:
            holds(before[key], after[key], f"{where}.{key}")
    elif isinstance(before, list):
        assert len(before) == len(after), where
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            holds(one, other, f"{where}[{number}]")
    else:
        assert after == before, where


def again(table: str, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored row, by way of its record."""
    ways: dict[str, Callable[[], Mapping[str, Any]]] = {
        "resource": lambda: codec.row_columns(codec.row_from_columns(stored)),
        "host": lambda: codec.host_columns(codec.host_from_columns(stored)),
        "run": lambda: {"id": stored["id"], **codec.run_columns(codec.run_from_columns(stored))},
        "task": lambda: codec.task_columns(codec.task_from_columns(stored, {})),
        "lock": lambda: {"id": stored["id"], **codec.lock_columns(codec.lock_from_columns(stored))},
    }
    return ways[table]()


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.name.partition(".")[0])
@pytest.mark.parametrize("table", ["resource", "host", "run", "task", "lock"])
def test_each_row_of_a_state(state: Path, table: str, tmp_path: Path) -> None:
    for stored in rows(state, table, tmp_path):
        now = again(table, stored)
        for column, value in stored.items():
            if isinstance(value, str) and value[:1] in ("{", "["):
                holds(json.loads(value), json.loads(now[column]))
            else:
                assert now[column] == value, column


def test_there_are_rows_of_every_table(tmp_path: Path) -> None:
    for table in ("resource", "host", "run", "task", "lock"):
        assert rows(DATA / "unfinished-in-block.db.gz", table, tmp_path), table


async def test_everything_that_can_be_spilled(tmp_path: Path) -> None:
    """The file of an earlier version, read and spilled again."""
    for name in ("moves.db", "moves.db.key", "moves.db.spill"):
        data = (DATA / (f"{name}.gz" if name == "moves.db" else name)).read_bytes()
        (tmp_path / name).write_bytes(gzip.decompress(data) if name == "moves.db" else data)
        (tmp_path / name).chmod(0o600)
    async with await StateWriter.open(f"sqlite:///{tmp_path}/moves.db", who="me", what="test") as writer:
        (spilled,) = writer.spilled()
        assert len(spilled.moves) == 8
        put = [move for move in spilled.moves if isinstance(move, PutRow | PutRun | PutTask | SetTask)]
        assert [type(move) for move in put] == [PutRow, PutRun, PutTask, SetTask]
        assert spilled.images["secret"].data == {"text": CANARY}
        assert spilled.images["secret"].blobs == {"content": CANARY.encode()}
        assert spilled.images["token"].blobs == {"content": bytes(range(256))}
        (tmp_path / "moves.db.spill").unlink()
        writer.spill(*spilled.moves, images=spilled.images)
    before, after = [
        json.loads(path.read_text().strip()) for path in (DATA / "moves.db.spill", tmp_path / "moves.db.spill")
    ]
    holds(before["moves"], after["moves"])
    holds(before["images"]["token"], after["images"]["token"])
    assert after.keys() >= before.keys()


@pytest.mark.parametrize("name", ["update.plan", "first.plan"])
def test_a_saved_plan(name: str) -> None:
    """All but what was observed, which a plan that is only shown does not need."""
    before = json.loads((DATA / name).read_text().splitlines()[1])["plan"]
    after = plan_to_json(load_plan(DATA / name).plan, lambda value: pytest.fail(f"{value} is not sealed any more"))
    for key in before.keys() - {"observed"}:
        holds(before[key], after[key], key)


def test_markers() -> None:
    texts = json.loads((DATA / "marker.json").read_text())
    for file, text in texts.items():
        (marker,) = MARKERS.parse(text.encode())[""]
        assert marker.file == file
        if "another" not in file:  # that one was edited by hand
            holds(json.loads(text), json.loads(marker.text()))
