"""Errors of databases as messages for operators: without SQL and parameters, with the next step."""

from __future__ import annotations

import sqlite3

from ..errors import DisconnectedError, StoreError
from .server_tls import HINT

_DAMAGED = "the file is damaged ({}); move it away and restore a backup"
_MEANINGS = {
    "SQLITE_BUSY": "it is busy, another process is writing it; try again",
    "SQLITE_LOCKED": "it is busy, another connection is using it; try again",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it cannot be written ({})",
    "SQLITE_IOERR": "the disk failed ({})",
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_CANTOPEN": "the file cannot be opened ({}); check its permissions",
}
# By the beginning of the SQLSTATE (postgresql.org, "PostgreSQL Error Codes").
_SERVER_MEANINGS = {
    "28": "the server refused the login ({}); check user and password in the URL, PGPASSWORD or ~/.pgpass",
    "3D000": "the database does not exist ({}); create it with createdb",
    "42501": "permission denied ({}); the user must own the database, or the schema",
    "25006": "it is read-only ({}), perhaps a standby",
    "53": "the server is out of resources ({})",
    "55P03": "it is busy, another process is writing it; try again",
}
# libpq's words (fe-secure-openssl.c, fe-connect.c): it has no codes for them
_TLS = ("SSL error:", "does not support SSL", "certificate verify failed", "server certificate for", "root.crt")
_LOST = "the connection to the server was lost ({})"


def fault(name: str, cause: BaseException | None, *, lost: bool = False) -> StoreError:
    """The StoreError for a driver's error about the state `name`; `lost`: the connection was lost."""
    detail = " ".join(str(cause).split()) or type(cause).__name__
    for codes, meanings in (("sqlite_errorname", _MEANINGS), ("sqlstate", _SERVER_MEANINGS)):
        code = getattr(cause, codes, None) or ""
        for prefix, meaning in meanings.items():
            if code.startswith(prefix):
                return StoreError(f"cannot use the state {name}: {meaning.format(detail)}")
    if any(word in detail for word in _TLS):
        return StoreError(f"cannot use the state {name}: {detail}; {HINT}")
    if lost:
        return DisconnectedError(f"cannot use the state {name}: {_LOST.format(detail)}")
    return StoreError(f"cannot use the state {name}: {detail}")


def is_half_written(error: sqlite3.Error) -> bool:
    """Whether a reader found the journal of a dead writer, which it must not roll back."""
    return error.sqlite_errorname == "SQLITE_READONLY_ROLLBACK"
