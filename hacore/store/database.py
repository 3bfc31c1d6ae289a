"""Connections through SQLAlchemy: for all writing, and for servers.

SQLite runs with journal_mode=DELETE, because a reader of a WAL database leaves files behind, and with
synchronous=EXTRA: FULL plus a sync of the folder after the journal is deleted. Without that sync a power cut
may undo a commit that a run already relied on (sqlite.org, PRAGMA synchronous).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine, RootTransaction
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ..errors import StoreError
from . import source
from .columns import Columns
from .database_errors import fault
from .server_lock import SessionLock
from .server_tls import tls_options
from .source import Reading, connect

# libpq's parameters. A silent connection must survive a long build behind a NAT, and a dead one must
# be noticed within a minute (postgresql.org, "Parameter Key Words").
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "hacore",
}
_CLAIM = 0x6861636F7265  # the key of our advisory lock on the tables: "hacore"
_CLAIM_STATE = 0x6861636F  # the first half of that on one state


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
    session_lock: SessionLock | None = None  # of a writer on PostgreSQL

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end; raises StoreError when the database refuses it."""
        with explained(self.name):
            with self._begin():
                yield self.connection
            if self.session_lock is not None:
                self.session_lock.holds(self.connection)

    def claim(self, state_id: int) -> None:
        """Keep others from opening this state in this transaction. (SQLite locks at its begin.)"""
        if self.is_postgres:
            half = (state_id ^ state_id >> 31) & 0x7FFFFFFF
            values = {"hacore": _CLAIM_STATE, "state": half}
            query = "SELECT pg_advisory_xact_lock(CAST(:hacore AS integer), CAST(:state AS integer))"
            self.connection.execute(sa.text(query), values)

    def claim_tables(self, is_made: Callable[[], bool]) -> None:
        """Keep others from creating or upgrading the tables in this transaction, unless another made them meanwhile.

        Who waited for the maker does not make the next one wait until its own transaction ends.
        """
        if self.is_postgres:
            key = {"key": _CLAIM}
            self._wait(source.PATIENCE)
            self.connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), key)
            if not is_made():
                self.connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), key)
            self.connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)
            self._wait(source.BUSY)

    def _wait(self, seconds: float) -> None:
        """How long statements of this transaction wait for a lock."""
        self.connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(seconds * 1000)}ms'")

    def be_patient(self) -> None:
        """From now on wait longer for other processes: a run must not fail because its state is being copied."""
        if self.path is not None:
            driver: Any = self.connection.connection.driver_connection
            driver.execute(f"PRAGMA busy_timeout = {int(source.PATIENCE * 1000)}").fetchall()

    def _begin(self) -> RootTransaction:
        """Begin; connect to a server once more if the connection was lost since the last transaction."""
        if not self.is_postgres:
            return self.connection.begin()
        for again in (True, False):
            begun = self.connection.begin()
            try:
                self._wait(source.BUSY)
            except DBAPIError as error:
                begun.rollback()
                if not (again and error.connection_invalidated):
                    raise
            else:
                break
        if self.session_lock is not None:
            try:
                self.session_lock.begin(self.connection, self.name)
            except BaseException:
                begun.rollback()
                raise
        return begun

    @property
    def is_postgres(self) -> bool:
        """Whether it is a PostgreSQL server."""
        return self.engine.dialect.name == "postgresql"

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
    return _connect(name, None, _server(name, url).execution_options(**options))


def open_writer(name: str, path: Path | None, url: str) -> Database:
    """Connect for writing. The SQLite file must exist (empty, for a new state)."""
    if path is None:
        return _connect(name, None, _server(name, url))
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
    """Raise a StoreError about the state `name` in place of a database's error."""
    try:
        yield
    except DBAPIError as error:
        raise fault(name, error.orig, lost=error.connection_invalidated) from None
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


def _server(name: str, url: str) -> Engine:
    parsed = _parsed(name, url)
    options: dict[str, Any] = {}
    if parsed.get_backend_name() == "postgresql":
        options = {key: value for key, value in _LIBPQ.items() if key not in parsed.query}
        options |= tls_options(parsed.host, parsed.query)
    try:
        return sa.create_engine(parsed, connect_args=options, poolclass=NullPool, hide_parameters=True)
    except NoSuchModuleError:
        raise StoreError(
            f"cannot use the state {name}: the database {parsed.drivername!r} is not known; "
            "write sqlite:///FOLDER/NAME.db or postgresql://USER@HOST/NAME"
        ) from None
    except ImportError as error:
        driver = "psycopg (pip install 'hacore[postgres]')"
        what = driver if parsed.drivername == "postgresql+psycopg" else str(error.name)
        raise StoreError(f"cannot use the state {name}: its driver is missing; install {what}") from None


def _parsed(name: str, url: str) -> URL:
    """A server's URL. A library's error about a wrong one is not repeated: it may contain the password."""
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in (parsed.host or ""):
        raise StoreError(
            f"cannot use the state {name}: its URL is not valid; write postgresql://USER@HOST/NAME, "
            "and in a password %40 for @, %3A for :, %2F for / and %25 for %"
        )
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed
