"""A pair of twins, for what needs both members."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hacore.lab import Lab, LabSpec, Twin
from tests.providers.play import Player


@pytest.fixture(scope="module")
def members() -> Iterator[dict[str, Player]]:
    """Two members with keepalived installed, by name."""
    twins = (Twin("lb1", "10.77.4.11", "eth1"), Twin("lb2", "10.77.4.12", "eth2"))
    lab = Lab(LabSpec(f"vrrp-{os.getpid()}", twins, reserved=("10.77.4.200",)))
    try:
        lab.up()
        players = {twin.name: Player(lab, twin.name) for twin in twins}
        for player in players.values():
            player.sh("DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends keepalived")
        yield players
    finally:
        lab.down()
