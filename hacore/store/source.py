"""Sources of states: a few SELECTs inside one transaction.

All reading is SQL text that SQLite and PostgreSQL understand alike, so the standard library is enough to read an
SQLite state: importing SQLAlchemy takes as long as the whole probe of a host, and a plan or a drift check from
cron writes nothing. Servers and all writing use SQLAlchemy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from .columns import Columns
from .database_errors import fault

BUSY = 5.0  # seconds to wait for another process' transaction
PATIENCE = 60.0  # the same during a run, which would fail then


class Reading(Protocol):
    """An open transaction."""

    def fetch(self, sql: str, **values: object) -> list[Columns]:
        """The rows of a SELECT with `:name` parameters, each as a mapping of its columns."""
        ...

    def tables(self) -> set[str]:
        """The names of all tables."""
        ...


class Source(Protocol):
    """A connection for reading, to be used by one thread at a time."""

    def transaction(self) -> AbstractContextManager[Reading]:
        """One transaction: all reads in it see the state of one moment. Raises StoreError."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SqliteSource:
    """An SQLite file, opened such that nothing can be written and no file appears beside it."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        with explained(name):
            self._connection = connect(path, "ro")
        self._connection.row_factory = sqlite3.Row

    @contextmanager
    def transaction(self) -> Iterator[Reading]:
        """See Source. Short, because a writer can commit only when nobody reads."""
        with explained(self._name):
            self._connection.execute("BEGIN")
            try:
                yield self
            finally:
                self._connection.rollback()

    def fetch(self, sql: str, **values: object) -> list[Columns]:
        """See Reading."""
        return [dict(row) for row in self._connection.execute(sql, values)]

    def tables(self) -> set[str]:
        """See Reading."""
        return {row["name"] for row in self.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def close(self) -> None:
        """See Source."""
        self._connection.close()


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open an existing SQLite file, `ro` or `rw`. The driver starts no transactions of its own.

    Nothing else in this process may open and close the file while it is in use: POSIX drops all
    locks of a process on a file when any descriptor of it is closed (fcntl(2)).
    """
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)


def backup(path: Path, target: Path) -> None:
    """Copy the last commit of an SQLite state, also during a writer's transaction; the copy is not locked."""
    with explained(str(target)):
        source, copy = connect(path, "ro"), connect(target, "rw")
        try:
            source.backup(copy)
            copy.execute("DELETE FROM lock")
        finally:
            copy.close()
            source.close()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Raise a StoreError about the state `name` in place of SQLite's error."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault(name, error) from None


def listing(values: list[Any]) -> tuple[str, dict[str, Any]]:
    """The text and parameters of an IN list."""
    names = [f"v{number}" for number in range(len(values))]
    return ", ".join(f":{name}" for name in names), dict(zip(names, values, strict=True))
