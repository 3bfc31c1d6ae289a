"""Twins for providers. HACORE_NO_TWINS=1 deselects what needs them, nothing else does."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hacore.lab import Lab, LabSpec, Twin
from tests.providers.play import Player


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("HACORE_NO_TWINS") != "1":
        return
    twins = [item for item in items if item.get_closest_marker("twins")]
    config.hook.pytest_deselected(items=twins)
    items[:] = [item for item in items if item not in twins]


@pytest.fixture(scope="session")
def kinds_lab() -> Iterator[Lab]:
    """One twin, up, for tests of single kinds."""
    lab = Lab(LabSpec(f"kinds-{os.getpid()}", (Twin("one", "10.77.3.11", "eth0"),)))
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def one(kinds_lab: Lab) -> Player:
    """The twin, bare at the beginning of each module."""
    kinds_lab.reset()
    return Player(kinds_lab, "one")
