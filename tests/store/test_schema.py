"""The schema is one, however a state got there; upgrades leave a backup and never a half-way state."""

# ruff: noqa: ASYNC240 - a test may block its own loop
from __future__ import annotations

import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hacore.errors import StoreError
from hacore.model import Row
from hacore.store import PutRow, StateReader, StateWriter, schema, versions
from hacore.store.database import Database, open_writer
from hacore.store.place import Place
from hacore.store.session import open_session
from hacore.store.tables import METADATA, VERSION

OpenWriter = Callable[..., Awaitable[StateWriter]]

NEXT = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "0004", "0003"
def upgrade():
    op.add_column("host", sa.Column("colour", sa.Text()))
    op.execute("UPDATE meta SET serial = serial + 0")
    {extra}
"""


def tables(path: Path) -> set[str]:
    """The statements that would make the tables again, without blanks."""
    db = sqlite3.connect(path)
    found = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'").fetchall()
    db.close()
    return {"".join(sql.replace('"', "").split()) for (sql,) in found}


@pytest.fixture
def empty(tmp_path: Path) -> Callable[[str], Database]:
    def make(name: str) -> Database:
        (tmp_path / name).touch()
        return open_writer(name, tmp_path / name, "")

    return make


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A hacore whose schema is one version ahead."""

    def make(extra: str = "") -> None:
        folder = tmp_path / "versions"
        folder.mkdir()
        (folder / "m0004.py").write_text(NEXT.format(extra=extra))
        monkeypatch.setattr(versions, "HEAD", "0004")
        monkeypatch.setattr(versions, "READABLE", frozenset({"0004"}))
        monkeypatch.setattr(schema, "LOCATIONS", (schema.VERSIONS, folder))

    return make


def test_migrations_and_tables_make_the_same_schema(empty: Callable[[str], Database], tmp_path: Path) -> None:
    made, migrated = empty("made.db"), empty("migrated.db")
    with made.writing() as connection:
        METADATA.create_all(connection)
        VERSION.create(connection)
    with migrated.writing() as connection:
        schema.migrate(connection)
    made.close()
    migrated.close()

    assert tables(tmp_path / "migrated.db") == tables(tmp_path / "made.db")


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.VERSIONS.parent))
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_heads() == [versions.HEAD]
    assert versions.HEAD in versions.READABLE


async def test_an_older_state_is_upgraded_after_a_backup(
    url: str, path: Path, open_writer: OpenWriter, make_row: Callable[..., Row], next_version: Callable[..., None]
) -> None:
    old = await open_writer()
    await old.commit(PutRow(make_row()))
    await old.close()
    next_version()

    with pytest.raises(StoreError, match=r"older hacore wrote it .*0003.*next apply upgrades it"):
        StateReader.open(url)
    new = await open_writer()

    assert new.upgraded == str(path.with_name("pair.db.backup-0003"))
    assert stat.S_IMODE(Path(new.upgraded).stat().st_mode) == 0o600
    assert (new.lineage, new.serial, new.rows()) == (old.lineage, 1, {make_row().address: make_row()})
    assert any("colour" in sql for sql in tables(path))
    await new.close()
    Path(new.upgraded).replace(path)  # a backup is a state
    assert tables(path) == {sql for sql in tables(path) if "colour" not in sql}


async def test_an_upgrade_that_fails_leaves_the_state_as_it_was(
    url: str, path: Path, open_writer: OpenWriter, next_version: Callable[..., None]
) -> None:
    await (await open_writer()).close()
    before = tables(path)
    next_version('op.execute("INSERT INTO nowhere VALUES (1)")')

    with pytest.raises(StoreError, match="no such table: nowhere"):
        await open_writer()

    assert tables(path) == before
    left = sorted(entry.name for entry in path.parent.iterdir())
    assert left == ["pair.db", "pair.db.backup-0003", "pair.db.key"]


async def test_a_locked_state_is_not_upgraded(
    path: Path, open_writer: OpenWriter, next_version: Callable[..., None]
) -> None:
    await open_writer()
    next_version()

    with pytest.raises(StoreError, match="ann@desk"):
        await open_writer()
    assert not any("colour" in sql for sql in tables(path))


async def test_a_state_that_some_tool_put_into_wal_mode_comes_back(path: Path, open_writer: OpenWriter) -> None:
    await (await open_writer()).close()
    tool = sqlite3.connect(path)
    assert tool.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    tool.close()

    await (await open_writer()).close()

    check = sqlite3.connect(path)
    assert check.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    check.close()


def test_commits_are_synced_and_references_hold(empty: Callable[[str], Database]) -> None:
    database = empty("any.db")
    with database.writing() as connection:
        asked = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "foreign_keys")]
    database.close()

    assert asked == [3, 1]  # EXTRA, on


def test_a_writer_keeps_others_out_before_it_reads(empty: Callable[[str], Database], tmp_path: Path) -> None:
    database = empty("any.db")
    other = sqlite3.connect(tmp_path / "any.db", timeout=0, isolation_level=None)
    with database.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()
    database.close()


def test_a_run_waits_longer_for_others_than_a_command_that_opens_the_state(empty: Callable[[str], Database]) -> None:
    """Milliseconds, by PRAGMA busy_timeout: a run that lost its state would leave its results unrecorded."""
    database = empty("any.db")

    def patience() -> object:
        with database.writing() as connection:
            return connection.exec_driver_sql("PRAGMA busy_timeout").scalar()

    assert patience() == 5000
    database.be_patient()
    assert patience() == 60_000
    database.close()


def test_a_writer_waits_longer_once_it_has_the_lock(url: str) -> None:
    session = open_session(Place.parse(url), who="ann@desk", what="apply", new_key=False)
    with session.transaction() as work:
        if session.database.is_postgres:
            assert work.connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"
        else:
            assert work.connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
    session.close(unlock=True)


def test_no_error_of_a_statement_has_its_values(url: str) -> None:
    """They are secrets, some of them, and errors are shown and logged."""
    session = open_session(Place.parse(url), who="ann@desk", what="apply", new_key=False)
    connection = session.database.connection
    with pytest.raises(DBAPIError) as caught, connection.begin():
        connection.execute(text("INSERT INTO nowhere VALUES (:value)"), {"value": "hunter2"})
    assert "nowhere" in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value!r}"
    session.close(unlock=True)
