"""What a database says went wrong, in words: without SQL, without parameters, with what to do."""

from __future__ import annotations

import sqlite3

from ..errors import StoreError

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


def fault(name: str, cause: BaseException | None) -> StoreError:
    """The StoreError for what a driver raised about the state `name`."""
    code = getattr(cause, "sqlite_errorname", "")
    for prefix, meaning in _MEANINGS.items():
        if code.startswith(prefix):
            return StoreError(f"cannot use the state {name}: {meaning.format(cause)}")
    return StoreError(f"cannot use the state {name}: {str(cause).strip() or type(cause).__name__}")


def is_half_written(error: sqlite3.Error) -> bool:
    """Whether a reader met the journal of a writer that died, and may not roll it back."""
    return error.sqlite_errorname == "SQLITE_READONLY_ROLLBACK"
