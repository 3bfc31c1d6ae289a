"""A writer's session: a state is opened for writing, locked, written and unlocked. Runs in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from ..errors import LockedError, StoreError
from . import columns as codec
from . import holder, keys, queries, schema, server_lock, versions
from .database import CoreReading, Database, explained, open_writer
from .keys import Keyring
from .place import Place
from .reader import check_usable
from .records import LockInfo
from .server_lock import SessionLock, session_key
from .tables import LOCK, META
from .transaction import Transaction, exclusive, hold


@dataclass(slots=True)
class WriterSession:
    """The state, locked by `lock`. `broke`: the former lock, of a dead holder."""

    place: Place
    database: Database
    lock: LockInfo
    lineage: str
    serial: int
    keyring: Keyring
    identity: tuple[int, int] | None
    broke: LockInfo | None = None
    backup: str = ""

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """See `exclusive`."""
        with exclusive(self.database, self.place, mine=self.lock, serial=self.serial, identity=self.identity) as work:
            yield work

    def committed(self, work: Transaction) -> None:
        """Note the serial that is on disk now."""
        self.serial = work.serial_after

    def close(self, unlock: bool) -> None:
        """Close, and with `unlock` delete the lock if it is still held by this session."""
        try:
            if unlock:
                with _let_go_if_refused(self.database), self.database.writing() as connection:
                    connection.execute(LOCK.delete().where(LOCK.c.token == self.lock.token))
        finally:
            self.database.close()


def open_session(place: Place, *, who: str, what: str, new_key: bool, moving_to: str = "") -> WriterSession:
    """Create the state if there is none, upgrade it, find or create its key, lock it.

    `moving_to`: a state that was marked as moved to that place is opened, too: the move is resumed.

    Raises LockedError that names the holder, StoreError for everything else.
    """
    fresh = place.absent()
    place.make()
    database = open_writer(place.name, place.path, place.url)
    try:
        with database.writing() as connection:
            database.claim(place.state_id)
            reading = CoreReading(connection)
            found = schema.claimed_version(database)
            scope = queries.Scope(place.state_id, found or versions.HEAD)
            old = None if found is None else queries.lock(reading, scope)
            if old is not None:
                _refuse_live(old, place, _session_gone(database, scope, old))
            backup = ""
            if found is None:
                schema.create(connection)
            elif found != versions.HEAD:
                _refuse_other_live(database, place, found)
                backup = schema.upgrade(database, found)
            scope = queries.Scope(place.state_id, versions.HEAD)
            if not queries.exists(reading, scope) and (found is None or place.path is None):
                schema.create_state(connection, place)
            hold(connection, place.state_id)
            meta = queries.meta(reading, scope)
            check_usable(place, meta, moving_to)
            keyring = _keyring(connection, place, meta.key_id, new_key)
            lock = holder.this_process(who, what)
            connection.execute(LOCK.delete().where(LOCK.c.id == place.state_id))
            connection.execute(LOCK.insert().values(id=place.state_id, **codec.lock_columns(lock)))
            if database.is_postgres:
                database = _with_session_lock(database, connection, place.state_id, meta.lineage, lock)
        database.be_patient()
        _check_session(database)
        return WriterSession(
            place, database, lock, meta.lineage, meta.serial, keyring, place.identity(), broke=old, backup=backup
        )
    except BaseException:
        database.close()
        if fresh and place.path is not None and place.absent():
            with suppress(OSError):
                place.path.unlink()
        raise


def unlock(place: Place, *, force: bool, run: int | None = None) -> LockInfo | None:
    """Delete the lock of a dead holder, with `force` of any; returns it, None if there was none.

    `run`: only the lock under which that run is in progress, unless its process is seen running on this machine.
    While a run is unfinished nobody locks the state but to resume it or to roll it back, so the holder works on it.
    Raises LockedError when the holder may be running, or works on another run.
    """
    if place.absent():
        return None
    database = open_writer(place.name, place.path, place.url)
    try:
        with database.writing() as connection:
            reading = CoreReading(connection)
            found = queries.version(reading)
            if found is None:
                return None
            scope = queries.Scope(place.state_id, found)
            hold(connection, place.state_id)
            old = queries.lock(reading, scope)
            if old is not None and run is not None:
                _check_run(old, run, queries.meta(reading, scope).run, place, force=force)
            elif old is not None and not force and not _dead(old, _session_gone(database, scope, old)):
                raise LockedError(
                    f"cannot unlock the state {place.name}: {old} may be running; stop it, or use --force"
                )
            if old is not None and database.is_postgres:
                server_lock.end_session(connection, old.token)
            connection.execute(LOCK.delete().where(LOCK.c.id == place.state_id))
            return old
    finally:
        database.close()


_RUNS = ("apply", "destroy", "rollback")
"""The commands that work on a run, as a lock names them."""


def _check_run(old: LockInfo, run: int, unfinished: int | None, place: Place, *, force: bool) -> None:
    """Raise LockedError unless the lock is that of `run`."""
    if old.what not in _RUNS or unfinished != run:
        now = "which is at no run" if old.what not in _RUNS or unfinished is None else f"which is at run {unfinished}"
        raise LockedError(f"cannot unlock run {run} of the state {place.name}: the lock is held by {old}, {now}")
    if not force and holder.is_running_here(old):
        raise LockedError(
            f"cannot unlock run {run} of the state {place.name}: {old} is running on this machine; stop it first"
        )


def holder_is_dead(url: str, lock: LockInfo) -> bool:
    """Whether the holder of a state's lock has surely ended; on PostgreSQL its session decides."""
    place = Place.parse(url)
    if place.path is not None:
        return holder.is_dead(lock)
    database = open_writer(place.name, None, place.url)
    try:
        with database.writing() as connection:
            scope = queries.Scope(place.state_id, queries.version(CoreReading(connection)) or versions.HEAD)
            return _dead(lock, _session_gone(database, scope, lock))
    finally:
        database.close()


