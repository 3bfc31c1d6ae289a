"""The states of a database, for `hacore state list --all`. Read-only: nothing is locked."""

# ruff: noqa: S608 - only our own column names and parameter marks are put into the text
from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from . import queries, versions
from .columns import lock_from_columns
from .place import Place
from .reader import open_source
from .records import UNFINISHED, LockInfo
from .source import Reading, listing


@dataclass(frozen=True, slots=True)
class StateEntry:
    """One state of a database. `name` is empty for the one without a name, as in an SQLite file.

    `unfinished`: the newest run that is running or was interrupted. `moved_to`: the URL that the state was moved to,
    empty for a state in use.
    """

    name: str
    lineage: str
    serial: int
    resources: int
    runs: int
    unfinished: int | None = None
    lock: LockInfo | None = None
    moved_to: str = ""


def states(url: str) -> list[StateEntry]:
    """All states of the database of a URL, by name; `?state=NAME` of the URL does not matter. Raises StoreError."""
    place = Place.parse(url)
    if place.absent():
        return []
    with ExitStack() as cleanup:
        source = open_source(place, cleanup)
        with source.transaction() as reading:
            found = queries.version(reading)
            if found is None:
                return []
            versions.check_readable(found, place.name)
            return _entries(reading) if found >= versions.WITH_STATE_ID else [_only(reading, found)]


def _entries(reading: Reading) -> list[StateEntry]:
    """A few queries, however many states there are."""
    marks, values = listing(list(UNFINISHED))
    resources = {row["state_id"]: row["n"] for row in reading.fetch(_COUNT.format("resource"))}
    runs = {row["state_id"]: row["n"] for row in reading.fetch(_COUNT.format("run"))}
    query = f"SELECT state_id, max(id) AS n FROM run WHERE status IN ({marks}) GROUP BY state_id"
    unfinished = {row["state_id"]: row["n"] for row in reading.fetch(query, **values)}
    locks = {row["id"]: lock_from_columns(row) for row in reading.fetch("SELECT * FROM lock")}
    found = reading.fetch("SELECT id, name, lineage, serial, moved_to FROM meta")
    entries = [
        StateEntry(
            row["name"],
            row["lineage"],
            row["serial"],
            resources.get(row["id"], 0),
            runs.get(row["id"], 0),
            unfinished.get(row["id"]),
            locks.get(row["id"]),
            row["moved_to"],
        )
        for row in found
    ]
    return sorted(entries, key=lambda entry: entry.name)


_COUNT = "SELECT state_id, count(*) AS n FROM {} GROUP BY state_id"


def _only(reading: Reading, version: str) -> StateEntry:
    """The state of a database of an earlier version."""
    taken = queries.snapshot(reading, queries.Scope(1, version))
    meta = taken.meta
    return StateEntry("", meta.lineage, meta.serial, len(taken.rows), len(taken.runs), meta.run, taken.lock)
