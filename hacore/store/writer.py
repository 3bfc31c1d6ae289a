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
    from .queries import Snapshot
    from .session import WriterSession
    from .source import Reading, Source
    from .transaction import Transaction

T = TypeVar("T")
_INLINE = 64 * 1024  # bytes of image that are compressed on the event loop; more goes to a thread


class StateWriter(StateView):
    """A state, locked and open for writing. Use `open`; close it, or use `async with`.

    Reading methods are synchronous and see this writer's commits. Once a commit has failed, every
    later one fails with the same error, `broken`: the caller starts nothing more.
    """

    def __init__(self, worker: Worker, session: WriterSession, source: Source, cleanup: ExitStack) -> None:
        self._worker = worker
        self._session = session
        self._source = source
        self._cleanup = cleanup

    @classmethod
    async def open(cls, url: str, *, who: str, what: str, break_lock: bool = False, new_key: bool = False) -> Self:
        """Open the state at an SQLAlchemy URL, made and upgraded if need be, and take its lock.

        `who` and `what` are told to whoever finds the lock. A holder that is surely dead is
        replaced (see `broke`); `break_lock` replaces a live one, which then fails at its next
        commit. `new_key` gives a state whose key is lost another one: what the old one encrypted
        stays unreadable, and what is sensitive looks changed once. Raises LockedError that names a
        live holder; StoreError.
        """
        place = Place.parse(url)
        worker = Worker()
        sessions: list[WriterSession] = []

        def begin() -> WriterSession:
            from .session import open_session

            sessions.append(open_session(place, who=who, what=what, break_lock=break_lock, new_key=new_key))
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

        Raises StoreError, SerialError (somebody else wrote the state) or LockedError (the lock was
        taken away), and nothing was written; TypeError or ValueError for what is not JSON and for
        tokens that `images` lacks. A caller that is cancelled while it waits does not take its moves back.
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

    async def put_image(self, image: Image) -> int:
        """Store an image by itself; its id."""
        return (await self.commit(images={"": image})).image_ids[""]

    async def new_run(self, run: RunRecord, tasks: Sequence[TaskRecord]) -> int:
        """Store a new run and its tasks (their `run` is set) in one transaction; the run's id."""
        from . import effects

        return await self._worker.call(lambda transaction: effects.new_run(run, list(tasks), transaction))

    async def prune(self, keep: int) -> int:
        """Forget all finished runs but the newest `keep`, with the images only they need; how many went.

        Not while a run is on its way: its images may not be tied to a task yet.
        """
        from .prune import prune

        return await self._worker.call(lambda transaction: prune(transaction, keep))

    async def back_up(self) -> str:
        """Copy an SQLite state to `<state>.backup-serial-<serial>`; its path. Empty for a state on a server.

        The copy is held by nobody. Raises StoreError.
        """
        path = self._session.place.path
        if path is None:
            return ""
        from .schema import copy_file

        return str(await asyncio.to_thread(copy_file, path, f"serial-{self.serial}"))

    def spill(self, *moves: Move, images: Mapping[str, Image] | None = None) -> Path:
        """Keep in a file what cannot be committed any more, for `spilled`; the file. Raises StoreError."""
        from . import spill

        stored = {token: encode(image, self._session.keyring) for token, image in (images or {}).items()}
        places = spill.places(self._session.place.path, self.lineage)
        return spill.write(places, self.lineage, self.serial, moves, stored)

    def forget_spilled(self) -> None:
        """Delete what was spilled, once it is committed or of no use. Raises StoreError."""
        from . import spill

        spill.forget(spill.places(self._session.place.path, self.lineage))

    async def close(self, unlock: bool = True) -> None:
        """Finish what is queued, give the lock back if it is still ours, and close."""
        try:
            await self._worker.close(unlock)
        finally:
            self._cleanup.close()

    @property
    def broken(self) -> Exception | None:
        """The error of the commit that failed; None while all is well."""
        return self._worker.broken

    @property
    def broke(self) -> LockInfo | None:
        """Whose lock was broken to open this."""
        return self._session.broke

    @property
    def upgraded(self) -> str:
        """Where the copy is that was made before the schema was upgraded; empty when it was not."""
        return self._session.backup

    @property
    def held(self) -> LockInfo:
        """The lock that this writer holds."""
        return self._session.lock

    @property
    def lineage(self) -> str:
        """The UUID that this state was given at its birth."""
        return self._session.lineage

    @property
    def serial(self) -> int:
        """How many commits have changed resource rows so far."""
        return self._session.serial

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _encoded(self, images: Mapping[str, Image]) -> dict[str, StoredImage]:
        """Compress and encrypt, away from the event loop when it is much."""

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

        return self._read(queries.snapshot)

    def _read(self, query: Callable[[Reading], T]) -> T:
        with self._source.transaction() as reading:
            return query(reading)
