"""What a database says went wrong, in words: without SQL, without parameters, with what to do."""

from __future__ import annotations

import sqlite3

from ..errors import DisconnectedError, StoreError

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
# By the beginning of the SQLSTATE (postgresql.org, "PostgreSQL Error Codes").
_SERVER_MEANINGS = {
    "28": "the server refuses the login ({}); user and password are in the URL, PGPASSWORD or ~/.pgpass",
    "3D000": "there is no such database ({}); make it with createdb",
    "42501": "it is not permitted ({}); the user must own the database, or the schema",
    "25006": "it cannot be written ({}); a standby, perhaps",
    "53": "the server is out of resources ({})",
    "55P03": "it is busy, another process writes it right now; try again",
}
_LOST = "the connection to the server is lost ({})"


def fault(name: str, cause: BaseException | None, *, lost: bool = False) -> StoreError:
    """The StoreError for what a driver raised about the state `name`; `lost`: the connection is gone."""
    said = " ".join(str(cause).split()) or type(cause).__name__
    for codes, meanings in (("sqlite_errorname", _MEANINGS), ("sqlstate", _SERVER_MEANINGS)):
        code = getattr(cause, codes, None) or ""
        for prefix, meaning in meanings.items():
            if code.startswith(prefix):
                return StoreError(f"cannot use the state {name}: {meaning.format(said)}")
    if lost:
        return DisconnectedError(f"cannot use the state {name}: {_LOST.format(said)}")
    return StoreError(f"cannot use the state {name}: {said}")


def is_half_written(error: sqlite3.Error) -> bool:
    """Whether a reader met the journal of a writer that died, and may not roll it back."""
    return error.sqlite_errorname == "SQLITE_READONLY_ROLLBACK"
