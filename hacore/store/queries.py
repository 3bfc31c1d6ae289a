"""All queries of the state: each function is a few SELECTs in the caller's transaction."""

# ruff: noqa: S608 - only our own column names and parameter marks are put into the text
from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ImageError, StoreError
from .columns import (
    HOST_COLUMNS,
    LOCK_COLUMNS,
    REVISION_COLUMNS,
    ROW_COLUMNS,
    RUN_COLUMNS,
    TASK_COLUMNS,
    Columns,
    lock_from_columns,
    revision_from_columns,
    task_from_columns,
)
from .history import Delta, Revision
from .images import StoredBlob, StoredImage
from .records import UNFINISHED, LockInfo, TaskRecord
from .source import Reading, listing

_CHUNK = 500  # values in one IN list; SQLite before 3.32 takes 999


@dataclass(frozen=True, slots=True)
class Meta:
    """The state itself; `run` is the newest one that was interrupted or is running."""

    lineage: str
    serial: int
    key_id: str
    run: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a plan needs of the state, of one moment; rows, hosts and runs as columns."""

    meta: Meta
    lock: LockInfo | None
    rows: Sequence[Columns]
    hosts: Sequence[Columns]
    runs: Sequence[Columns]


def version(reading: Reading) -> str | None:
    """The schema's version; None when there are no tables; raises StoreError when they are not hacore's."""
    tables = reading.tables()
    if not {"alembic_version", "meta"} <= tables:
        if tables:
            raise StoreError("cannot use the state: the database is not a state of hacore, it has other tables")
        return None
    found = reading.fetch("SELECT version_num FROM alembic_version")
    return str(found[0]["version_num"]) if found else None


def snapshot(reading: Reading) -> Snapshot:
    """The state of one moment."""
    return Snapshot(
        meta(reading),
        lock(reading),
        reading.fetch(f"SELECT {_names(ROW_COLUMNS)} FROM resource ORDER BY address"),
        reading.fetch(f"SELECT {_names(HOST_COLUMNS)} FROM host ORDER BY name"),
        reading.fetch(f"SELECT {_names(RUN_COLUMNS)} FROM run ORDER BY id"),
    )


def meta(reading: Reading) -> Meta:
    """Lineage, serial, the key's id and the interrupted run."""
    marks, values = listing(list(UNFINISHED))
    unfinished = f"SELECT max(id) FROM run WHERE status IN ({marks})"
    found = reading.fetch(f"SELECT lineage, serial, key_id, ({unfinished}) AS run FROM meta WHERE id = 1", **values)
    if not found:
        raise StoreError("cannot use the state: it is damaged, its lineage is missing; restore it from a backup")
    (stored,) = found
    return Meta(lineage=stored["lineage"], serial=stored["serial"], key_id=stored["key_id"], run=stored["run"])


def lock(reading: Reading) -> LockInfo | None:
    """The lock of the state, its holder running or dead."""
    found = reading.fetch(f"SELECT {_names(LOCK_COLUMNS)} FROM lock WHERE id = 1")
    return lock_from_columns(found[0]) if found else None


def tasks(reading: Reading, run: int) -> list[TaskRecord]:
    """The tasks of a run, in order."""
    images: dict[str, dict[str, int]] = {}
    for found in reading.fetch("SELECT task, address, image FROM task_image WHERE run = :run", run=run):
        images.setdefault(found["task"], {})[found["address"]] = found["image"]
    query = f"SELECT {_names(TASK_COLUMNS)} FROM task WHERE run = :run ORDER BY position, id"
    return [task_from_columns(found, images.get(found["id"], {})) for found in reading.fetch(query, run=run)]


def revisions(reading: Reading) -> list[Revision]:
    """All commits of the history, the oldest first."""
    found = reading.fetch(f"SELECT {_names(REVISION_COLUMNS)} FROM revision ORDER BY serial")
    return [revision_from_columns(columns) for columns in found]


def deltas(reading: Reading, after: int) -> list[Delta]:
    """The former values of rows that the commits after a serial changed, the newest first."""
    query = "SELECT serial, address, before FROM revision_row WHERE serial > :after ORDER BY serial DESC, address"
    return [
        Delta(found["serial"], found["address"], found["before"] and json.loads(found["before"]))
        for found in reading.fetch(query, after=after)
    ]


def images(reading: Reading, ids: Collection[int]) -> dict[int, StoredImage]:
    """Images in their stored form; raises ImageError for an id that is not in the state."""
    wanted = sorted(set(ids))
    blobs: dict[int, dict[str, StoredBlob]] = {number: {} for number in wanted}
    found: list[Columns] = []
    for part in chunks(wanted):
        marks, values = listing(part)
        query = (
            "SELECT image_blob.image, image_blob.name, blob.id, blob.size, blob.coding, blob.body "
            f"FROM image_blob JOIN blob ON blob.id = image_blob.blob WHERE image_blob.image IN ({marks})"
        )
        for blob in reading.fetch(query, **values):
            stored = StoredBlob(blob["id"], blob["size"], blob["coding"], bytes(blob["body"]))
            blobs[blob["image"]][blob["name"]] = stored
        query = f"SELECT id, run, sensitive, key_id, data FROM image WHERE id IN ({marks})"
        found += reading.fetch(query, **values)
    missing = sorted(set(wanted) - {image["id"] for image in found})
    if missing:
        numbers = ", ".join(map(str, missing))
        raise ImageError(f"cannot read before-image {numbers}: it is not in the state, perhaps pruned")
    return {
        image["id"]: StoredImage(
            image["run"], bool(image["sensitive"]), image["key_id"], image["data"], blobs[image["id"]]
        )
        for image in found
    }


def chunks(values: list[Any]) -> Iterator[list[Any]]:
    """Parts of a list, each small enough for one IN list."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _names(columns: Sequence[str]) -> str:
    """Column names, quoted: some are keywords of SQL."""
    return ", ".join(f'"{name}"' for name in columns)
