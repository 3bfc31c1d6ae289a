"""What only a server can do to a state: refuse, vanish, come back. (All else is the same contract, see conftest.)"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from hacore.address import Address
from hacore.errors import DisconnectedError, LockedError, SerialError, StoreError
from hacore.model import Image, Row
from hacore.store import PutRow, StateReader, StateWriter
from hacore.store.database import open_writer as open_database
from tests.postgres import PASSWORD, Server

ROOT = Path(__file__).parents[2]
BACKENDS = ["postgresql"]


@pytest.fixture
def database(url: str) -> str:
    return str(make_url(url).database)


@pytest.fixture
async def writer(url: str) -> AsyncIterator[StateWriter]:
    writer = await StateWriter.open(url, who="ann@desk", what="apply")
    yield writer
    await writer.close()


async def test_a_connection_lost_between_commits_is_made_anew(
    url: str, postgres: Server, database: str, writer: StateWriter, make_row: Callable[..., Row]
) -> None:
    await writer.commit(PutRow(make_row()))
    postgres.cut(url)

    done = await writer.commit(PutRow(make_row("file.b@lb1")))

    assert (done.serial, writer.broken) == (2, None)
    postgres.cut(url)
    assert len(writer.rows()) == 2


async def test_what_happened_while_the_connection_was_lost_is_noticed(
    url: str, postgres: Server, database: str, writer: StateWriter, make_row: Callable[..., Row]
) -> None:
    await writer.commit(PutRow(make_row()))
    postgres.cut(url)
    postgres.sql(database, "UPDATE meta SET serial = serial + 1")

    with pytest.raises(SerialError, match="serial 2, expected 1"):
        await writer.commit(PutRow(make_row("file.b@lb1")))
    assert len(writer.rows()) == 1


def waiting(postgres: Server, database: str, event: str, do: str) -> bool:
    """Do something to the connections that wait for an event; whether there was one."""
    return bool(postgres.sql(database, f"SELECT {do} FROM pg_stat_activity WHERE wait_event = '{event}'"))


async def until_waiting(postgres: Server, database: str, event: str, do: str = "1") -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(waiting, postgres, database, event, do):
            pass


async def test_a_transaction_that_lost_its_connection_is_made_again_on_a_new_one(
    postgres: Server, database: str, writer: StateWriter, make_row: Callable[..., Row]
) -> None:
    where = {"host": str(postgres.folder), "user": "hacore", "password": PASSWORD, "dbname": database}
    with psycopg.connect(**where) as other:
        other.execute("SELECT id FROM meta FOR UPDATE")
        commit = asyncio.create_task(writer.commit(PutRow(make_row()), images={"i": Image(1)}))
        await until_waiting(postgres, database, "transactionid", "pg_terminate_backend(pid)")
        await until_waiting(postgres, database, "transactionid")  # it is there again, behind the same lock
        other.rollback()
        done = await commit

    assert (done.serial, len(writer.rows())) == (1, 1)
    assert writer.image(done.image_ids["i"]) == Image(1)
    assert [revision.serial for revision in writer.revisions()] == [1]


SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON resource DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()
"""


async def test_a_connection_lost_at_the_commit_itself_ends_the_writer_and_gives_the_lock_back(
    url: str, postgres: Server, database: str, writer: StateWriter, make_row: Callable[..., Row]
) -> None:
    await writer.commit(PutRow(make_row()))
    postgres.sql(database, SLOW)

    commit = asyncio.create_task(writer.commit(PutRow(make_row("file.b@lb1"))))
    await until_waiting(postgres, database, "PgSleep", "pg_terminate_backend(pid)")
    with pytest.raises(DisconnectedError, match="the connection to the server was lost") as caught:
        await commit

    assert PASSWORD not in str(caught.value)
    with pytest.raises(DisconnectedError, match="was lost"):
        await writer.commit()
    assert len(writer.rows()) == 1
    await writer.close()
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert (reader.lock(), reader.serial) == (None, 1)


@pytest.fixture
def down(postgres: Server) -> Iterator[Callable[[], None]]:
    """Stop the server; it is up again when the test is over."""
    stopped: list[bool] = []

    def stop() -> None:
        postgres.stop()
        stopped.append(True)

    yield stop
    if stopped:
        postgres.start()


