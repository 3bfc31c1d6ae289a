"""The golden texts that plans and results must come to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare with tests/render/golden/NAME.txt; HACORE_UPDATE_GOLDEN=1 writes it instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("HACORE_UPDATE_GOLDEN") == "1":
            path.write_text(text + "\n")
        assert path.exists(), f"there is no {path}: HACORE_UPDATE_GOLDEN=1 makes it"
        assert path.read_text() == text + "\n"

    return compare
