"""Limits of one exec: the most that a host can cost that hangs, or prints without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import FloodError

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one exec: `seconds` until its end (None: no limit), bytes of each stream."""

    seconds: float | None = 600.0
    stdout: int = 64 * MIB
    stderr: int = 4 * MIB


class Intake:
    """The output of an exec, within its limits.

    `end` is the last line of complete output, where it is known: after it the exec is over, even if a process
    on the host keeps the stream open (one in an uninterruptible wait can do so without end).
    """

    def __init__(self, label: str, limits: Limits, on_output: Callable[[bytes], None], end: bytes = b"") -> None:
        self.ended = asyncio.Event()
        self.torn = False  # the rest is not wanted: the exec is to be stopped
        self._label = label
        self._limits = limits
        self._on_output = on_output
        self._end = end
        self._tail = b""
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        self._sizes = {"stdout": 0, "stderr": 0}

    def out(self, chunk: bytes) -> None:
        """Take in bytes of stdout. Raises FloodError."""
        self._count("stdout", len(chunk), self._limits.stdout)
        self._out.append(chunk)
        self._on_output(chunk)
        if self._end:
            recent = self._tail + chunk
            if recent.endswith(self._end):
                self.ended.set()
            self._tail = recent[-len(self._end) :]

    def err(self, chunk: bytes) -> None:
        """Take in bytes of stderr. Raises FloodError."""
        self._count("stderr", len(chunk), self._limits.stderr)
        self._err.append(chunk)

    def _count(self, stream: str, size: int, limit: int) -> None:
        self._sizes[stream] += size
        if self._sizes[stream] > limit:
            self.torn = True
            self._out.clear()
            self._err.clear()
            raise FloodError(f"cannot read the output of {self._label}: more than {limit} bytes on {stream}")

    @property
    def stdout(self) -> bytes:
        """All of stdout so far."""
        return b"".join(self._out)

    @property
    def stderr(self) -> bytes:
        """All of stderr so far."""
        return b"".join(self._err)


LINGER = 2.0
"""Seconds for an exec to close after its output is complete."""


async def until_closed(closed: asyncio.Future[Any], intake: Intake) -> bool:
    """Wait for the end of an exec; False when its output is complete but it does not close."""
    if not intake.ended.is_set() and not closed.done():
        ended: asyncio.Future[Any] = asyncio.ensure_future(intake.ended.wait())
        try:
            await asyncio.wait({closed, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
    if not closed.done():
        await asyncio.wait({closed}, timeout=LINGER)
    return closed.done()


__all__ = ["LINGER", "MIB", "Intake", "Limits", "until_closed"]
