"""One transaction of the writer: the lock and serial are checked first, the serial moves last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from ..errors import LockedError, SerialError
from . import queries
from .database import CoreReading, Database
from .place import Place
from .tables import META


@dataclass(slots=True)
class Transaction:
    """What the moves of one transaction see. `rows_changed`: a resource row is another than before."""

    connection: Connection
    serial: int
    rows_changed: bool = False

    @property
    def serial_after(self) -> int:
        """The serial that the commit will leave, as far as is known by now."""
        return self.serial + self.rows_changed


@contextmanager
def exclusive(
    database: Database, place: Place, *, token: str, serial: int, identity: tuple[int, int] | None
) -> Iterator[Transaction]:
    """A transaction of the writer that holds the lock `token` and left the state at `serial`.

    Raises LockedError when the lock is another's by now, SerialError when the state moved without
    us, StoreError when the file was removed or replaced: SQLite would go on writing into a file
    that no one will ever find again.
    """
    _check_file(place, identity)
    with database.writing() as connection:
        hold(connection)
        held = queries.meta(CoreReading(connection))
        holder = queries.lock(CoreReading(connection))
        if holder is None or holder.token != token:
            raise LockedError(f"cannot write the state {place.name}: the lock was taken away: {holder or 'unlocked'}")
        if held.serial != serial:
            raise SerialError(
                f"cannot write the state {place.name}: somebody else wrote it (serial {held.serial}, not {serial})"
            )
        work = Transaction(connection, serial)
        yield work
        if work.rows_changed:
            update = META.update().where(META.c.id == 1, META.c.serial == serial).values(serial=serial + 1)
            if connection.execute(update).rowcount != 1:
                raise SerialError(f"cannot write the state {place.name}: somebody else wrote it")
    _check_file(place, identity)


def hold(connection: Connection) -> None:
    """Keep other writers out until the transaction ends, on databases that lock rows. (SQLite locks at its begin.)"""
    connection.execute(sa.select(META.c.id).with_for_update())


def _check_file(place: Place, identity: tuple[int, int] | None) -> None:
    if place.identity() != identity:
        raise SerialError(f"cannot write the state {place.name}: the file was replaced by another one")
