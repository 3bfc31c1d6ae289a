"""Reading a state of which the last writer died during a commit, without changing it.

SQLite would have to roll back the dead writer's journal first, and a reader must not write. So the file and its
journal are copied to a private folder, which is deleted with the reader, and rolled back there. The next writer
rolls back the state itself.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from pathlib import Path

from ..errors import StoreError
from .database_errors import is_half_written
from .source import SqliteSource, connect, explained

_TRIES = 5


def open_settled(name: str, path: Path, cleanup: ExitStack) -> SqliteSource:
    """A source of the last committed state; `cleanup` closes it."""
    if _half_written(name, path):
        import tempfile

        copy = _copy(path, Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="hacore-"))))
        with explained(name):
            connection = connect(copy, "rw")
            connection.execute("BEGIN IMMEDIATE")  # rolls the journal back
            connection.close()
        path = copy
    source = SqliteSource(name, path)
    cleanup.callback(source.close)
    return source


def _half_written(name: str, path: Path) -> bool:
    if not _journal(path).exists():
        return False
    with explained(name):
        connection = connect(path, "ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.Error as error:
            if is_half_written(error):
                return True
            raise
        finally:
            connection.close()
    return False


def _copy(path: Path, folder: Path) -> Path:
    """Copy file and journal, both of the same moment; raises StoreError when they keep changing."""
    import shutil

    target = folder / path.name
    for _ in range(_TRIES):
        before = (_mark(path), _mark(_journal(path)))
        try:
            shutil.copyfile(path, target)
            shutil.copyfile(_journal(path), _journal(target))
        except FileNotFoundError:
            _journal(target).unlink(missing_ok=True)  # a writer has rolled it back
        except OSError as error:
            raise StoreError(f"cannot read the state {path}: {error.strerror}") from error
        if (_mark(path), _mark(_journal(path))) == before:
            return target
    raise StoreError(f"cannot read the state {path}: it is busy, another process is writing it; try again")


def _journal(path: Path) -> Path:
    return path.with_name(path.name + "-journal")


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
