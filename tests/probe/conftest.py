"""A host whose own folders are the test's."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from hacore.probe import script


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The $HACORE_RUN of scripts that are created from now on.

    The real one belongs to all runs on this machine, of this user: one of them would delete the work folder of a step.
    """
    run = tmp_path / "run"
    places = f"HACORE_RUN={shlex.quote(str(run))} HACORE_HOME={shlex.quote(str(tmp_path / 'home'))}\n"
    monkeypatch.setattr(script, "PRELUDE", script.PRELUDE + places)
    return run
