"""Reading a state: nothing is written, here or anywhere, and nothing is locked.

SQLAlchemy is imported only for a state on a server: an SQLite file is read without it (see source).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from ..address import Address
from ..errors import StoreError
from ..model import JSON, Image, Row
from . import columns
from .keys import Keyring, find, key_file
from .place import Place
from .records import UNFINISHED, HostRecord, LockInfo, RunRecord, TaskRecord

if TYPE_CHECKING:
    from .history import Delta, Revision
    from .queries import Meta, Scope, Snapshot
    from .source import Reading, Source
    from .spill import Spilled

T = TypeVar("T")


class StateView:
    """The queries of a state. All raise StoreError when it cannot be read.

    A StateReader shows the state of the moment it was opened, except tasks and images (those of the moment
    of the query); a StateWriter shows its own commits.
    """

    @property
    def lineage(self) -> str:
        """The UUID of this state, drawn when it was created."""
        raise NotImplementedError

    @property
    def serial(self) -> int:
        """How many commits have changed resource rows."""
        raise NotImplementedError

    def spilled(self) -> list[Spilled]:
        """What runs that lost the state could not record (see `StateWriter.spill`), in order."""
        from . import spill

        return spill.read(spill.places(self._place().path, self.lineage), self.lineage, self._keys())

    def _place(self) -> Place:
        raise NotImplementedError

    def _keys(self) -> Keyring:
        raise NotImplementedError

    def _snapshot(self) -> Snapshot:
        raise NotImplementedError

    def _scope(self) -> Scope:
        raise NotImplementedError

    def _read(self, query: Callable[[Reading], T]) -> T:
        raise NotImplementedError

    @property
    def has_key(self) -> bool:
        """Whether the state's key is available."""
        return self._keys().key is not None

    @property
    def key_problem(self) -> str:
        """Why the key is not available; empty when it is."""
        return self._keys().problem

    def hmac(self, value: str) -> str:
        """`hmac:<hex>` of a sensitive value, made with the state's key; raises StoreError without the key."""
        return self._keys().need().hmac(value)

    def rows(self) -> dict[Address, Row]:
        """All recorded instances, by address."""
        return {row.address: row for row in map(columns.row_from_columns, self._snapshot().rows)}

    def hosts(self) -> dict[str, HostRecord]:
        """All recorded hosts, by name."""
        return {host.name: host for host in map(columns.host_from_columns, self._snapshot().hosts)}

    def runs(self) -> list[RunRecord]:
        """All runs in the state, the newest last."""
        return [columns.run_from_columns(run) for run in self._snapshot().runs]

    def run(self, number: int) -> RunRecord:
        """One run; raises StoreError when it is not in the state."""
        for run in self._snapshot().runs:
            if run["id"] == number:
                return columns.run_from_columns(run)
        raise StoreError(f"cannot find run {number}: it is not in the state; `hacore runs` lists what is")

    def unfinished(self) -> RunRecord | None:
        """The newest run that has not ended: `running` or `interrupted`."""
        open_runs = [run for run in self.runs() if run.status in UNFINISHED]
        return open_runs[-1] if open_runs else None

    def lock(self) -> LockInfo | None:
        """The lock of the state, its holder running or dead."""
        return self._snapshot().lock

    def revisions(self) -> list[Revision]:
        """The commits of the history, the oldest first."""
        from . import queries

        return self._read(lambda reading: queries.revisions(reading, self._scope())) if self._has_history() else []

    def deltas(self, after: int = 0) -> list[Delta]:
        """The former values of rows that the commits after a serial changed, the newest first."""
        from . import queries

        return self._read(lambda reading: queries.deltas(reading, self._scope(), after)) if self._has_history() else []

    def rows_at(self, serial: int) -> dict[str, JSON]:
        """All rows at a serial, as JSON, by address; raises UsageError for one before the history."""
        from . import history

        history.check_known(serial, self.serial, self.revisions())
        return history.rows_at(self.rows_json(), self.deltas(serial), serial)

    def rows_json(self) -> dict[str, JSON]:
        """All recorded instances as JSON, by address."""
        return {row["address"]: json.loads(columns.row_text(row)) for row in self._snapshot().rows}

    def _has_history(self) -> bool:
        return True

    def tasks(self, run: int) -> list[TaskRecord]:
        """The tasks of a run, in order."""
        from . import queries

        return self._read(lambda reading: queries.tasks(reading, self._scope(), run))

    def image(self, number: int) -> Image:
        """A before-image, decrypted; raises ImageError when it was pruned, is damaged or its key is missing."""
        return self.images((number,))[number]

    def images(self, numbers: Collection[int]) -> dict[int, Image]:
        """Several before-images, by id; see `image`."""
        from . import queries
        from .images import decode

        stored = self._read(lambda reading: queries.images(reading, self._scope(), numbers))
        return {number: decode(image, self._keys(), number) for number, image in stored.items()}


