"""Moving a state to another database, with all that it has: verified there, and refused here from then on.

Keys of rows begin with the id of the state, so all rows are copied verbatim: numbers of runs and images, origins
and history stay. The order, such that at no time two databases have a state that can be used:

    1. here: the state is locked, and marked as moved to the new place; nobody opens it from now on
    2. there: one transaction inserts all rows, reads them again, and compares them with those here
    3. a failure of 2. removes the mark; after a crash between the two the same command resumes at 2.

The rows here are kept. To move a state back, move it to its former place: only there rows are replaced, those of
the same lineage that are marked as moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table

from ..errors import StoreError
from . import catalog, keys, queries, schema, spill, versions
from .catalog import StateEntry
from .database import CoreReading, Database, open_writer
from .place import Place
from .session import WriterSession, open_session
from .tables import LOCK, LOCK_SESSION, META, METADATA

_ROWS = 200  # in memory at a time
_COPIED = tuple(table for table in METADATA.sorted_tables if table not in (META, LOCK, LOCK_SESSION))


@dataclass(frozen=True, slots=True)
class Relocated:
    """A state that was moved: its lineage and serial, the counts of its rows by table, and the new place's name."""

    lineage: str
    serial: int
    rows: Mapping[str, int]
    target: str


def relocate(source_url: str, target_url: str, *, who: str) -> Relocated:
    """Move a state. Raises StoreError and LockedError: then nothing has changed, here or there.

    Refused: a run that was interrupted, results that a run could not record, a key that is not available at the new
    place, and a state that is there already, unless it is this one, moved here.
    """
    source, target = Place.parse(source_url), Place.parse(target_url)
    mine = _entry(source)
    if mine is None:
        raise StoreError(f"cannot move the state {source.name}: it does not exist yet; `hacore apply` creates it")
    if source.name == target.name:
        raise StoreError(f"cannot move the state {source.name}: it is there already")
    _check_target(source, target, mine, _entry(target))
    session = open_session(source, who=who, what="state migrate", new_key=False, moving_to=target.name)
    try:
        _check_movable(session, source, target)
        with session.transaction() as work:
            _mark(work.connection, source, target.name)
        try:
            counts = _copy(session, source, target)
        except BaseException:
            with suppress(StoreError), session.transaction() as work:
                _mark(work.connection, source, "")
            raise
        return Relocated(session.lineage, session.serial, counts, target.name)
    finally:
        session.close(unlock=True)


def _entry(place: Place) -> StateEntry | None:
    found = {entry.name: entry for entry in catalog.states(place.url)}
    return found.get(place.state)


def _check_target(source: Place, target: Place, mine: StateEntry, there: StateEntry | None) -> None:
    if mine.moved_to not in ("", target.name):
        raise StoreError(f"cannot move the state {source.name}: it was moved to {mine.moved_to}")
    if there is not None and (there.lineage != mine.lineage or not there.moved_to):
        what = "the same state is there already" if there.lineage == mine.lineage else "another state is there"
        raise StoreError(
            f"cannot move the state {source.name} to {target.name}: {what}; choose another place, for example "
            "postgresql://USER@HOST/DATABASE?state=NAME"
        )


def _check_movable(session: WriterSession, source: Place, target: Place) -> None:
    with session.database.transaction() as reading:
        meta = queries.meta(reading, queries.Scope(source.state_id, versions.HEAD))
    if meta.run is not None:
        raise StoreError(
            f"cannot move the state {source.name}: run {meta.run} was interrupted; resume it with "
            "`hacore apply --resume`, or undo it with `hacore rollback`, first"
        )
    if spill.read(spill.places(source.path, session.lineage), session.lineage, session.keyring):
        raise StoreError(
            f"cannot move the state {source.name}: it has results that a run could not record; "
            "record them with `hacore apply`, first"
        )
    if meta.key_id and keys.find(keys.key_file(target.path), meta.key_id).key is None:
        file = keys.key_file(source.path)
        where = f"; it is in {file}" if file is not None and file.exists() else ""
        raise StoreError(
            f"cannot move the state {source.name}: its key is not available at {target.name}; "
            f"put it into {keys.VARIABLE}{where}"
        )


def _mark(connection: Connection, place: Place, moved_to: str) -> None:
    connection.execute(META.update().where(META.c.id == place.state_id).values(moved_to=moved_to))


def _copy(session: WriterSession, source: Place, target: Place) -> dict[str, int]:
    """All rows, in one transaction of the target; the counts by table."""
    target.make()
    database = open_writer(target.name, target.path, target.url)
    try:
        with session.database.writing() as here, database.writing() as there:
            _prepare(database, target, session.lineage)
            counts = {table.name: _copy_table(table, here, there, source, target) for table in _COPIED}
            values = here.execute(META.select().where(META.c.id == source.state_id)).mappings().one()
            own = {"id": target.state_id, "name": target.state, "moved_to": ""}
            there.execute(META.insert().values(**{**values, **own}))
            for table in _COPIED:
                if _digests(table, here, source) != _digests(table, there, target):
                    raise StoreError(
                        f"cannot move the state {source.name}: the rows of {table.name} at {target.name} differ from "
                        "those here; the copy was discarded"
                    )
    finally:
        database.close()
    return counts


def _prepare(database: Database, target: Place, lineage: str) -> None:
    """Keep others out of the target, make its tables, and remove what was moved here from there."""
    connection, reading = database.connection, CoreReading(database.connection)
    database.claim(target.state_id)
    found = schema.claimed_version(database)
    if found is None:
        schema.create(connection)
    elif found != versions.HEAD:
        raise StoreError(
            f"cannot move a state to {target.name}: its tables are of another version of hacore; the next run with one "
            "of its states upgrades them"
        )
    scope = queries.Scope(target.state_id, versions.HEAD)
    if not queries.exists(reading, scope):
        return
    meta = queries.meta(reading, scope)
    if meta.lineage != lineage or not meta.moved_to:
        raise StoreError(f"cannot move a state to {target.name}: another process created a state there")
    for table in reversed(_COPIED):
        connection.execute(table.delete().where(table.c.state_id == target.state_id))
    connection.execute(META.delete().where(META.c.id == target.state_id))


def _copy_table(table: Table, here: Connection, there: Connection, source: Place, target: Place) -> int:
    count = 0
    for part in _rows(table, here, source):
        there.execute(table.insert(), [{**row, "state_id": target.state_id} for row in part])
        count += len(part)
    return count


def _rows(table: Table, connection: Connection, place: Place) -> Iterator[list[dict[str, Any]]]:
    query = table.select().where(table.c.state_id == place.state_id)
    with connection.execute(query, execution_options={"yield_per": _ROWS}) as found:
        for part in found.mappings().partitions(_ROWS):
            yield [{str(name): value for name, value in row.items()} for row in part]


def _digests(table: Table, connection: Connection, place: Place) -> list[bytes]:
    """A digest of each row, without the id of the state; sorted, because databases order text in different ways."""
    names = [column.name for column in table.columns if column.name != "state_id"]
    found = []
    for part in _rows(table, connection, place):
        found += [hashlib.sha256(repr([_plain(row[name]) for name in names]).encode()).digest() for row in part]
    return sorted(found)


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, bytearray | memoryview) else value
