"""All queries of the state: each function is a few SELECTs in the caller's transaction."""

# ruff: noqa: S608 - only our own column names and parameter marks are put into the text
from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ImageError, StoreError
from . import versions
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
class Scope:
    """Which rows are those of a state, for the schema at hand: before 0003 a database had one state."""

    state_id: int
    version: str

    def where(self, table: str = "") -> str:
        """A condition of SQL."""
        if self.version < versions.WITH_STATE_ID:
            return "1 = 1"
        return f"{table}.state_id = {self.state_id}" if table else f"state_id = {self.state_id}"

    def joined(self, left: str, right: str) -> str:
        """The condition that two tables' rows are of one state."""
        return "1 = 1" if self.version < versions.WITH_STATE_ID else f"{left}.state_id = {right}.state_id"


@dataclass(frozen=True, slots=True)
class Meta:
    """The state itself; `run` is the newest one that was interrupted or is running; `moved_to`: see tables.py."""

    lineage: str
    serial: int
    key_id: str
    run: int | None
    name: str = ""
    moved_to: str = ""


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


def snapshot(reading: Reading, scope: Scope) -> Snapshot:
    """The state of one moment."""
    mine = scope.where()
    return Snapshot(
        meta(reading, scope),
        lock(reading, scope),
        reading.fetch(f"SELECT {_names(ROW_COLUMNS)} FROM resource WHERE {mine} ORDER BY address"),
        reading.fetch(f"SELECT {_names(HOST_COLUMNS)} FROM host WHERE {mine} ORDER BY name"),
        reading.fetch(f"SELECT {_names(RUN_COLUMNS)} FROM run WHERE {mine} ORDER BY id"),
    )


def exists(reading: Reading, scope: Scope) -> bool:
    """Whether the state is in its database."""
    return bool(reading.fetch("SELECT id FROM meta WHERE id = :id", id=scope.state_id))


def meta(reading: Reading, scope: Scope) -> Meta:
    """Lineage, serial, the key's id and the interrupted run."""
    marks, values = listing(list(UNFINISHED))
    unfinished = f"SELECT max(id) FROM run WHERE status IN ({marks}) AND {scope.where()}"
    more = "'' AS name, '' AS moved_to" if scope.version < versions.WITH_STATE_ID else "name, moved_to"
    query = f"SELECT lineage, serial, key_id, {more}, ({unfinished}) AS run FROM meta WHERE id = :id"
    found = reading.fetch(query, id=scope.state_id, **values)
    if not found:
        raise StoreError("cannot use the state: it is damaged, its lineage is missing; restore it from a backup")
    (stored,) = found
    return Meta(
        lineage=stored["lineage"],
        serial=stored["serial"],
        key_id=stored["key_id"],
        run=stored["run"],
        name=stored["name"],
        moved_to=stored["moved_to"],
    )


def lock(reading: Reading, scope: Scope) -> LockInfo | None:
    """The lock of the state, its holder running or dead."""
    found = reading.fetch(f"SELECT {_names(LOCK_COLUMNS)} FROM lock WHERE id = :id", id=scope.state_id)
    return lock_from_columns(found[0]) if found else None


def locked_states(reading: Reading) -> list[int]:
    """The ids of all states of the database with a lock."""
    return [found["id"] for found in reading.fetch("SELECT id FROM lock ORDER BY id")]


def tasks(reading: Reading, scope: Scope, run: int) -> list[TaskRecord]:
    """The tasks of a run, in order."""
    images: dict[str, dict[str, int]] = {}
    query = f"SELECT task, address, image FROM task_image WHERE run = :run AND {scope.where()}"
    for found in reading.fetch(query, run=run):
        images.setdefault(found["task"], {})[found["address"]] = found["image"]
    query = f"SELECT {_names(TASK_COLUMNS)} FROM task WHERE run = :run AND {scope.where()} ORDER BY position, id"
    return [task_from_columns(found, images.get(found["id"], {})) for found in reading.fetch(query, run=run)]


def revisions(reading: Reading, scope: Scope) -> list[Revision]:
    """All commits of the history, the oldest first."""
    found = reading.fetch(f"SELECT {_names(REVISION_COLUMNS)} FROM revision WHERE {scope.where()} ORDER BY serial")
    return [revision_from_columns(columns) for columns in found]


def deltas(reading: Reading, scope: Scope, after: int) -> list[Delta]:
    """The former values of rows that the commits after a serial changed, the newest first."""
    query = (
        f"SELECT serial, address, before FROM revision_row WHERE serial > :after AND {scope.where()} "
        "ORDER BY serial DESC, address"
    )
    return [
        Delta(found["serial"], found["address"], found["before"] and json.loads(found["before"]))
        for found in reading.fetch(query, after=after)
    ]


def images(reading: Reading, scope: Scope, ids: Collection[int]) -> dict[int, StoredImage]:
    """Images in their stored form; raises ImageError for an id that is not in the state."""
    wanted = sorted(set(ids))
    blobs: dict[int, dict[str, StoredBlob]] = {number: {} for number in wanted}
    found: list[Columns] = []
    for part in chunks(wanted):
        marks, values = listing(part)
        query = (
            "SELECT image_blob.image, image_blob.name, blob.id, blob.size, blob.coding, blob.body "
            f"FROM image_blob JOIN blob ON blob.id = image_blob.blob AND {scope.joined('blob', 'image_blob')} "
            f"WHERE image_blob.image IN ({marks}) AND {scope.where('image_blob')}"
        )
        for blob in reading.fetch(query, **values):
            stored = StoredBlob(blob["id"], blob["size"], blob["coding"], bytes(blob["body"]))
            blobs[blob["image"]][blob["name"]] = stored
        query = f"SELECT id, run, sensitive, key_id, data FROM image WHERE id IN ({marks}) AND {scope.where()}"
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
