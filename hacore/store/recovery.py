"""Reading a state whose last writer died in the middle of a commit, without touching it.

SQLite would have to roll the dead writer's journal back into the file first, and a reader must not
write. So the file and its journal are copied to a private folder that goes away with the reader,
and rolled back there; the next writer does the same to the state itself.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from ..errors import StoreError
from .database import Database, explained, is_half_written, open_reader, open_writer
from .place import Place

_TRIES = 5


def open_settled(place: Place, cleanup: ExitStack) -> Database:
    """A reading connection to the state as it was last committed; `cleanup` closes it."""
    database = open_reader(place.name, place.path, place.url)
    if place.path is None or not _half_written(database):
        cleanup.callback(database.close)
        return database
    database.close()
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="hacore-")))
    copy = _copy(place.path, folder)
    writer = open_writer(place.name, copy, "")  # rolls the journal back
    writer.close()
    database = open_reader(place.name, copy, "")
    cleanup.callback(database.close)
    return database


def _half_written(database: Database) -> bool:
    with explained(database.name):
        try:
            database.connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
            database.connection.rollback()
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error) and is_half_written(error.orig):
                return True
            raise
    return False


def _copy(path: Path, folder: Path) -> Path:
    """Copy file and journal such that both are of one moment; raises StoreError when they keep moving."""
    journal = path.with_name(path.name + "-journal")
    target = folder / path.name
    for _ in range(_TRIES):
        before = _marks(path, journal)
        try:
            shutil.copyfile(path, target)
            shutil.copyfile(journal, folder / journal.name)
        except FileNotFoundError:
            (folder / journal.name).unlink(missing_ok=True)  # a writer came and settled it
        except OSError as error:
            raise StoreError(f"cannot read the state {path}: {error.strerror}") from error
        if _marks(path, journal) == before:
            return target
    raise StoreError(f"cannot read the state {path}: it is busy, another process writes it right now; try again")


def _marks(*paths: Path) -> list[tuple[int, int, int] | None]:
    return [_mark(path) for path in paths]


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
