"""States and unfinished runs of earlier versions: gone on with, rolled back, locked."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.frozen.thawing import CANARY, DATA, Thawed, thaw
from tests.frozen.today import LockedError, PlanError, Play, StateReader, unlock

UNFINISHED = sorted(path.name.removesuffix(".db.gz") for path in DATA.glob("unfinished-*.db.gz"))
MACHINE = Path("/etc/machine-id").read_text().strip() if Path("/etc/machine-id").exists() else ""
RESUMABLE = [*(name for name in UNFINISHED if name != "unfinished-rollback"), "spilled"]


def free(play: Thawed) -> Thawed:
    """After `hacore unlock --force`: the holder is another machine's, of whom nobody knows whether it lives."""
    unlock(play.url, force=True)
    return play


def test_there_are_unfinished_runs_of_every_sort() -> None:
    assert UNFINISHED == [
        "unfinished-before-reload",
        "unfinished-in-block",
        "unfinished-in-delete",
        "unfinished-in-doubt",
        "unfinished-moved",
        "unfinished-rollback",
    ]


@pytest.mark.parametrize("name", UNFINISHED)
async def test_the_lock_of_an_earlier_version_is_respected_and_names_its_holder(play: Play, name: str) -> None:
    thawed = thaw(name, play)
    with pytest.raises(LockedError, match=r"tester@\w+ \(\w+, pid 4242 on control, since 2023-11-14 22:13:20 UTC\)"):
        await (thawed.rollback() if name == "unfinished-rollback" else thawed.apply(resume=True))
    with pytest.raises(LockedError, match="may be running"):
        unlock(thawed.url)
    found = unlock(thawed.url, force=True)
    assert found is not None
    assert (found.pid, found.hostname, found.token) == (4242, "control", "f" * 32)
    assert (found.machine_id, found.boot_id) == (
        "0123456789abcdef0123456789abcdef",
        "11111111-2222-3333-4444-555555555555",
    )


@pytest.mark.skipif(not MACHINE, reason="this machine has no machine-id")
async def test_a_holder_that_a_restart_of_this_machine_ended_is_replaced(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    thawed = thaw("unfinished-in-block", play)
    with sqlite3.connect(thawed.states / "test.db") as database:
        database.execute("UPDATE lock SET machine_id = ?", [MACHINE])
    database.close()
    monkeypatch.setattr("socket.gethostname", lambda: "control")
    assert (await thawed.apply(resume=True)).ok


@pytest.mark.parametrize("name", RESUMABLE)
async def test_an_unfinished_run_goes_on_and_ends_done(play: Play, name: str) -> None:
    thawed = free(thaw(name, play))
    with pytest.raises(PlanError, match="was interrupted"):
        await thawed.apply()
    result = await thawed.apply(resume=True)
    assert result.ok, thawed.story(result)
    assert result.run == 2
    assert thawed.moment() == thawed.was["resumed"]
    assert [r.status for r in thawed.runs()] == ["done", "done"]
    assert await thawed.actions() == {}
    assert thawed.world.cuts == []
    back = await thawed.rollback()
    assert back.ok, thawed.story(back)
    for host, was in thawed.was["before"].items():
        assert thawed.world.snapshot()[host]["data"] == was["data"]


@pytest.mark.parametrize("name", [*UNFINISHED, "spilled"])
async def test_an_unfinished_run_is_rolled_back_to_what_was_before(play: Play, name: str) -> None:
    thawed = free(thaw(name, play))
    result = await thawed.rollback()
    assert result.ok, thawed.story(result)
    assert thawed.moment() == thawed.was["rolled_back"]
    assert thawed.world.snapshot() == thawed.was["before"]
    assert thawed.world.cuts == []
    assert all(r.status in ("done", "rolled_back") for r in thawed.runs())


async def test_what_was_spilled_is_recorded_by_the_run_that_goes_on(play: Play) -> None:
    thawed = free(thaw("spilled", play))
    statuses = {t.id: t.status for t in thawed.tasks(2)}
    assert (statuses["t1"], statuses["t2"]) == ("doing", "doing")
    writes = len(thawed.world["a"].did("write /bin/web"))
    assert (await thawed.apply(resume=True)).ok
    assert len(thawed.world["a"].did("write /bin/web")) == writes, "what was done was done again"
    done = {t.id: t for t in thawed.tasks(2)}["t1"]
    spilled = json.loads((DATA / "spilled.db.spill").read_text().splitlines()[1])
    assert done.ended == spilled["moves"][0]["changed"]["ended"]
    assert not list(thawed.states.glob("*.spill"))


async def test_a_state_after_several_runs_is_as_it_was_left(play: Play) -> None:
    thawed = thaw("finished", play)
    assert [(r.id, r.command, r.status) for r in thawed.runs()] == [
        (1, "apply", "done"),
        (2, "apply", "done"),
        (3, "rollback", "done"),
        (4, "apply", "failed"),
        (5, "apply", "done"),
    ]
    assert thawed.runs()[2].undoes == (2,)
    assert sorted(thawed.rows()) == thawed.was["rows"]
    assert await thawed.actions() == {}
    assert not (await thawed.drift()).differs
    reader = StateReader.open(thawed.url)
    assert reader is not None
    with reader:
        assert len(reader.revisions()) == reader.serial - reader.revisions()[0].serial + 1
        assert {r.who for r in reader.revisions()} == {"tester@test", "tester@control"}
        first = max(r.serial for r in reader.revisions() if r.run == 1)
        assert sorted(reader.rows_at(first)) == thawed.was["rows_before"]
        (key,) = [row for address, row in reader.rows().items() if str(address) == "thing.key@a"]
        assert key.origin is not None
        assert CANARY in repr(reader.image(key.origin))


async def test_runs_of_an_earlier_version_are_rolled_back_one_after_the_other(play: Play) -> None:
    thawed = thaw("finished", play)
    assert (await thawed.rollback()).ok
    assert (await thawed.rollback()).ok  # of what stayed of the failed run
    assert thawed.world.snapshot() == thawed.was["before"]
    assert (await thawed.rollback()).ok
    assert thawed.rows() == {}
    assert thawed.world["b"].data == {"/etc/found": {"text": "theirs", "mode": "0640"}, "/etc/old": {"text": "v1"}}
    assert thawed.world["a"].data == {"/etc/web.key": {"text": f"{CANARY}-of-before"}}


async def test_a_destroy_brings_back_the_origins_that_an_earlier_version_kept(play: Play) -> None:
    thawed = thaw("finished", play)
    result = await thawed.apply(destroy=True)
    assert result.ok, thawed.story(result)
    assert thawed.rows() == {}
    assert thawed.world["b"].data["/etc/found"] == {"text": "theirs", "mode": "0640"}
    assert thawed.world["a"].data == {"/etc/web.key": {"text": f"{CANARY}-of-before"}}
    assert all(not machine.markers for machine in thawed.world)
