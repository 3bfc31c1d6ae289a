"""Two processes on one state: one of them is told who the other is."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hacore.errors import LockedError
from hacore.model import Row
from hacore.store import LockInfo, PutRow, RunRecord, StateReader, StateWriter, holder, unlock

OpenWriter = Callable[..., Awaitable[StateWriter]]

HOLD = """
async def main():
    writer = await StateWriter.open(url, who="bob@ci", what="destroy")
    say("locked")
    while hear() == "commit":
        try:
            await writer.commit(PutRow(Row(Address.parse("file.bob@lb1"), {}, 1, {})))
            say("committed", writer.serial)
        except Exception as error:
            say(type(error).__name__, error)
    await writer.close()
    say("closed")
asyncio.run(main())
"""


async def test_a_live_holder_is_named(url: str, child: Callable[[str], Any], open_writer: OpenWriter) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"

    with pytest.raises(LockedError) as caught:
        await open_writer()
    with pytest.raises(LockedError, match="bob@ci"):
        unlock(url)

    said = str(caught.value)
    assert f"bob@ci (destroy, pid {bob.process.pid} on {socket.gethostname()}, since " in said
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", said)
    with StateReader.open(url) as reader:
        assert reader.lock().who == "bob@ci"
    bob.say("close")
    assert bob.hear() == "closed"
    assert (await open_writer()).broke is None


RACE = """
from hacore.errors import LockedError
async def main():
    say("ready"); hear()
    try:
        writer = await StateWriter.open(url, who="one of many", what="apply")
    except LockedError as error:
        say("refused", "one of many" in str(error))
    else:
        say("locked", writer.lineage)
    hear()
asyncio.run(main())
"""


def test_of_many_that_make_the_state_at_once_one_gets_it(url: str, child: Callable[[str], Any]) -> None:
    racers = [child(RACE) for _ in range(4)]
    for racer in racers:
        assert racer.hear() == "ready"
    for racer in racers:
        racer.say()

    said = sorted(racer.hear() for racer in racers)

    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert said == [f"locked {reader.lineage}", *["refused True"] * 3]


async def test_a_killed_holder_is_replaced_and_said(
    url: str, child: Callable[[str], Any], open_writer: OpenWriter
) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"
    bob.kill()

    writer = await open_writer()

    assert writer.broke is not None
    assert (writer.broke.who, writer.broke.pid) == ("bob@ci", bob.process.pid)
    assert writer.lock() == writer.held


async def test_a_live_holder_whose_lock_was_broken_stops(
    url: str, child: Callable[[str], Any], open_writer: OpenWriter, make_row: Callable[..., Row]
) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"
    assert unlock(url, force=True).who == "bob@ci"
    ann = await open_writer()
    await ann.commit(PutRow(make_row()))

    bob.say("commit")

    assert re.match(r"LockedError cannot write the state .*: its lock was broken; now held by ann@desk", bob.hear())
    bob.say("commit")
    assert bob.hear().startswith("LockedError")
    bob.say("close")
    assert bob.hear() == "closed"
    assert (await ann.commit(PutRow(make_row("file.c@lb1")))).serial == 2  # and bob's end did not unlock ann
    assert len(ann.rows()) == 2


async def test_two_writers_in_one_process_exclude_each_other(open_writer: OpenWriter) -> None:
    first = await open_writer()

    with pytest.raises(LockedError, match=f"pid {os.getpid()}"):
        await open_writer()
    await first.close()
    await open_writer()


async def test_close_without_unlock_leaves_the_lock(url: str, open_writer: OpenWriter) -> None:
    writer = await open_writer()
    await writer.close(unlock=False)

    if url.startswith("postgresql"):  # its session is gone, although its process lives
        assert unlock(url).who == "ann@desk"
    else:
        with pytest.raises(LockedError):
            unlock(url)
        assert unlock(url, force=True).who == "ann@desk"
    assert unlock(url) is None


def test_unlocking_no_state_makes_none(url: str, tmp_path: os.PathLike[str]) -> None:
    assert unlock(url) is None
    assert os.listdir(tmp_path) == []


HERE = holder.this_process("ann", "apply")


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({}, False),
        ({"pid_started": "1"}, True),
        ({"pid": 2**22 + 1}, True),
        ({"boot_id": "another"}, True),
        ({"boot_id": "another", "machine_id": ""}, False),
        ({"hostname": "elsewhere", "pid": 2**22 + 1}, False),
        ({"machine_id": "another", "pid": 2**22 + 1}, False),
        ({"pid_space": "pid:[1]", "pid": 2**22 + 1}, False),
        ({"boot_id": "", "pid": 2**22 + 1}, False),
        ({"boot_id": "another", "hardware": "of a clone"}, False),
        ({"pid": 2**22 + 1, "hardware": "of a clone"}, False),
        ({"boot_id": "another", "hardware": ""}, True),
    ],
    ids=str,
)
def test_only_what_is_surely_dead_counts_as_dead(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], dead: bool
) -> None:
    monkeypatch.setattr(holder, "_hardware", lambda: "of this machine")
    here = dataclasses.replace(HERE, hardware="of this machine")
    assert holder.is_dead(dataclasses.replace(here, **change)) is dead


@pytest.mark.parametrize(
    ("change", "running"),
    [
        ({}, True),
        ({"pid_started": ""}, False),
        ({"pid_started": "1"}, False),
        ({"pid": 2**22 + 1}, False),
        ({"boot_id": "another"}, False),
        ({"pid_space": "pid:[1]"}, False),
        ({"hostname": "elsewhere"}, False),
        ({"machine_id": "another"}, False),
        ({"hardware": "of a clone"}, False),
        ({"hardware": ""}, True),
    ],
    ids=str,
)
def test_only_what_is_surely_running_counts_as_running_here(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], running: bool
) -> None:
    monkeypatch.setattr(holder, "_hardware", lambda: "of this machine")
    here = dataclasses.replace(HERE, hardware="of this machine")
    assert holder.is_running_here(dataclasses.replace(here, **change)) is running


def test_where_the_hardware_cannot_be_read_the_machine_id_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "_hardware", lambda: "")
    assert holder.is_dead(dataclasses.replace(HERE, boot_id="another", hardware="of root's lock"))


def test_a_lock_names_the_hardware_by_a_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "product_uuid").write_text("4C4C4544-0042-CANARY\n")
    monkeypatch.setattr(holder, "_HARDWARE", str(tmp_path / "product_uuid"))
    lock = holder.this_process("ann", "apply")
    assert len(lock.hardware) == 16
    assert "CANARY" not in repr(lock)
    (tmp_path / "product_uuid").write_text("4C4C4544-0042-CLONED\n")
    assert holder.this_process("ann", "apply").hardware != lock.hardware
    (tmp_path / "product_uuid").unlink()
    assert holder.this_process("ann", "apply").hardware == ""


def test_a_zombie_is_dead(child: Callable[[str], Any]) -> None:
    bob = child("say('up'); hear()")
    assert bob.hear() == "up"
    lock = dataclasses.replace(HERE, pid=bob.process.pid, pid_started=holder._started(bob.process.pid))
    assert not holder.is_dead(lock)
    os.kill(bob.process.pid, 9)
    os.waitid(os.P_PID, bob.process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the table

    assert holder.is_dead(lock)


def test_a_lock_never_shows_its_token() -> None:
    assert isinstance(HERE, LockInfo)
    assert HERE.token
    assert HERE.token not in f"{HERE} {HERE!r}"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are those of a CI runner, of which nothing is known here."""
    here = holder.this_process
    away = {"machine_id": "0" * 32, "hostname": "runner-7", "boot_id": "11111111-2222-3333-4444-555555555555"}
    monkeypatch.setattr(holder, "this_process", lambda who, what: dataclasses.replace(here(who, what), **away))


