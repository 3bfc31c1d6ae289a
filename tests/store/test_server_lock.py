"""The lock of a state on PostgreSQL lives as long as its session: a row alone proves no death there."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from hacore.errors import LockedError, StoreError
from hacore.model import Row
from hacore.store import PutRow, StateReader, StateWriter
from hacore.store.database import open_writer as open_database
from hacore.store.place import Place
from hacore.store.session import holder_is_dead, unlock
from tests.postgres import PASSWORD, USER, Server

BACKENDS = ["postgresql"]
HOLD = """
async def main():
    writer = await StateWriter.open(url, who="bob@ci", what="apply")
    say("locked"); hear()
    try:
        await writer.commit(PutRow(Row(Address.parse("file.bob@lb1"), {}, 1, {})))
        say("written")
    except Exception as error:
        say(type(error).__name__, error)
    hear()
    await writer.close()
asyncio.run(main())
"""
ELSEWHERE = "UPDATE lock SET hostname = 'elsewhere', machine_id = 'another', boot_id = 'x'"
LOOKS_DEAD = "UPDATE lock SET pid = 4194305, pid_started = '1'"


async def opened(url: str, who: str = "ann@desk") -> StateWriter:
    return await StateWriter.open(url, who=who, what="apply")


@pytest.fixture
def database(url: str) -> str:
    return str(make_url(url).database)


async def test_who_is_killed_is_dead_at_once_wherever_it_ran(
    url: str, database: str, postgres: Server, child: Callable[[str], Any]
) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"
    postgres.sql(database, ELSEWHERE)  # by its row alone nobody here could tell
    with pytest.raises(LockedError, match="locked by bob@ci"):
        await opened(url)
    bob.kill()
    ann = await opened(url)
    assert ann.broke is not None
    assert ann.broke.who == "bob@ci"
    await ann.close()


async def test_a_living_holder_is_not_dead_because_its_row_looks_so(
    url: str, database: str, postgres: Server, child: Callable[[str], Any]
) -> None:
    """As on a clone of the machine: same name and id, and no process with that number."""
    bob = child(HOLD)
    assert bob.hear() == "locked"
    postgres.sql(database, LOOKS_DEAD)
    with pytest.raises(LockedError, match="locked by bob@ci"):
        await opened(url)
    with pytest.raises(LockedError, match="may be running"):
        await asyncio.to_thread(unlock, Place.parse(url), force=False)
    bob.say()
    assert bob.hear() == "written"


async def test_a_holder_that_hangs_is_not_dead(url: str, child: Callable[[str], Any]) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"
    bob.process.send_signal(signal.SIGSTOP)
    with pytest.raises(LockedError, match="locked by bob@ci"):
        await opened(url)
    bob.process.send_signal(signal.SIGCONT)
    bob.say()
    assert bob.hear() == "written"


async def test_a_row_without_a_session_follows_the_rule_of_before(
    url: str, database: str, postgres: Server, child: Callable[[str], Any]
) -> None:
    """An older version holds the state: it recorded no session, and has no advisory lock."""
    bob = child(HOLD)
    assert bob.hear() == "locked"
    postgres.sql(database, "DELETE FROM lock_session")
    postgres.sql(database, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    with pytest.raises(LockedError, match="locked by bob@ci"):
        await opened(url)  # its process lives
    postgres.sql(database, ELSEWHERE)
    with pytest.raises(LockedError, match="locked by bob@ci"):
        await opened(url)  # that cannot be known


async def test_a_lost_session_is_made_again_with_its_lock(
    url: str, database: str, postgres: Server, make_row: Callable[..., Row]
) -> None:
    ann = await opened(url)
    postgres.cut(url)
    await ann.commit(PutRow(make_row()))
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    assert postgres.sql(database, held) == [(1,)]
    with pytest.raises(LockedError, match="locked by ann@desk"):
        await opened(url, "carl@x")
    await ann.close()
    assert postgres.sql(database, held) == [(0,)]


async def test_who_lost_its_session_to_another_one_writes_nothing_more(
    url: str, postgres: Server, make_row: Callable[..., Row]
) -> None:
    ann = await opened(url)
    postgres.cut(url)
    carl = await opened(url, "carl@x")
    assert carl.broke is not None
    assert carl.broke.who == "ann@desk"
    with pytest.raises(LockedError):
        await ann.commit(PutRow(make_row()))
    assert carl.rows() == {}
    await carl.commit(PutRow(make_row("file.carl@lb1")))
    await ann.close()
    await carl.close()


async def test_unlock_with_force_ends_the_session(url: str, child: Callable[[str], Any]) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"
    old = await asyncio.to_thread(unlock, Place.parse(url), force=True)
    assert old is not None
    ann = await opened(url)
    bob.say()
    assert bob.hear().startswith("LockedError cannot write the state")
    await ann.close()


async def test_others_learn_that_the_holder_is_dead(
    url: str, database: str, postgres: Server, child: Callable[[str], Any]
) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"
    postgres.sql(database, ELSEWHERE)
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        lock = reader.lock()
    assert lock is not None
    assert not await asyncio.to_thread(holder_is_dead, url, lock)
    bob.kill()
    assert await asyncio.to_thread(holder_is_dead, url, lock)


async def test_of_two_that_open_at_once_one_gets_it(url: str) -> None:
    await (await opened(url)).close()
    found = await asyncio.gather(*(opened(url, f"p{n}@x") for n in range(6)), return_exceptions=True)
    writers = [one for one in found if isinstance(one, StateWriter)]
    assert len(writers) == 1
    assert all(isinstance(one, LockedError) for one in found if one is not writers[0])
    await writers[0].close()


# -- a pooler


@pytest.fixture
def pooler(postgres: Server, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """A real pgbouncer in front of the server, in the pool mode that is asked for; its port."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "this test needs pgbouncer (scripts/setup-system installs it)"
    running: list[subprocess.Popen[bytes]] = []

    def start(mode: str) -> int:
        port = 20000 + os.getpid() % 20000
        users, config = tmp_path / "users.txt", tmp_path / "pgbouncer.ini"
        users.write_text(f'"{USER}" "{PASSWORD}"\n')
        config.write_text(
            f"[databases]\n* = host={postgres.folder}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir =\nauth_type = plain\nauth_file = {users}\npool_mode = {mode}\n"
            "ignore_startup_parameters = options,extra_float_digits\nserver_round_robin = 1\n"
            "min_pool_size = 3\ndefault_pool_size = 3\n"
        )
        for path in (tmp_path, users, config):
            path.chmod(0o755)
        for folder in tmp_path.parents:
            if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
                folder.chmod(0o755)
        words = [program, str(config)]
        if os.geteuid() == 0:  # it refuses to run as root
            words = ["runuser", "-u", "postgres", "--", *words]
        running.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return port

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


