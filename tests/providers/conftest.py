"""Twins for providers. HACORE_NO_TWINS=1 deselects what needs them, nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

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
def twin_with() -> Iterator[Callable[[str], Player]]:
    """Gives a twin by its operating system, up, in a lab of its own; one of each for the whole session."""
    labs: dict[str, Lab] = {}

    def give(system: str) -> Player:
        if system not in labs:
            lab = Lab(LabSpec(f"kinds-{system}-{os.getpid()}", (Twin("one", "10.77.3.11", "eth0", system),)))
            labs[system] = lab
            lab.up()
        return Player(labs[system], "one")

    try:
        yield give
    finally:
        for lab in labs.values():
            lab.down()


@pytest.fixture(scope="session")
def kinds_lab(twin_with: Callable[[str], Player]) -> Lab:
    """One twin, up, for tests of single kinds."""
    return twin_with("debian").lab


@pytest.fixture(scope="module")
def one(kinds_lab: Lab) -> Player:
    """The twin, bare at the beginning of each module."""
    kinds_lab.reset()
    return Player(kinds_lab, "one")
