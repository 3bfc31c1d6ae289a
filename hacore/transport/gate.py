"""How many handshakes may be under way, and how long one may take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """A bound on parallel handshakes with one sshd that shrinks when the sshd turns somebody away.

    sshd drops unauthenticated connections beyond MaxStartups (sshd_config(5); 10:30:100 by default),
    and one sshd may be many of our hosts: behind a jump host or a port forward.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._changed = asyncio.Condition()

    @property
    def limit(self) -> int:
        """How many may be inside now."""
        return self._limit

    @contextlib.asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Wait for room, and take a place."""
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
        """Somebody was turned away: half as many from now on, at least one."""
        self._limit = max(1, self._limit // 2)


class Budget:
    """Seconds that may be spent working on one connection; waiting for one's turn is not counted."""

    def __init__(self, seconds: float) -> None:
        self.total = seconds
        self.left = seconds

    @contextlib.asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Work on the budget; raises TimeoutError when it runs out."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(max(0.0, self.left)):
                yield
        finally:
            self.left -= clock() - began