async def through(port: int, database: str, who: str) -> StateWriter:
    """Open through the pooler, once it listens."""
    from urllib.parse import quote

    url = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{database}"
    until = time.monotonic() + 60
    while True:
        try:
            return await opened(url, who)
        except StoreError as error:
            if "refused" not in str(error) or time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)


async def test_a_pooler_of_transactions_is_refused_and_leaves_no_lock(
    url: str, database: str, postgres: Server, pooler: Callable[[str], int]
) -> None:
    port = pooler("transaction")
    keep = postgres.sql(database, "SELECT 1")
    assert keep == [(1,)]
    with pytest.raises(StoreError, match="a transaction pooler is between") as caught:
        for number in range(8):  # the same server connection may be given twice in a row
            await (await through(port, database, f"ann{number}@desk")).close()
    assert "connect to the server directly" in str(caught.value)
    ann = await opened(url)
    await ann.close()


async def test_a_pooler_of_sessions_works(
    url: str, database: str, pooler: Callable[[str], int], make_row: Callable[..., Row]
) -> None:
    ann = await through(pooler("session"), database, "ann@desk")
    await ann.commit(PutRow(make_row()))
    with pytest.raises(LockedError, match="locked by ann@desk"):
        await opened(url)
    await ann.close()


async def test_drift_and_status_do_not_speak_of_a_run_that_is_dead(
    url: str, database: str, postgres: Server, child: Callable[[str], Any]
) -> None:
    from hacore.engine.snapshot import living, read_state

    bob = child(HOLD)
    assert bob.hear() == "locked"
    postgres.sql(database, ELSEWHERE)
    seen = await asyncio.to_thread(lambda: living(read_state(url), url))
    assert seen.lock is not None
    bob.kill()
    assert (await asyncio.to_thread(lambda: living(read_state(url), url))).lock is None


@pytest.mark.parametrize("state", ["", "edge-1"])
def test_the_locks_of_tables_and_states_are_those_of_other_versions(url: str, state: str) -> None:
    """Advisory locks of one transaction: by their numbers two versions of hacore keep each other out."""
    place = Place.parse(f"{url}&state={state}" if state else url)
    database = open_database("server", None, place.url)
    query = "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"

    def locks() -> list[tuple[int, ...]]:
        return sorted(tuple(row) for row in database.connection.exec_driver_sql(query))

    with database.writing():
        database.claim(place.state_id)
        mine = (0x6861636F, 1 if not state else (place.state_id ^ place.state_id >> 31) % 2**31)
        assert locks() == [mine]
        database.claim_tables(lambda: True)  # another one made them meanwhile
        assert locks() == [mine]
        database.claim_tables(lambda: False)
        assert locks() == sorted([mine, (0x6861, 0x636F7265)])
    with database.writing():
        assert locks() == []
    database.close()
