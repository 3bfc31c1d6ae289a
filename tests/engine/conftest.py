"""A play for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.play import Play

MEMORY = "/dev/shm"  # states are synced to the disk at each commit; in memory that costs nothing


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    monkeypatch.delenv("HACORE_KEY", raising=False)
    for module in ("forward", "guarding", "health"):
        monkeypatch.setattr(f"hacore.walk.{module}.POLL", 0.005)
    monkeypatch.setattr("hacore.engine.second_look.PAUSE", 0.005)
    fast = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=fast) as states:
        yield Play(tmp_path, Path(states))
