"""Connections: SQLite the way the state needs it, servers by their URL, faults in words.

SQLite runs with journal_mode=DELETE because a reader of a WAL database leaves files behind, and
with synchronous=EXTRA: that is FULL plus a sync of the folder after the journal is gone, without
which a power cut may take a commit back that was already acted on (sqlite.org, PRAGMA synchronous).

Nothing in this process may open and close an SQLite file other than through SQLite: POSIX drops all
locks of a process on a file when any descriptor of it is closed (fcntl(2)).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ..errors import StoreError

BUSY = 5.0  # seconds to wait for another process' transaction


@dataclass(frozen=True, slots=True)
class Database:
    """An open connection, for one thread. `name` is for messages; `path` is None on a server."""

    name: str
    path: Path | None
    engine: Engine
    connection: Connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; raises StoreError for whatever the database says against it."""
        with explained(self.name), self.connection.begin():
            yield self.connection

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
        self.engine.dispose()


def open_reader(name: str, path: Path | None, url: str) -> Database:
    """Connect for reading: nothing can be written, and no file appears beside an SQLite file."""
    if path is None:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return _connect(name, None, _server(url).execution_options(**options))
    return _connect(name, path, _sqlite(path, "ro", "BEGIN"))


def open_writer(name: str, path: Path | None, url: str) -> Database:
    """Connect for writing. The SQLite file must exist (empty, for a new state)."""
    if path is None:
        return _connect(name, None, _server(url))
    database = _connect(name, path, _sqlite(path, "rw", "BEGIN IMMEDIATE"))
    try:
        with explained(name):
            for pragma in ("journal_mode=DELETE", "synchronous=EXTRA", "foreign_keys=ON"):
                _raw(database).execute(f"PRAGMA {pragma}").fetchall()
    except StoreError:
        database.close()
        raise
    return database


def backup(database: Database, target: Path) -> None:
    """Copy an SQLite state as it was last committed, also while `database` is in a transaction."""
    assert database.path is not None
    with explained(str(target)):
        source = sqlite3.connect(_uri(database.path, "ro"), uri=True, timeout=BUSY)
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
        finally:
            copy.close()
            source.close()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what a database raises into a StoreError without SQL and without parameters."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"cannot use the state {name}: {_why(error)}") from None


def _why(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorname", "")
    for prefix, meaning in _MEANINGS.items():
        if code.startswith(prefix):
            return meaning.format(cause)
    return str(cause).strip() or type(cause).__name__


_DAMAGED = "the file is damaged ({}); put a backup in its place, the damaged file aside"
_MEANINGS = {
    "SQLITE_BUSY": "it is busy, another process writes it right now; try again",
    "SQLITE_LOCKED": "it is busy, another connection uses it; try again",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it cannot be written ({})",
    "SQLITE_IOERR": "the disk failed ({})",
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_CANTOPEN": "the file cannot be opened ({}); check who may read it",
}


def is_half_written(error: Exception) -> bool:
    """Whether a read-only connection met the journal of a writer that died, and must not touch it."""
    return getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY_ROLLBACK"


def _connect(name: str, path: Path | None, engine: Engine) -> Database:
    with explained(name):
        return Database(name, path, engine, engine.connect())


def _sqlite(path: Path, mode: str, begin: str) -> Engine:
    def connect() -> sqlite3.Connection:
        # isolation_level=None: the driver starts no transactions of its own, `begin` below does
        return sqlite3.connect(_uri(path, mode), uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

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


def _raw(database: Database) -> Any:
    """The driver's own connection."""
    return database.connection.connection.driver_connection


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"
