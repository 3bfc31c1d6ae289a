"""A play for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.play import Play

MEMORY = "/dev/shm"  # states are synced to the disk at each commit; in memory that costs nothing


def impatient(patch: pytest.MonkeyPatch) -> None:
    """Hosts in memory need no pauses, and no key of this machine's user."""
    patch.delenv("HACORE_KEY", raising=False)
    for module in ("forward", "guards", "health"):
        patch.setattr(f"hacore.walk.{module}.POLL", 0.005)
    patch.setattr("hacore.engine.second_look.PAUSE", 0.005)


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    impatient(monkeypatch)
    fast = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=fast) as states:
        yield Play(tmp_path, Path(states))
