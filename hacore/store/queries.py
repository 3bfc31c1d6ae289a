"""All reading: each function is a few SELECTs on a connection inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Select

from ..errors import StoreError
from .codec import Columns, task_from_columns
from .images import StoredBlob, StoredImage
from .records import LockInfo, TaskRecord
from .tables import BLOB, HOST, IMAGE, IMAGE_BLOB, LOCK, META, RESOURCE, RUN, TASK, TASK_IMAGE

_CHUNK = 500  # ids in one IN list; SQLite before 3.32 takes 999


@dataclass(frozen=True, slots=True)
class Meta:
    """The state itself."""

    lineage: str
    serial: int
    key_id: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a plan may ask of the state, of one moment; rows, hosts and runs still as columns."""

    meta: Meta
    lock: LockInfo | None
    rows: Sequence[Columns]
    hosts: Sequence[Columns]
    runs: Sequence[Columns]


def snapshot(connection: Connection) -> Snapshot:
    """Read the state in one transaction."""
    return Snapshot(
        meta(connection),
        lock(connection),
        _all(connection, RESOURCE.select().order_by(RESOURCE.c.address)),
        _all(connection, HOST.select().order_by(HOST.c.name)),
        _all(connection, RUN.select().order_by(RUN.c.id)),
    )


def meta(connection: Connection, *, for_update: bool = False) -> Meta:
    """Lineage, serial and key; `for_update` holds other writers off where the database locks rows."""
    query = sa.select(META.c.lineage, META.c.serial, META.c.key_id).where(META.c.id == 1)
    found = connection.execute(query.with_for_update() if for_update else query).mappings().one_or_none()
    if found is None:
        raise StoreError("cannot use the state: it has no lineage, it is damaged; put a backup in its place")
    return Meta(**found)


def lock(connection: Connection) -> LockInfo | None:
    """Who holds the state, alive or not."""
    columns = [LOCK.c[name] for name in LockInfo.__slots__]
    found = connection.execute(sa.select(*columns).where(LOCK.c.id == 1)).mappings().one_or_none()
    return LockInfo(**found) if found else None


def tasks(connection: Connection, run: int) -> list[TaskRecord]:
    """The tasks of a run, in order."""
    images: dict[str, dict[str, int]] = {}
    for found in _all(connection, TASK_IMAGE.select().where(TASK_IMAGE.c.run == run)):
        images.setdefault(found["task"], {})[found["address"]] = found["image"]
    query = TASK.select().where(TASK.c.run == run).order_by(TASK.c.position, TASK.c.id)
    return [task_from_columns(found, images.get(found["id"], {})) for found in _all(connection, query)]


def images(connection: Connection, ids: Collection[int]) -> dict[int, StoredImage]:
    """Images as they are stored; raises StoreError for an id that is not there."""
    wanted = sorted(set(ids))
    blobs: dict[int, dict[str, StoredBlob]] = {number: {} for number in wanted}
    for part in chunks(wanted):
        query = sa.select(IMAGE_BLOB.c.image, IMAGE_BLOB.c.name, BLOB).join_from(IMAGE_BLOB, BLOB)
        for found in connection.execute(query.where(IMAGE_BLOB.c.image.in_(part))).mappings():
            blob = StoredBlob(found["id"], found["size"], found["coding"], found["body"])
            blobs[found["image"]][found["name"]] = blob
    result = {
        found["id"]: StoredImage(found["run"], found["sensitive"], found["key_id"], found["data"], blobs[found["id"]])
        for part in chunks(wanted)
        for found in _all(connection, IMAGE.select().where(IMAGE.c.id.in_(part)))
    }
    missing = [str(number) for number in wanted if number not in result]
    if missing:
        raise StoreError(f"cannot read before-image {', '.join(missing)}: it is not in the state, pruned perhaps")
    return result


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Pieces of a list, each small enough for one IN list."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _all(connection: Connection, query: Select[Any]) -> list[Columns]:
    return [{str(name): value for name, value in row.items()} for row in connection.execute(query).mappings()]
