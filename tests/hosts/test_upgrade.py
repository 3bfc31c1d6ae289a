"""Packages of a pair that serves are changed one host at a time, keepalived's own among them."""

from __future__ import annotations

import json

import pytest

from bench.by_hand import UPGRADES
from bench.operations import Pair
from hacore.lab import Lab

pytestmark = pytest.mark.twins


@pytest.fixture(scope="module")
def adopted(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A pair that somebody made by hand, adopted."""
    made = Pair(pair, tmp_path_factory.mktemp("upgrade"))
    made.make()
    made.change("apply")
    return made


@pytest.mark.parametrize("name", ["nginx", "keepalived"])
def test_a_host_is_drained_while_its_packages_change(adopted: Pair, name: str) -> None:
    was = {host: _daemon(adopted, host, name) for host in ("lb1", "lb2")}

    done = adopted.measured(f"upgrade {name}", lambda: adopted.change("apply", **{name: UPGRADES[name]}))

    assert done.lost <= 2, done.reasons  # one at the very moment of each move, there and back: see docs/drill.md
    for host in ("lb1", "lb2"):
        assert adopted.ssh(host, f"dpkg-query -W -f '${{Version}}' {name}") == UPGRADES[name]
        assert _daemon(adopted, host, name) != was[host], "the old program still runs"
    order = [(t["op"], t["host"]) for t in _tasks(adopted) if t["op"] in ("drain", "undrain", "change", "trigger")]
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    for block in (first, second):
        assert [op for op, _ in block] == ["drain", "change", "trigger", "undrain"], order
        assert len({host for _, host in block}) == 1, order
    assert first[0][1] == "lb2", "the one that does not serve is first"


def _daemon(pair: Pair, host: str, unit: str) -> str:
    return pair.ssh(host, f"systemctl show -p MainPID --value {unit}")


def _tasks(pair: Pair) -> list[dict[str, str]]:
    """The tasks of the last run in the order in which they began."""
    newest = max(run["run"] for run in json.loads(pair.hacore("runs", "--json"))["runs"])
    run = json.loads(pair.hacore("runs", str(newest), "--json"))
    return sorted((task for task in run["tasks"] if task["started"]), key=lambda task: task["started"])
