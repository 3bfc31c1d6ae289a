"""Bounds of handshakes: their number at a time, and their duration."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """A bound on parallel handshakes with one sshd; it shrinks when the sshd drops a connection.

    sshd drops unauthenticated connections beyond MaxStartups (sshd_config(5); 10:30:100 by default),
    and one sshd may serve many hosts: behind a jump host or a port forward.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._changed = asyncio.Condition()

    @property
    def limit(self) -> int:
        """The current bound."""
        return self._limit

    @contextlib.asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Wait for a free place, and occupy it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._inside < self._limit)
            self._inside += 1
        try:
            yield
        finally:
            async with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def narrow(self) -> None:
        """Halve the bound after a dropped connection, to at least one."""
        self._limit = max(1, self._limit // 2)


class Budget:
    """Seconds for the work on one connection; waiting in a queue does not count."""

    def __init__(self, seconds: float) -> None:
        self.total = seconds
        self.left = seconds

    @contextlib.asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Charge the body to the budget; raises TimeoutError when it is used up."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(max(0.0, self.left)):
                yield
        finally:
            self.left -= clock() - began
