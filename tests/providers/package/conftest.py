"""A twin that every test must leave as it found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hacore.lab import manifest
from tests.providers.package.families import Family, Rpms
from tests.providers.play import Player


@pytest.fixture
def host(one: Player) -> Iterator[Player]:
    """The twin; what a test does to it must be gone at its end, byte for byte."""
    before = manifest.take(one.lab, one.twin)
    yield one
    left = manifest.diff(before, manifest.take(one.lab, one.twin))
    assert left == []


@pytest.fixture(scope="session")
def family_of(twin_with: Callable[[str], Player], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Family]:
    """Gives a twin with the demo packages laid out, by its package manager: apt or dnf."""
    known: dict[str, Family] = {}

    def give(manager: str) -> Family:
        if manager not in known:
            kind, system = {"apt": (Family, "debian"), "dnf": (Rpms, "redhat")}[manager]
            known[manager] = kind(twin_with(system), tmp_path_factory.mktemp("demo") / manager)
            known[manager].renew()
        return known[manager]

    return give
