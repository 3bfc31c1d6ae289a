"""The same promises on PostgreSQL. HACORE_TEST_POSTGRES is the URL of an empty database for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable

import pytest

from hacore.errors import LockedError, SerialError, StoreError
from hacore.model import Image, Row
from hacore.store import PutRow, RunRecord, SetLoaded, SetTask, StateReader, StateWriter, TaskRecord, unlock

URL = os.environ.get("HACORE_TEST_POSTGRES", "")
pytestmark = pytest.mark.skipif(not URL, reason="HACORE_TEST_POSTGRES is not set")


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database."""
    import sqlalchemy as sa

    engine = sa.create_engine(URL.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    monkeypatch.setenv("HACORE_KEY", "B" * 43 + "=")
    return URL


@pytest.fixture
async def writer(url: str) -> AsyncIterator[StateWriter]:
    writer = await StateWriter.open(url, who="ann@desk", what="apply")
    yield writer
    await writer.close()


async def test_a_run_comes_back(
    url: str,
    writer: StateWriter,
    make_row: Callable[..., Row],
    make_run: Callable[..., RunRecord],
    make_task: Callable[..., TaskRecord],
) -> None:
    row = make_row(loaded={"a": "1"}, spec={"text": "nul \0 and \udcff"}, tainted=True)
    run = await writer.new_run(make_run(), [make_task(error="a\0b")])
    images = {"p": Image({"n": 1}, {"b": b"\0\xff" * 50}, run=run), "s": Image("x", {"b": b"pw"}, True, run)}
    done = await writer.commit(
        PutRow(row, origin_token="p"), SetTask(run, "t1", {"status": "doing"}, {"x": "s"}), images=images
    )
    await asyncio.gather(*(writer.commit(PutRow(make_row(f"file.f{n}@lb1"))) for n in range(30)))
    await writer.commit(SetLoaded(row.address, {"a": None}))

    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert reader.images(done.image_ids.values()) == {done.image_ids[token]: images[token] for token in images}
        assert len(reader.rows()) == 31
        stored = reader.rows()[row.address]
        assert (stored.loaded, stored.spec, stored.tainted) == ({"a": None}, row.spec, True)
        assert reader.unfinished() == make_run(id=run)
        assert reader.tasks(run)[0].images == {"x": done.image_ids["s"]}
        assert (reader.serial, reader.lineage) == (writer.serial, writer.lineage)
        with pytest.raises(StoreError, match="read-only"):
            reader._read(lambda reading: reading.fetch("DELETE FROM meta RETURNING id"))


async def test_locks_and_foreign_serials(url: str, writer: StateWriter) -> None:
    with pytest.raises(LockedError, match="ann@desk"):
        await StateWriter.open(url, who="bob@ci", what="apply")
    await writer.close(unlock=False)
    with pytest.raises(LockedError):
        unlock(url)
    assert unlock(url, force=True) is not None

    first = await StateWriter.open(url, who="bob@ci", what="apply")
    second = await StateWriter.open(url, who="eve@ci", what="apply", break_lock=True)
    with pytest.raises(LockedError, match="eve@ci"):
        await first.commit()
    second._session.serial += 1
    with pytest.raises(SerialError):
        await second.commit()
    await first.close()
    await second.close()
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert reader.lock() is None


async def test_an_unreachable_server_or_an_empty_database(url: str) -> None:
    assert StateReader.open(url) is None

    with pytest.raises(StoreError, match="cannot use the state") as caught:
        StateReader.open("postgresql://ann:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)


def test_migrations_and_tables_make_the_same_schema(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from hacore.store import schema
    from hacore.store.database import open_writer
    from hacore.store.tables import METADATA

    database = open_writer("server", None, url)
    with database.writing() as connection:
        schema.migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()
