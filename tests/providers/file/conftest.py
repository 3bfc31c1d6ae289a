"""A test's own folder, as a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.providers.file.here import Here


@pytest.fixture
def here(tmp_path: Path) -> Here:
    root, work = tmp_path / "root", tmp_path / "work"
    root.mkdir()
    work.mkdir()
    return Here(root, work)
