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


def lose_key(console: Console) -> None:
    next(Path(console.folder).rglob("*.key")).unlink()
    assert console("state", "new-key").code == 0


def test_a_lost_key_costs_no_other_way_back(console: Console) -> None:
    console.stack(THINGS)
    console("apply", "--auto-approve")
    console.stack(THINGS.replace("text: x", "text: y"))
    assert console("apply", "--auto-approve", "--var", "password=another-secret").code == 0
    lose_key(console)

    back = console("rollback", "--auto-approve", "--force")

    assert back.code == 1
    assert "cannot restore thing.two@a: cannot read before-image" in back.out + back.err
    assert "a key other than the one" in back.out + back.err
    assert console.world["a"].data["one"]["text"] == "x"
    assert console.world["a"].data["two"]["text"] == "another-secret"


def test_a_lost_key_costs_no_other_origin(console: Console) -> None:
    console.world["a"].data["one"] = {"text": "found"}
    console.stack(THINGS)
    console("apply", "--auto-approve")
    lose_key(console)
    assert console("apply", "--auto-approve").code == 0

    destroyed = console("destroy", "--auto-approve")

    said = destroyed.out + destroyed.err
    assert destroyed.code == 1
    assert "cannot delete thing.two@b: cannot read before-image" in said
    assert "`hacore state rm thing.two@b` leaves the host unchanged" in said
    assert console.world["a"].data["one"] == {"text": "found"}
    assert console("state", "list").out == "thing.two@a\nthing.two@b\n"
    assert console("state", "rm", "thing.two").code == 0
    assert console("destroy", "--auto-approve").code == 0


def test_a_key_that_is_there_stays(console: Console) -> None:
    console.stack(THINGS)
    assert "there is no state yet" in console("state", "new-key").err
    console("apply", "--auto-approve")
    key = next(Path(console.folder).rglob("*.key"))
    before = key.read_bytes()

    assert console("state", "new-key").out == "The state has its key: no change.\n"
    assert key.read_bytes() == before
