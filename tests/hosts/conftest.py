"""Labs for tests on real hosts. Marked `twins`; HACORE_NO_TWINS=1 deselects them, nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from hacore.lab import Bystander, Lab, LabSpec, Twin

LB1 = Twin("lb1", "192.168.1.166", "eth1")
LB2 = Twin("lb2", "192.168.1.173", "eth2")
TOMCAT = Bystander("tomcat", "192.168.1.9", 8080, 200, "hello from tomcat")
VIP = "192.168.1.200"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("HACORE_NO_TWINS") != "1":
        return
    twins = [item for item in items if item.get_closest_marker("twins")]
    config.hook.pytest_deselected(items=twins)
    items[:] = [item for item in items if item not in twins]


@pytest.fixture(scope="session")
def make_lab() -> Iterator[Callable[..., Lab]]:
    """Makes labs whose names no other process uses, and takes them down in the end."""
    labs: list[Lab] = []

    def make(name: str, *, twins: tuple[Twin, ...], bystanders: tuple[Bystander, ...] = ()) -> Lab:
        lab = Lab(LabSpec(f"{name}-{os.getpid()}", twins, bystanders, (VIP,)))
        labs.append(lab)
        return lab

    yield make
    for lab in labs:
        lab.down()


@pytest.fixture(scope="session")
def shared_pair(make_lab: Callable[..., Lab]) -> Lab:
    """The seed's pair and the server behind it, up. One for the whole session: see `pair`."""
    lab = make_lab("pair", twins=(LB1, LB2), bystanders=(TOMCAT,))
    lab.up()
    return lab


@pytest.fixture(scope="module")
def pair(shared_pair: Lab) -> Lab:
    """The seed's pair, bare at the beginning of each module."""
    shared_pair.reset()
    return shared_pair
