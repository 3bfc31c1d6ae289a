"""The writer's thread: it owns the connection and commits all queued requests in one transaction.

While a transaction is written to the disk, more requests queue up; all of them become the next one. A request
that fails fails its whole transaction, and every later one fails at once with the same error: nothing is
written after a failed write, so the state has no gaps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from copy import copy
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from ..errors import DisconnectedError

if TYPE_CHECKING:
    from .transaction import Transaction

T = TypeVar("T")
_MOST = 256  # requests in one transaction


class Session(Protocol):
    """The session of the thread: opened, used and closed there."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One checked transaction; it is committed at the end of the block."""
        ...

    def committed(self, work: Transaction) -> None:
        """Called after a transaction is on the disk."""
        ...

    def close(self, unlock: bool) -> None:
        """Unlock the state, if `unlock`, and close the connection."""
        ...


@dataclass(frozen=True, slots=True)
class _Request:
    run: Callable[[Transaction], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Close:
    unlock: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Worker:
    """A thread around a Session; `broken` is the error that ended its work, None if there was none."""

    def __init__(self) -> None:
        self.broken: Exception | None = None
        self._queue: SimpleQueue[_Request | _Close] = SimpleQueue()
        self._thread: Thread | None = None

    async def start(self, open_session: Callable[[], Session]) -> None:
        """Open the session in the thread; raises what `open_session` raises."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()

        def main() -> None:
            try:
                session = open_session()
            except Exception as error:
                _resolve(loop, opened, error=error)
                return
            _resolve(loop, opened)
            self._serve(session)

        # a daemon: when the program ends without `close`, the state is as after kill -9, which is well defined
        self._thread = Thread(target=main, name="hacore-store", daemon=True)
        self._thread.start()
        await asyncio.shield(opened)

    async def call(self, run: Callable[[Transaction], T]) -> T:
        """Run a function in the next transaction; returns its result when that is on disk.

        The request of a caller that is cancelled while it waits is carried out all the same.
        """
        if self.broken is not None:
            raise copy(self.broken)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Request(run, loop, future))
        return cast(T, await future)

    async def close(self, unlock: bool) -> None:
        """Carry out the queued requests, then end the thread."""
        if self._thread is None:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._queue.put(_Close(unlock, loop, future))
        thread, self._thread = self._thread, None
        try:
            await asyncio.shield(future)
        finally:
            thread.join()

    def _serve(self, session: Session) -> None:
        while True:
            batch, close = self._next()
            if batch:
                self._commit(session, batch)
            if close is not None:
                try:
                    session.close(close.unlock)
                except Exception as error:
                    _resolve(close.loop, close.future, error=None if self.broken else error)
                else:
                    _resolve(close.loop, close.future)
                return

    def _next(self) -> tuple[list[_Request], _Close | None]:
        """Wait for a request, then take all that are queued after it."""
        batch: list[_Request] = []
        item = self._queue.get()
        while True:
            if isinstance(item, _Close):
                return batch, item
            batch.append(item)
            if len(batch) >= _MOST:
                return batch, None
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, None

    def _commit(self, session: Session, batch: list[_Request]) -> None:
        if self.broken is None:
            try:
                results = _done(session, batch)
            except Exception as error:
                self.broken = error
            else:
                for request, result in zip(batch, results, strict=True):
                    _resolve(request.loop, request.future, result)
                return
        for request in batch:
            _resolve(request.loop, request.future, error=self.broken)


def _done(session: Session, batch: Sequence[_Request]) -> list[Any]:
    """Carry out a batch in one transaction; the result of each request.

    When the connection is lost before the commit, nothing was written, and the batch is repeated once on a new
    connection, which checks lock and serial. Whether a commit that was sent reached the disk is not known; the
    next run finds out.
    """
    begun: list[Transaction] = []
    try:
        with session.transaction() as work:
            begun.append(work)
            results = [request.run(work) for request in batch]
    except DisconnectedError:
        if any(each.is_complete for each in begun):
            raise
        with session.transaction() as work:
            results = [request.run(work) for request in batch]
    session.committed(work)
    return results


def _resolve(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any = None, error: Exception | None = None
) -> None:
    def settle() -> None:
        if future.done():  # its caller was cancelled
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(copy(error))  # each caller raises one of its own

    with suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(settle)
