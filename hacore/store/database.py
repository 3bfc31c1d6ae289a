"""Connections through SQLAlchemy: all writing, and servers by their URL.

SQLite runs with journal_mode=DELETE because a reader of a WAL database leaves files behind, and
with synchronous=EXTRA: that is FULL plus a sync of the folder after the journal is gone, without
which a power cut may take a commit back that was already acted on (sqlite.org, PRAGMA synchronous).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ..errors import StoreError
from .codec import Columns
from .faults import fault
from .source import Reading, connect


@dataclass(frozen=True, slots=True)
class CoreReading:
    """A Reading on a connection that is in a transaction."""

    connection: Connection

    def fetch(self, sql: str, **values: object) -> list[Columns]:
        """See Reading."""
        found = self.connection.execute(sa.text(sql), values).mappings()
        return [{str(name): value for name, value in row.items()} for row in found]

    def tables(self) -> set[str]:
        """See Reading."""
        return set(sa.inspect(self.connection).get_table_names())


@dataclass(frozen=True, slots=True)
class Database:
    """An open connection, for one thread at a time. `name` is for messages; `path` is None on a server."""

    name: str
    path: Path | None
    engine: Engine
    connection: Connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end; raises StoreError for whatever the database says against it."""
        with explained(self.name), self.connection.begin():
            yield self.connection

    @contextmanager
    def transaction(self) -> Iterator[Reading]:
        """One transaction for reading; see Source."""
        with self.writing() as connection:
            yield CoreReading(connection)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
        self.engine.dispose()


def open_server(name: str, url: str) -> Database:
    """Connect to a server for reading only."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return _connect(name, None, _server(url).execution_options(**options))


def open_writer(name: str, path: Path | None, url: str) -> Database:
    """Connect for writing. The SQLite file must exist (empty, for a new state)."""
    if path is None:
        return _connect(name, None, _server(url))
    database = _connect(name, path, _sqlite(path))
    try:
        with explained(name):
            driver: Any = database.connection.connection.driver_connection
            for pragma in ("journal_mode=DELETE", "synchronous=EXTRA", "foreign_keys=ON"):
                driver.execute(f"PRAGMA {pragma}").fetchall()
    except StoreError:
        database.close()
        raise
    return database


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what a database raises about the state `name` into a StoreError."""
    try:
        yield
    except DBAPIError as error:
        raise fault(name, error.orig) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise fault(name, error) from None


def _connect(name: str, path: Path | None, engine: Engine) -> Database:
    with explained(name):
        return Database(name, path, engine, engine.connect())


def _sqlite(path: Path) -> Engine:
    engine = sa.create_engine(
        "sqlite://", creator=lambda: connect(path, "rw"), poolclass=NullPool, hide_parameters=True
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _server(url: str) -> Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(parsed, poolclass=NullPool, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(f"cannot use the state: its URL is not understood: {error}") from None
    except ModuleNotFoundError as error:
        raise StoreError(f"cannot use the state: install {error.name} (pip install 'hacore[postgres]')") from None
