"""The writer's thread: it owns the one connection, and commits what queued up in one transaction.

While a transaction is on its way to the disk, more requests queue up; they all go into the next
one. A request that fails takes its whole transaction along, and every later one fails at once with
the same error: nothing is written after a failed write, so that the state never gets holes.
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
    """What the thread owns: opened, used and closed there."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One checked transaction; it is committed when the block ends well."""
        ...

    def committed(self, work: Transaction) -> None:
        """Called after a transaction got to the disk."""
        ...

    def close(self, unlock: bool) -> None:
        """Give the lock back, if `unlock`, and close the connection."""
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
    """A thread around a Session; `broken` is the error that ended its work, None while all is well."""

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
        """Run a function in the next transaction; its result comes when that is on disk.

        A caller that is cancelled while it waits does not take its request back.
        """
        if self.broken is not None:
            raise copy(self.broken)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Request(run, loop, future))
        return cast(T, await future)

    async def close(self, unlock: bool) -> None:
        """Do what is queued, then end the thread."""
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
        """Wait for a request, then take all that queued up behind it."""
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
    """Do a batch in one transaction; what came of each request.

    When the connection is lost before the commit was asked for, nothing was done, and all of it is done
    again on a new one, once: lock and serial are checked there. Whether a commit that was asked for got
    to the disk is not known; that is for a new run to find out.
    """
    results: list[Any] | None = None
    try:
        with session.transaction() as work:
            results = [request.run(work) for request in batch]
    except DisconnectedError:
        if results is not None:
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

    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(settle)
