"""A state that an older hacore wrote: read as it is, upgraded by the first that writes, after a backup."""

# ruff: noqa: ASYNC240 - a test may block its own loop; names of our own tables
from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from hacore.address import Address
from hacore.errors import StoreError, UsageError
from hacore.model import Row
from hacore.store import DropRow, PutRow, StateReader, StateWriter, row_to_json, schema, versions
from hacore.store.database import open_writer as open_database

OpenWriter = Callable[..., Awaitable[StateWriter]]
DATA = Path(__file__).parent / "data"
LINEAGE = "35a3f949"


@pytest.fixture
def old(url: str, backend: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a state of the first schema."""
    stored = DATA / "schema-0001.db"
    if backend == "sqlite":
        path: Path = request.getfixturevalue("path")
        path.parent.mkdir(mode=0o700)
        shutil.copyfile(stored, path)
        shutil.copyfile(f"{stored}.key", f"{path}.key")
        path.with_name(path.name + ".key").chmod(0o600)
    else:
        monkeypatch.setenv("HACORE_KEY", Path(f"{stored}.key").read_text())
        _load(stored, url)
    return url


def _load(stored: Path, url: str) -> None:
    """The same state on a server."""
    database = open_database("server", None, url)
    with database.writing() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(schema.VERSIONS.parent))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0001")
        metadata = sa.MetaData()
        metadata.reflect(connection)
        source = sqlite3.connect(f"file:{stored}?mode=ro", uri=True)
        source.row_factory = sqlite3.Row
        for table in metadata.sorted_tables:
            rows = [] if table.name == "alembic_version" else source.execute(f"SELECT * FROM {table.name}").fetchall()
            for row in rows:
                values = {
                    name: bool(row[name]) if isinstance(table.c[name].type, sa.Boolean) else row[name]
                    for name in row.keys()  # noqa: SIM118 - a sqlite3.Row iterates over its values
                }
                connection.execute(table.insert().values(**values))
        source.close()
    database.close()


async def test_reading_an_older_state_leaves_it_as_it_is(old: str) -> None:
    with StateReader.open(old) as reader:  # type: ignore[union-attr]
        assert reader.version == "0001"
        assert (reader.lineage[:8], reader.serial) == (LINEAGE, 14)
        assert [str(address) for address in sorted(reader.rows())] == [
            "daemon.web@a",
            "daemon.web@b",
            "thing.conf@a",
            "thing.conf@b",
            "thing.key@a",
            "thing.key@b",
            'thing.page["about"]@a',
            'thing.page["index"]@a',
        ]
        assert [(run.id, run.status) for run in reader.runs()] == [(1, "done"), (2, "done"), (3, "failed")]
        assert [task.status for task in reader.tasks(3)] == ["done", "undone", "done", "hold"]
        secret = reader.rows()[Address.parse("thing.key@a")]
        assert secret.origin is not None
        assert "old-secret-of-a-host" in repr(reader.image(secret.origin))
        assert (reader.revisions(), reader.deltas()) == ([], [])
        assert len(reader.rows_at(14)) == 8
        with pytest.raises(UsageError, match="the history has serial 14 only"):
            reader.rows_at(13)
    with StateReader.open(old) as again:  # type: ignore[union-attr]
        assert again.version == "0001"


async def test_the_first_that_writes_upgrades_it(old: str, backend: str, open_writer: OpenWriter) -> None:
    with StateReader.open(old) as reader:  # type: ignore[union-attr]
        before = (reader.lineage, reader.serial, reader.rows(), reader.hosts(), reader.runs(), reader.tasks(2))
        images = reader.images(range(1, 13))

    writer = await open_writer()

    assert (writer.lineage, writer.serial, writer.rows(), writer.hosts(), writer.runs(), writer.tasks(2)) == before
    assert writer.images(range(1, 13)) == images
    assert "backup" in writer.upgraded
    await writer.commit(DropRow(Address.parse("thing.key@a")))
    await writer.close()
    assert (await open_writer()).upgraded == ""
    with StateReader.open(old) as reader:  # type: ignore[union-attr]
        assert reader.version == versions.HEAD
        assert [revision.serial for revision in reader.revisions()] == [15]
        key = Address.parse("thing.key@a")
        assert reader.rows_at(14)["thing.key@a"] == row_to_json(before[2][key])
        assert "thing.key@a" not in reader.rows_at(15)


async def test_the_backup_is_the_state_as_it_was(old: str, path: Path, open_writer: OpenWriter) -> None:
    writer = await open_writer()
    await writer.commit(DropRow(Address.parse("thing.key@a")))
    await writer.close()

    backup = Path(writer.upgraded)
    assert backup == path.with_name("pair.db.backup-0001")
    assert backup.stat().st_mode & 0o777 == 0o600
    backup.replace(path)
    with StateReader.open(old) as reader:  # type: ignore[union-attr]
        assert (reader.version, reader.serial, len(reader.rows())) == ("0001", 14, 8)


async def test_an_upgrade_that_fails_leaves_the_state_as_it_was(
    old: str, open_writer: OpenWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "versions"
    broken.mkdir()
    (broken / "m0004.py").write_text(
        "from alembic import op\nrevision, down_revision = '0004', '0003'\n"
        "def upgrade():\n    op.execute('INSERT INTO nowhere VALUES (1)')\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(versions, "HEAD", "0004")
        patch.setattr(schema, "LOCATIONS", (schema.VERSIONS, broken))
        with pytest.raises(StoreError, match="nowhere"):
            await open_writer()

    with StateReader.open(old) as reader:  # type: ignore[union-attr]
        assert (reader.version, reader.serial, len(reader.rows())) == ("0001", 14, 8)
    assert (await open_writer()).serial == 14


@pytest.mark.parametrize("version", ["9999", "0000"])
async def test_a_version_that_is_not_known_is_refused_with_what_to_do(old: str, version: str) -> None:
    database = open_database("state", None if "postgres" in old else Path(old.removeprefix("sqlite:///")), old)
    with database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")
    database.close()

    words = "a newer hacore wrote it.*update hacore" if version == "9999" else "an older hacore wrote it"
    with pytest.raises(StoreError, match=words):
        StateReader.open(old)


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_tables_of_a_server_are_copied_before(old: str, open_writer: OpenWriter) -> None:
    writer = await open_writer()
    assert writer.upgraded == "the tables *_backup_0001 on the server"
    await writer.commit(PutRow(Row(Address.parse("file.new@a"), {}, 1, {})))

    rows = writer._read(lambda reading: reading.fetch("SELECT address FROM resource_backup_0001"))
    images = writer._read(lambda reading: reading.fetch("SELECT count(*) AS n FROM image_backup_0001"))
    assert len(rows) == 8
    assert images[0]["n"] == 12