class StateReader(StateView):
    """A state, open for reading. Use `open`, and close it (it is a context manager)."""

    def __init__(
        self, place: Place, version: str, source: Source, snapshot: Snapshot, keyring: Keyring, cleanup: ExitStack
    ) -> None:
        self.version = version
        self._at = place
        self._source = source
        self._taken = snapshot
        self._keyring = keyring
        self._cleanup = cleanup

    @staticmethod
    def open(url: str) -> StateReader | None:
        """Open the state at an SQLAlchemy URL; None when there is none yet.

        Raises StoreError that names the next step for a state that is damaged, busy, or of a schema
        that this version cannot read.
        """
        place = Place.parse(url)
        if place.absent():
            return None
        from . import queries, versions

        with ExitStack() as cleanup:
            source = open_source(place, cleanup)
            with source.transaction() as reading:
                found = queries.version(reading)
                if found is None:
                    return None
                versions.check_readable(found, place.name)
                scope = queries.Scope(place.state_id, found)
                if place.path is None and not queries.exists(reading, scope):
                    return None
                taken = queries.snapshot(reading, scope)
                check_usable(place, taken.meta)
            keyring = find(key_file(place.path), taken.meta.key_id)
            return StateReader(place, found, source, taken, keyring, cleanup.pop_all())

    @property
    def lineage(self) -> str:
        """The UUID of this state, drawn when it was created."""
        return self._taken.meta.lineage

    @property
    def serial(self) -> int:
        """How many commits had changed resource rows when the state was opened."""
        return self._taken.meta.serial

    def close(self) -> None:
        """Close the connection."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _has_history(self) -> bool:
        from . import versions

        return self.version >= versions.WITH_HISTORY

    def _place(self) -> Place:
        return self._at

    def _keys(self) -> Keyring:
        return self._keyring

    def _snapshot(self) -> Snapshot:
        return self._taken

    def _scope(self) -> Scope:
        from .queries import Scope

        return Scope(self._at.state_id, self.version)

    def _read(self, query: Callable[[Reading], T]) -> T:
        with self._source.transaction() as reading:
            return query(reading)


def check_usable(place: Place, meta: Meta, moving_to: str = "") -> None:
    """Raise StoreError for a state that was moved to another database, or is another one of the same id."""
    if meta.moved_to not in ("", moving_to):
        raise StoreError(
            f"cannot use the state {place.name}: it was moved to {meta.moved_to}; set `state:` or HACORE_STATE to that"
        )
    if place.path is None and meta.name != place.state:
        raise StoreError(f"cannot use the state {place.name}: choose another name; {meta.name!r} has the same id")


def open_source(place: Place, cleanup: ExitStack) -> Source:
    """A connection for reading a state that exists; `cleanup` closes it."""
    if place.path is None:
        from .database import open_server

        server = open_server(place.name, place.url)
        cleanup.callback(server.close)
        return server
    from .recovery import open_settled

    return open_settled(place.name, place.path, cleanup)
