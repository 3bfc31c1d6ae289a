"""Canaries: how secrets that were planted in a stack are searched for in what a command leaves and prints."""

from __future__ import annotations

import base64
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

LETTERS = "bcdfghjkmnpqrstvwxz"  # no word of any message
FILTERS = ("", " | upper", " | reverse", " | replace('-', '_')", " | title", " | lower", " | trim")
SHORT = ("80", "true", "nginx", "root")
"""Secrets that stand everywhere: hidden at their own field, and nothing else is destroyed."""


def transforms(secret: str) -> set[str]:
    """What the filters of the drawn stacks make of a secret."""
    return {secret, secret.upper(), secret.lower(), secret[::-1], secret.replace("-", "_"), secret.title()}


def forms(canary: bytes) -> Iterator[bytes]:
    """A canary as it may stand in a file: as it is, in base64 at each offset, in hexadecimal, in a URL."""
    yield canary
    for skipped in range(3):  # base64 of a text that begins 0, 1 or 2 bytes before it, without the letters at the ends
        coded = base64.b64encode(b"\0" * skipped + canary)
        yield coded[4 if skipped else 0 : len(coded) - 4]
    yield canary.hex().encode()
    yield quote(canary.decode(), safe="").encode()


def found_in(place: str, data: bytes, canaries: Iterable[bytes]) -> Iterator[str]:
    """Where a canary is in some bytes, with what was found."""
    for canary in canaries:
        for form in dict.fromkeys(forms(canary)):
            if form in data:
                around = data[max(0, data.index(form) - 40) : data.index(form)]
                yield f"{place}: {form!r} after {around!r}"


def unpacked(data: bytes) -> Iterator[bytes]:
    """Bytes, and what they are decompressed, where they can be."""
    yield data
    for size in (zlib.MAX_WBITS, -zlib.MAX_WBITS, zlib.MAX_WBITS | 16):
        try:
            yield zlib.decompress(data, size)
        except zlib.error:
            continue


def state_bytes(path: Path) -> bytes:
    """The bytes of the state, and all its values, decompressed where they can be."""
    parts = [path.read_bytes()]
    with sqlite3.connect(path) as state:
        for (table,) in state.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in state.execute(f"select * from {table}"):
                for value in row:
                    data = value.encode() if isinstance(value, str) else value
                    if isinstance(data, bytes):
                        parts += unpacked(data)
    return b"\n".join(parts)


class Arguments:
    """Reads the arguments of all processes, again and again, while a command runs; those of containers as well.

    Also the environment of processes of other users than root: those users can read it.
    """

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.environments: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.is_set():
            for name in filter(str.isdigit, os.listdir("/proc")):
                process = Path("/proc", name)
                try:
                    self.seen.add((process / "cmdline").read_bytes())
                    if process.stat().st_uid:
                        self.environments.add((process / "environ").read_bytes())
                except OSError:
                    continue

    def leaks(self, canaries: Iterable[bytes]) -> Iterator[str]:
        """Where a canary is in one of them."""
        canaries = list(canaries)
        for line in self.seen:
            yield from found_in("arguments of a process", line, canaries)
        for line in self.environments:
            yield from found_in("the environment of a process of another user", line, canaries)

    def __enter__(self) -> Arguments:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
