"""Commands on a state alone: forgetting, and a lost key."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Console

THINGS = """
thing:
  one: {hosts: a, key: one, text: x}
  two: {hosts: [a, b], key: two, text: "{{ var.password }}", secret: true}
"""


def test_what_is_forgotten_stays_on_its_hosts_and_is_adopted_again(console: Console) -> None:
    console.stack(THINGS)
    assert console("apply", "--auto-approve").code == 0
    there = console.world.snapshot()

    forgotten = console("state", "rm", "thing.two")

    assert (forgotten.code, forgotten.out) == (0, "Forgotten: thing.two@a\nForgotten: thing.two@b\n")
    assert console("state", "list").out == "thing.one@a\n"
    assert console.world.snapshot() == there
    assert console("plan", "--json").json["summary"]["adopt"] == 2


def test_what_is_not_recorded_cannot_be_forgotten(console: Console) -> None:
    console.stack(THINGS)
    console("apply", "--auto-approve")

    outcome = console("state", "rm", "thing.three")

    assert outcome.code == 64
    assert "cannot find thing.three" in outcome.err


def test_a_lost_key_is_not_drift_and_has_a_way_out(console: Console) -> None:
    console.stack(THINGS)
    console("apply", "--auto-approve")
    key = next(Path(console.folder).rglob("*.key"))
    key.unlink()

    drift = console("drift")
    assert drift.code == 1
    assert "hacore state new-key" in drift.err
    assert console("state", "new-key").code == 0

    changed = {c["address"] for c in console("plan", "--json").json["changes"]}
    assert changed == set()
    assert console("apply", "--auto-approve").code == 0
    assert console("drift").code == 0