def _session_gone(database: Database, scope: queries.Scope, old: LockInfo) -> bool | None:
    """See `server_lock.is_gone`; None on other databases."""
    if not database.is_postgres:
        return None
    lineage = queries.meta(CoreReading(database.connection), scope).lineage
    return server_lock.is_gone(database.connection, session_key(lineage), old.token)


def _dead(old: LockInfo, gone: bool | None) -> bool:
    """`gone`: whether its session has ended, None if it has recorded none. Then the row decides."""
    return holder.is_dead(old) if gone is None else gone


def _with_session_lock(
    database: Database, connection: Connection, state_id: int, lineage: str, lock: LockInfo
) -> Database:
    """Take the advisory lock for this session, and note that. Raises LockedError if another session has it."""
    key = session_key(lineage)
    if not server_lock.take(connection, key):
        raise LockedError(
            f"cannot lock the state {database.name}: a session that had it is still connected; wait for it to end, "
            "or see `hacore unlock --help`"
        )
    server_lock.record(connection, lock.token, state_id)
    held = SessionLock(key, lock.token, state_id)
    held.holds(connection)
    return replace(database, session_lock=held)


def _check_session(database: Database) -> None:
    """A second transaction: raises StoreError if it has another session."""
    held = database.session_lock
    if held is None:
        return
    # a pooler gives the session that is free to the next transaction: this one keeps it busy
    with _let_go_if_refused(database), explained(database.name), database.engine.connect() as other:
        other.exec_driver_sql("SELECT 1")
        with database.writing() as connection:
            server_lock.check_direct(connection, held.key, database.name, held.token)


@contextmanager
def _let_go_if_refused(database: Database) -> Iterator[None]:
    """Where a transaction is refused, leave no lock: with a pooler any of them may be the first in another session."""
    try:
        yield
    except StoreError:
        held = database.session_lock
        if held is not None:
            with suppress(StoreError), replace(database, session_lock=None).writing() as connection:
                connection.execute(LOCK.delete().where(LOCK.c.token == held.token))
                if not server_lock.give_back(connection, held.key):  # the pool may have given us that very session
                    server_lock.end_session(connection, held.token)  # it stays in the pool, with our lock
        raise


def _refuse_other_live(database: Database, place: Place, version: str) -> None:
    """Raise LockedError if another state of the database is locked: an upgrade changes the tables of all."""
    reading = CoreReading(database.connection)
    for state_id in queries.locked_states(reading):
        scope = queries.Scope(state_id, version)
        lock = queries.lock(reading, scope)
        if lock is not None and state_id != place.state_id:
            _refuse_live(lock, place, _session_gone(database, scope, lock))
            if database.is_postgres:
                server_lock.give_back(database.connection, session_key(queries.meta(reading, scope).lineage))


def _refuse_live(old: LockInfo, place: Place, gone: bool | None) -> None:
    if not _dead(old, gone):
        raise LockedError(
            f"cannot lock the state {place.name}: locked by {old}; wait for it to end, or see `hacore unlock --help`"
        )


def _keyring(connection: Connection, place: Place, key_id: str, new_key: bool) -> Keyring:
    """The state's key. A new key is made for a new state, or for a lost key (`new_key`), if the state has a file."""
    file = keys.key_file(place.path)
    keyring = keys.find(file, key_id)
    if key_id and (keyring.key is not None or not new_key):
        return keyring
    if key_id:
        if file is not None:
            keys.put_aside(file)
        keyring = keys.find(file, "")
    if keyring.key is None and file is not None and not file.exists():
        try:
            keyring = Keyring(keys.make(file))
        except StoreError as error:
            return Keyring(None, str(error))
    if keyring.key is not None:
        connection.execute(sa.update(META).where(META.c.id == place.state_id).values(key_id=keyring.key.id))
    return keyring