HOLD = """
async def main():
    writer = await StateWriter.open(url, who="bob@ci", what="destroy")
    run = await writer.new_run(RunRecord(0, "apply", "running", 1.0, None, "bob", "s", "d", "halt"), [])
    say("locked"); hear()
    try:
        await writer.commit(PutRow(Row(Address.parse("file.bob@lb1"), {}, 1, {}, run=run)))
    except Exception as error:
        say(type(error).__name__, error)
    await writer.close()
    say("closed")
asyncio.run(main())
"""


async def test_a_server_that_goes_down_in_a_run(
    url: str, postgres: Server, down: Callable[[], None], child: Callable[[str], Any]
) -> None:
    bob = child(HOLD)
    assert bob.hear() == "locked"
    down()

    bob.say()
    said = bob.hear()
    assert said.startswith("StoreError cannot use the state postgresql://hacore:***@")
    assert bob.hear() == "closed"
    with pytest.raises(StoreError, match="No such file"):
        StateReader.open(url)
    bob.process.wait(30)

    postgres.start()
    try:
        ann = await StateWriter.open(url, who="ann@desk", what="apply")
        assert ann.broke is not None
        assert (ann.broke.who, ann.broke.pid) == ("bob@ci", bob.process.pid)
        assert ann.unfinished() is not None
        assert ann.rows() == {}
        await ann.close()
    finally:
        postgres.stop()


async def test_a_state_that_another_transaction_keeps_is_busy(
    postgres: Server, database: str, writer: StateWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hacore.store.source.BUSY", 0.05)
    where = {"host": str(postgres.folder), "user": "hacore", "password": PASSWORD, "dbname": database}
    with psycopg.connect(**where) as other:
        other.execute("SELECT id FROM meta FOR UPDATE")
        with pytest.raises(StoreError, match="busy"):
            await writer.commit()


async def test_a_login_that_is_refused_or_a_server_that_is_not_there(postgres: Server, url: str) -> None:
    assert StateReader.open(url) is None
    await (await StateWriter.open(url, who="ann@desk", what="apply")).close()
    wrong = {
        postgres.url(str(make_url(url).database), "hunter3-wrong"): "password authentication failed",
        postgres.url("nowhere"): "does not exist",
        "postgresql://ann:hunter3-wrong@127.0.0.1:1/none": "refused",
        "postgresql://ann:hunter3@wrong@127.0.0.1/none": "%40 for @",
        "postgresql://ann:hunter3-wrong:x@y:port/none": "its URL is not valid",
        "nosuch://ann:hunter3-wrong@host/none": "the database 'nosuch' is not known",
    }
    for other, words in wrong.items():
        for opening in (lambda: StateReader.open(other), lambda: open_database("name", None, other)):  # noqa: B023
            with pytest.raises(StoreError, match=words) as caught:
                opening()
            assert "hunter" not in str(caught.value)
            assert "wrong" not in str(caught.value)
            assert "\n" not in str(caught.value)


def test_a_password_may_come_from_the_environment_or_a_file(
    postgres: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = str(make_url(url).database)
    bare = f"postgresql://hacore@/{database}?host={postgres.folder}"
    with pytest.raises(StoreError, match="no password supplied"):
        StateReader.open(bare)

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert StateReader.open(bare) is None

    monkeypatch.delenv("PGPASSWORD")
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:{database}:hacore:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert StateReader.open(bare.replace("postgresql:", "postgres:")) is None


def test_a_missing_driver_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from hacore.store import StateReader\n"
        "StateReader.open('postgresql://ann:hunter2@host/none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    last = done.stderr.strip().splitlines()[-1]
    assert "cannot use the state postgresql://ann:***@host/none" in last
    assert "pip install 'hacore[postgres]'" in last


def test_migrations_and_tables_make_the_same_schema(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from hacore.store import schema
    from hacore.store.tables import METADATA

    database = open_database("server", None, url)
    with database.writing() as connection:
        schema.migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()


async def test_a_foreign_lock_ends_the_writer(postgres: Server, database: str, writer: StateWriter) -> None:
    postgres.sql(database, "UPDATE lock SET token = 'another', who = 'eve@ci'")

    with pytest.raises(LockedError, match="its lock was broken; now held by eve@ci"):
        await writer.commit(PutRow(Row(Address.parse("file.a@lb1"), {}, 1, {})))