async def left_behind(url: str, what: str, *, run: bool = True) -> int:
    """A state as a killed command leaves it: locked, and with a run that has not ended; the number of that run.

    On a server it was an older version, which recorded no session: the row alone tells of its holder.
    """
    writer = await StateWriter.open(url, who="ci@runner-7", what=what)
    number = 0
    if run:
        record = RunRecord(0, "apply", "running", 1.0, None, "ci@runner-7", "s", "d", "rollback")
        number = await writer.new_run(record, [])
    await writer.close(unlock=False)
    if url.startswith("postgresql"):
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM lock_session"))
        engine.dispose()
    return number


@pytest.mark.parametrize("what", ["apply", "destroy", "rollback"])
@pytest.mark.usefixtures("elsewhere")
async def test_a_killed_job_elsewhere_is_unlocked_by_its_run(url: str, open_writer: OpenWriter, what: str) -> None:
    run = await left_behind(url, what)
    with pytest.raises(LockedError, match="may be running"):
        unlock(url)
    with pytest.raises(LockedError, match=rf"run 9 of .*: the lock is held by ci@runner-7 .*at run {run}"):
        unlock(url, run=9)

    found = unlock(url, run=run)

    assert found is not None
    assert found.what == what
    writer = await open_writer()
    assert (writer.broke, writer.unfinished().id) == (None, run)


@pytest.mark.parametrize(("what", "run"), [("apply", False), ("import", True), ("state rm", True)])
@pytest.mark.usefixtures("elsewhere")
async def test_a_holder_that_is_at_no_run_is_not_unlocked_by_one(url: str, what: str, run: bool) -> None:
    number = await left_behind(url, what, run=run) or 1
    with pytest.raises(LockedError, match=rf"cannot unlock run {number} .*, which is at no run"):
        unlock(url, run=number)
    with pytest.raises(LockedError, match="may be running"):
        unlock(url)


async def test_a_run_that_is_seen_running_here_is_not_unlocked(url: str, child: Callable[[str], Any]) -> None:
    begin = 'await writer.new_run(RunRecord(0, "apply", "running", 1.0, None, "bob", "s", "d", "halt"), [])'
    bob = child(HOLD.replace('say("locked")', f'{begin}\n    say("locked")'))
    assert bob.hear() == "locked"
    with pytest.raises(LockedError, match=r"run 1 of .*: bob@ci .* is running on this machine; stop it first"):
        unlock(url, run=1)
    bob.kill()
    assert unlock(url, run=1).who == "bob@ci"
