"""The lock of a state on PostgreSQL: a session-level advisory lock that its holder has for the whole run.

A row can outlive its writer, be copied with a database, or come from a clone of a machine; a session cannot. So the
row names the holder, and the session shows whether it still holds the state:

    no record of a session         the rule of holder.py: an older version, or another database, wrote the row
    advisory lock is taken         the holder lives, also if it hangs or its machine looks like another one
    free, backend is still there   not known: its connection is being ended; counts as alive
    free, no such backend          dead: the next writer takes the lock over

A session that is lost is made again on a new connection: the lock is taken first, then the token of the row is
checked, in one transaction. A pooler that gives each transaction another session cannot be used, and is refused.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from sqlalchemy import Connection, text

from ..errors import LockedError, StoreError
from .tables import LOCK_SESSION

__all__ = ["SessionLock", "check_direct", "end_session", "is_gone", "record", "session_key", "take"]

PATIENCE = 5.0
"""Seconds to wait for a session that is being ended."""
_PAUSE = 0.1
_MARK = "hacore: the state's lock was taken here"

_POOLED = (
    "cannot lock the state {name}: a transaction pooler is between, which gives each transaction another session; "
    "connect to the server directly, or use a pool in session mode"
)
_BACKEND = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class SessionLock:
    """The advisory lock of a writer: its key, and the token of the writer's row."""

    key: int
    token: str
    state_id: int

    def begin(self, connection: Connection, name: str) -> None:
        """At the begin of each transaction: whether this session has the lock; on a new connection it takes it again.

        Raises StoreError or LockedError.
        """
        # a driver's connection has an `info` of its own: one that was lost takes its mark along
        (self.check if connection.info.get(_MARK) == self.token else self.resume)(connection, name)

    def holds(self, connection: Connection) -> None:
        """A transaction that took the lock on this connection is committed."""
        connection.info[_MARK] = self.token

    def check(self, connection: Connection, name: str) -> None:
        """Raise StoreError if this transaction has another session than the one with the lock."""
        same = connection.execute(
            text("SELECT backend_pid = pg_backend_pid() FROM lock_session WHERE token = :token"), {"token": self.token}
        ).scalar_one_or_none()
        if same is False:
            raise StoreError(_POOLED.format(name=name))

    def resume(self, connection: Connection, name: str) -> None:
        """Take the lock again on a new connection, in the transaction that then checks the token.

        With another token in the row the lock was broken: that check reports it, and nothing is taken here.
        """
        mine = connection.execute(text("SELECT count(*) FROM lock WHERE token = :token"), {"token": self.token})
        if not mine.scalar_one():
            return
        if not take(connection, self.key):
            raise LockedError(
                f"cannot write the state {name}: the connection was lost, and another session has its lock now"
            )
        record(connection, self.token, self.state_id)


def session_key(lineage: str) -> int:
    """The key of a state: 64 bits of a digest of its lineage, as PostgreSQL's bigint."""
    return int.from_bytes(hashlib.blake2b(lineage.encode(), digest_size=8).digest(), "big", signed=True)


def take(connection: Connection, key: int, patience: float = PATIENCE) -> bool:
    """Take the lock for this session; False if another session still has it after `patience` seconds."""
    until = time.monotonic() + patience
    while True:
        if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one():
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(_PAUSE)


def record(connection: Connection, token: str, state_id: int) -> None:
    """Note that this session holds the advisory lock for the row with this token."""
    pid, start = connection.execute(text(_BACKEND)).one()
    connection.execute(LOCK_SESSION.delete().where(LOCK_SESSION.c.state_id == state_id))
    values = {"state_id": state_id, "token": token, "backend_pid": pid, "backend_start": start}
    connection.execute(LOCK_SESSION.insert().values(**values))


def give_back(connection: Connection, key: int) -> bool:
    """Release the lock if this session has it; whether it had."""
    return bool(connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key}).scalar_one())


def is_gone(connection: Connection, key: int, token: str) -> bool | None:
    """Whether the session of the holder with this token has ended; None if it recorded none.

    Takes the advisory lock if it has; it is this session's then.
    """
    backend = _backend(connection, token)
    if backend is None:
        return None
    if not take(connection, key, patience=0):
        return False
    until = time.monotonic() + PATIENCE
    while _is_there(connection, backend):
        if time.monotonic() >= until:
            return False
        time.sleep(_PAUSE)
    return True


def end_session(connection: Connection, token: str) -> None:
    """End the session of the holder with this token, so that it can write nothing more."""
    backend = _backend(connection, token)
    if backend is not None and _is_there(connection, backend):
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend[0]})


def check_direct(connection: Connection, key: int, name: str, token: str) -> None:
    """In a second transaction: raise StoreError unless it has the same session as the first one, with the lock."""
    pid, _ = connection.execute(text(_BACKEND)).one()
    recorded = _backend(connection, token)
    held = connection.execute(
        text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted "
            "AND ((classid::bigint << 32) | objid::bigint) = :key"
        ),
        {"key": key},
    ).scalar_one()
    if recorded is None or recorded[0] != pid or not held:
        raise StoreError(_POOLED.format(name=name))


def _has_table(connection: Connection) -> bool:
    return connection.execute(text("SELECT to_regclass('lock_session')")).scalar_one() is not None


def _backend(connection: Connection, token: str) -> tuple[int, str] | None:
    """The recorded backend of the holder with this token."""
    if not _has_table(connection):
        return None
    row = connection.execute(
        text("SELECT backend_pid, backend_start FROM lock_session WHERE token = :token"), {"token": token}
    ).one_or_none()
    return None if row is None else (int(row[0]), str(row[1]))


def _is_there(connection: Connection, backend: tuple[int, str]) -> bool:
    """Whether a backend still runs. Another role's start is not shown (NULL): its pid alone counts then."""
    found = connection.execute(
        text("SELECT backend_start::text FROM pg_stat_activity WHERE pid = :pid"), {"pid": backend[0]}
    ).one_or_none()
    return found is not None and found[0] in (None, backend[1])
