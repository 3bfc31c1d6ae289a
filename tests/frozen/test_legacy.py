"""Sentences that earlier versions wrote, and what they mean today."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

from tests.frozen.thawing import DATA
from tests.frozen.today import gone_of, moves_of


def test_a_saved_plan_tells_what_moves_and_what_is_gone() -> None:
    plan = json.loads((DATA / "update.plan").read_text().splitlines()[1])["plan"]
    assert [c["address"] for c in plan["changes"] if moves_of(c["reason"])] == ["thing.conf@a", "thing.conf@b"]
    assert [d["address"] for d in plan["drift"] if gone_of(d["reason"])] == ['thing.page["about"]@a']


def test_the_tasks_of_an_unfinished_run_tell_what_moves(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(gzip.decompress((DATA / "unfinished-moved.db.gz").read_bytes()))
    database = sqlite3.connect(tmp_path / "state.db")
    payloads = [json.loads(text) for (text,) in database.execute("SELECT payload FROM task WHERE run = 2")]
    database.close()
    moved = [(c["address"], c["action"]) for p in payloads for c in p["changes"] if moves_of(c["reason"])]
    assert sorted(moved) == [
        ("thing.conf@a", "delete"),
        ("thing.conf@a", "replace"),
        ("thing.conf@b", "delete"),
        ("thing.conf@b", "replace"),
    ]
