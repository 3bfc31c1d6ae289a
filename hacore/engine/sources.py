"""Large files that a step needs: fetched by the controller, verified, and cached by their SHA-256, on disk only."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import stat
import tempfile
import time
import urllib.request
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from ..contract import Source
from ..errors import HacoreError
from ..load.files import SOURCE_LIMIT as LIMIT
from ..load.files import cache_folder as downloads
from ..urls import file_of

CHUNK = 1 << 20

SILENCE = 60.0
"""Seconds without a byte after which a download fails."""

SECONDS = 1800.0
"""Seconds that a download may take."""


class SourceError(HacoreError):
    """A source cannot be fetched, or does not match its SHA-256."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The cache of sources, which `load` reads, too."""
    return downloads(environ) / "sources"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Fetched:
    """A source on this machine, verified: a file that is there at least as long as this object."""

    path: Path
    size: int


async def fetch(source: Source) -> Fetched:
    """A source as a file, from the cache if possible; its content is not read into memory. Raises SourceError.

    A `file:` URL is used where it is. The host verifies the hash of what arrives once more.
    """
    return await asyncio.to_thread(_fetch, source, cache_folder())


def _fetch(source: Source, folder: Path) -> Fetched:
    if source.url.startswith("file:"):
        return _local(source)
    kept = folder / source.sha256
    if kept.is_file() and kept.stat().st_size <= LIMIT and _digest(kept) == source.sha256:
        return Fetched(kept, kept.stat().st_size)
    return _download(source, kept)


def _download(source: Source, kept: Path) -> Fetched:
    """Download to a temporary file of the cache and rename it; a cache that is not writable is not an error."""
    part = _scratch(kept.parent)
    name = Path(part.name) if isinstance(part.name, str) else None
    try:
        actual, size = _copy(source.url, part)
        _match(source, actual)
        if name is not None:
            with contextlib.suppress(OSError):
                name.replace(kept)
                part.close()
                return Fetched(kept, size)
        return _held(part, size)
    except BaseException:
        part.close()
        raise
    finally:
        if name is not None:
            name.unlink(missing_ok=True)


def _held(part: IO[bytes], size: int) -> Fetched:
    """An open file without a name, closed with the last reference to the source."""
    fetched = Fetched(Path(f"/proc/self/fd/{part.fileno()}"), size)
    weakref.finalize(fetched, part.close)
    return fetched


def _local(source: Source) -> Fetched:
    """A file of this machine. Opening it does not block: a pipe without a writer would, for ever."""
    path = file_of(source.url)
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"cannot fetch {source.url}: it is not a regular file")
            if status.st_size > LIMIT:
                raise SourceError(f"cannot fetch {source.url}: it is longer than {LIMIT} bytes")
            _match(source, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise SourceError(f"cannot fetch {source.url}: {error.strerror}") from error
    return Fetched(path.absolute(), status.st_size)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _match(source: Source, actual: str) -> None:
    if actual != source.sha256:
        raise SourceError(
            f"cannot use {source.url}: its sha256 is {actual}, not {source.sha256}; "
            "check the origin of the file before you change the sha256 in the stack"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(url: str, part: IO[bytes]) -> tuple[str, int]:
    """Copy a source into a file, at most its announced length and LIMIT; its sha256 and size.

    A server that sends a little now and then is given up after SECONDS.
    """
    digest, size, until = hashlib.sha256(), 0, time.monotonic() + SECONDS
    try:
        with _open(url) as answer:
            length = getattr(answer, "length", None)
            most = LIMIT if length is None else min(LIMIT, length)
            while chunk := answer.read1(CHUNK):
                size += len(chunk)
                if size > most:
                    raise SourceError(f"cannot fetch {url}: it is longer than {most} bytes")
                if time.monotonic() > until:
                    raise SourceError(f"cannot fetch {url}: it took longer than {SECONDS:g}s, {size} bytes came")
                digest.update(chunk)
                part.write(chunk)
        part.flush()
    except (OSError, HTTPException) as error:
        raise SourceError(f"cannot fetch {url}: {getattr(error, 'reason', None) or error}") from error
    return digest.hexdigest(), size


def _open(url: str) -> HTTPResponse:
    if urlsplit(url).scheme not in ("http", "https"):
        raise SourceError(f"cannot fetch {url}: only http, https and file URLs are supported")
    return cast("HTTPResponse", urllib.request.urlopen(url, timeout=SILENCE))  # noqa: S310 - the scheme is checked above


def _scratch(folder: Path) -> IO[bytes]:
    """A temporary file in the cache; without a name, in the usual place, if the cache is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return cast("IO[bytes]", tempfile.NamedTemporaryFile(dir=folder, delete=False))
    except OSError:
        return tempfile.TemporaryFile()  # its caller closes it
