"""Bulk data that follows a script on stdin: read in pieces, so that its size costs no memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import TransportError

PIECE = 1 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class Content:
    """One piece of bulk data: the first `size` bytes of the file `path`, or `data` without a path."""

    size: int
    path: Path | None = None
    data: bytes = b""

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Data that is in memory already."""
        return cls(len(data), None, data)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes, in order. Raises TransportError when the file is missing or shorter than it was."""
        if self.path is None:
            yield self.data
            return
        try:
            with closing(await asyncio.to_thread(self.path.open, "rb")) as file:
                left = self.size
                while left:
                    piece = await asyncio.to_thread(_read, file, min(PIECE, left))
                    if not piece:
                        raise TransportError(f"cannot send {self.path}: it became shorter while it was sent")
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise TransportError(f"cannot send {self.path}: {error.strerror}") from error


def _read(file: IO[bytes], most: int) -> bytes:
    return file.read(most)


@dataclass(frozen=True, slots=True)
class Payload:
    """All that follows a script, in order, without a separator: the script knows the sizes."""

    contents: Sequence[Content]

    @property
    def size(self) -> int:
        """The sum of all, in bytes."""
        return sum(content.size for content in self.contents)


__all__ = ["PIECE", "Content", "Payload"]
