"""A twin that every test must leave as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hacore.lab import manifest
from tests.providers.play import Player


@pytest.fixture
def host(one: Player) -> Iterator[Player]:
    """The twin; what a test does to it must be gone at its end, byte for byte."""
    before = manifest.take(one.lab, one.twin)
    yield one
    left = manifest.diff(before, manifest.take(one.lab, one.twin))
    assert left == []
