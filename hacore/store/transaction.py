"""One transaction of the writer: it checks the lock and the serial first and increases the serial last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table

from ..errors import LockedError, SerialError
from . import queries, versions
from .columns import Columns, row_text
from .database import CoreReading, Database
from .place import Place
from .records import LockInfo
from .tables import META, REVISION, REVISION_ROW


@dataclass(slots=True)
class Transaction:
    """What the moves of one transaction see. `before`: the former values of changed rows; `run`: its run.

    `is_complete`: all was written but the commit itself, which may be on its way to the database.
    """

    connection: Connection
    state_id: int
    serial: int
    run: int | None = None
    before: dict[str, Columns | None] = field(default_factory=dict)
    is_complete: bool = False

    def mine(self, table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        """The rows of this state for which all conditions hold."""
        return sa.and_(table.c.state_id == self.state_id, *conditions)

    def remember(self, address: str, before: Columns | None) -> None:
        """Note that a resource row changed. The first value in the transaction counts."""
        self.before.setdefault(address, before)

    @property
    def rows_changed(self) -> bool:
        """Whether a resource row changed."""
        return bool(self.before)

    @property
    def serial_after(self) -> int:
        """The serial after the commit, as far as known by now."""
        return self.serial + self.rows_changed


@contextmanager
def exclusive(
    database: Database, place: Place, *, mine: LockInfo, serial: int, identity: tuple[int, int] | None
) -> Iterator[Transaction]:
    """A transaction of the writer that holds the lock `mine` and last saw the state at `serial`.

    Raises LockedError when the lock was broken, SerialError when another process wrote the state,
    StoreError when the file was deleted or replaced: SQLite would continue to write to the deleted file.
    """
    _check_file(place, identity)
    with database.writing() as connection:
        hold(connection, place.state_id)
        scope = queries.Scope(place.state_id, versions.HEAD)
        held = queries.meta(CoreReading(connection), scope)
        holder = queries.lock(CoreReading(connection), scope)
        if holder is None or holder.token != mine.token:
            now = f"now held by {holder}" if holder else "nobody holds it now"
            raise LockedError(f"cannot write the state {place.name}: its lock was broken; {now}")
        if held.serial != serial:
            raise SerialError(
                f"cannot write the state {place.name}: another process wrote it "
                f"(serial {held.serial}, expected {serial})"
            )
        work = Transaction(connection, place.state_id, serial, held.run)
        yield work
        if work.rows_changed:
            _keep(work, mine)
            update = META.update().where(META.c.id == place.state_id, META.c.serial == serial).values(serial=serial + 1)
            if connection.execute(update).rowcount != 1:
                raise SerialError(f"cannot write the state {place.name}: another process wrote it")
        work.is_complete = True
    _check_file(place, identity)


def _keep(work: Transaction, mine: LockInfo) -> None:
    """Add the changes of this transaction to the history."""
    made = {"at": time.time(), "since": mine.since, "run": work.run, "who": mine.who, "what": mine.what}
    work.connection.execute(REVISION.insert().values(state_id=work.state_id, serial=work.serial_after, **made))
    rows = [
        {
            "state_id": work.state_id,
            "serial": work.serial_after,
            "address": address,
            "before": before and row_text(before),
        }
        for address, before in work.before.items()
    ]
    work.connection.execute(REVISION_ROW.insert(), rows)


def hold(connection: Connection, state_id: int) -> None:
    """Keep other writers out until the transaction ends, on databases that lock rows. (SQLite locks at its begin.)"""
    connection.execute(sa.select(META.c.id).where(META.c.id == state_id).with_for_update())


def _check_file(place: Place, identity: tuple[int, int] | None) -> None:
    if place.identity() != identity:
        raise SerialError(f"cannot write the state {place.name}: the file was replaced")
