"""Writing a state: the asyncio front of the one thread that does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from ..model import Image
from .images import StoredImage, encode
from .keys import Keyring
from .place import Place
from .reader import StateView, open_source
from .records import Committed, LockInfo, Move, RunRecord, TaskRecord
from .worker import Worker

if TYPE_CHECKING:
    from .queries import Scope, Snapshot
    from .session import WriterSession
    from .source import Reading, Source
    from .transaction import Transaction

T = TypeVar("T")
_INLINE = 64 * 1024  # bytes of image that are compressed on the event loop; larger ones in a thread


class StateWriter(StateView):
    """A state, locked and open for writing. Use `open`; close it, or use `async with`.

    Reading methods are synchronous and see this writer's commits. Once a commit has failed, every
    later one fails with the same error, `broken`: the caller must not start anything more.
    """

    def __init__(self, worker: Worker, session: WriterSession, source: Source, cleanup: ExitStack) -> None:
        self._worker = worker
        self._session = session
        self._source = source
        self._cleanup = cleanup

    @classmethod
    async def open(cls, url: str, *, who: str, what: str, new_key: bool = False) -> Self:
        """Open the state at an SQLAlchemy URL, create or upgrade it if necessary, and lock it.

        `who` and `what` describe the holder to other processes. The lock of a dead holder is broken (see
        `broke`). `new_key` gives a state that has lost its key a new one: data encrypted with the old key
        stays unreadable, and sensitive values show as changed once. Raises LockedError that names a running
        holder; StoreError.
        """
        place = Place.parse(url)
        worker = Worker()
        sessions: list[WriterSession] = []

        def begin() -> WriterSession:
            from .session import open_session

            sessions.append(open_session(place, who=who, what=what, new_key=new_key))
            return sessions[0]

        await worker.start(begin)
        with ExitStack() as cleanup:
            try:
                source = open_source(place, cleanup)
            except BaseException:
                await worker.close(unlock=True)
                raise
            return cls(worker, sessions[0], source, cleanup.pop_all())

    async def commit(self, *moves: Move, images: Mapping[str, Image] | None = None) -> Committed:
        """Store images and make moves, all in one transaction; on disk when this returns.

        Raises StoreError, SerialError (another process wrote the state) or LockedError (the lock was
        broken): nothing was written. TypeError or ValueError for values that are not JSON and for tokens
        that `images` lacks. The moves of a caller that is cancelled while it waits are made all the same.
        """
        from . import effects

        effects.check_tokens(moves, images or {})
        todo = [effects.prepare(move) for move in moves]
        stored = await self._encoded(images or {})

        def work(transaction: Transaction) -> tuple[dict[str, int], Transaction]:
            ids = effects.put_images(stored, transaction)
            for effect in todo:
                effect(transaction, ids)
            return ids, transaction

        ids, transaction = await self._worker.call(work)
        return Committed(transaction.serial_after, ids)

    async def new_run(self, run: RunRecord, tasks: Sequence[TaskRecord]) -> int:
        """Store a new run and its tasks (their `run` is set) in one transaction; the run's id."""
        from . import effects

        return await self._worker.call(lambda transaction: effects.new_run(run, list(tasks), transaction))

    async def prune(self, keep: int) -> int:
        """Forget all finished runs but the newest `keep`, with the images that only they need; their number.

        Not during a run: its images may not be linked to a task yet.
        """
        from .prune import prune

        return await self._worker.call(lambda transaction: prune(transaction, keep))

    async def back_up(self) -> str:
        """Copy an SQLite state to `<state>.backup-serial-<serial>`; its path. Empty for a state on a server.

        The copy is not locked. Raises StoreError.
        """
        path = self._session.place.path
        if path is None:
            return ""
        from .schema import copy_file

        return str(await asyncio.to_thread(copy_file, path, f"serial-{self.serial}"))

    def spill(self, *moves: Move, images: Mapping[str, Image] | None = None) -> Path:
        """Write to a file what can no longer be committed, for `spilled`; the file. Raises StoreError."""
        from . import spill

        stored = {token: encode(image, self._session.keyring) for token, image in (images or {}).items()}
        places = spill.places(self._session.place.path, self.lineage)
        return spill.write(places, self.lineage, self.serial, moves, stored)

    def forget_spilled(self) -> None:
        """Delete the spill files, once they are committed or of no use. Raises StoreError."""
        from . import spill

        spill.forget(spill.places(self._session.place.path, self.lineage))

    async def close(self, unlock: bool = True) -> None:
        """Finish the queued commits, unlock the state if this writer still holds the lock, and close."""
        try:
            await self._worker.close(unlock)
        finally:
            self._cleanup.close()

    @property
    def broken(self) -> Exception | None:
        """The error of the commit that failed; None if none did."""
        return self._worker.broken

    @property
    def broke(self) -> LockInfo | None:
        """The lock of a dead holder that was broken to open this state."""
        return self._session.broke

    @property
    def upgraded(self) -> str:
        """The copy that was made before the schema was upgraded; empty when it was not upgraded."""
        return self._session.backup

    @property
    def place_warning(self) -> str:
        """A warning about the place of the state, empty if there is none: locks on a network file system."""
        place = self._session.place
        network = place.network_file_system()
        if not network:
            return ""
        return (
            f"the state {place.name} is on a network file system ({network}), where file locks may fail: two runs "
            "at once could damage it; move it to a local disk, or to a PostgreSQL server"
        )

    @property
    def held(self) -> LockInfo:
        """The lock of this writer."""
        return self._session.lock

    @property
    def lineage(self) -> str:
        """The UUID of this state, drawn when it was created."""
        return self._session.lineage

    @property
    def serial(self) -> int:
        """How many commits have changed resource rows."""
        return self._session.serial

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _encoded(self, images: Mapping[str, Image]) -> dict[str, StoredImage]:
        """Compress and encrypt, in a thread when the images are large."""

        def work() -> dict[str, StoredImage]:
            return {token: encode(image, self._session.keyring) for token, image in images.items()}

        size = sum(len(content) for image in images.values() for content in image.blobs.values())
        return work() if size <= _INLINE else await asyncio.to_thread(work)

    def _place(self) -> Place:
        return self._session.place

    def _keys(self) -> Keyring:
        return self._session.keyring

    def _snapshot(self) -> Snapshot:
        from . import queries

        return self._read(lambda reading: queries.snapshot(reading, self._scope()))

    def _scope(self) -> Scope:
        from . import queries, versions

        return queries.Scope(self._session.place.state_id, versions.HEAD)

    def _read(self, query: Callable[[Reading], T]) -> T:
        with self._source.transaction() as reading:
            return query(reading)
