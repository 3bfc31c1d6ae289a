"""Large files that a step needs: fetched by the controller, verified, and cached by their SHA-256."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote, urlsplit

from ..contract import Source
from ..errors import HacoreError
from ..load.files import cache_folder as downloads

LIMIT = 1 << 30
"""The largest source that is accepted, in bytes."""

CHUNK = 1 << 20


class SourceError(HacoreError):
    """A source cannot be fetched, or does not match its SHA-256."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The cache of sources, which `load` reads, too."""
    return downloads(environ) / "sources"


async def fetch(source: Source) -> bytes:
    """The bytes of a source, from the cache if possible. Raises SourceError."""
    return await asyncio.to_thread(_fetch, source, cache_folder())


def _fetch(source: Source, folder: Path) -> bytes:
    kept = folder / source.sha256
    if kept.is_file() and kept.stat().st_size <= LIMIT:
        data = kept.read_bytes()
        if hashlib.sha256(data).hexdigest() == source.sha256:
            return data
    with _scratch(folder) as part:
        actual = _copy(source.url, part)
        if actual != source.sha256:
            raise SourceError(
                f"cannot use {source.url}: its sha256 is {actual}, not {source.sha256}; "
                "check the origin of the file before you change the sha256 in the stack"
            )
        part.seek(0)
        data = part.read()
        if not source.url.startswith("file:") and isinstance(part.name, str):
            _keep(Path(part.name), kept)
    return data


def _copy(url: str, part: IO[bytes]) -> str:
    """Copy a source into a file, at most its announced length and LIMIT; gives its sha256."""
    digest, size = hashlib.sha256(), 0
    try:
        with _open(url) as answer:
            length = getattr(answer, "length", None)
            most = LIMIT if length is None else min(LIMIT, length)
            while chunk := answer.read(CHUNK):
                size += len(chunk)
                if size > most:
                    raise SourceError(f"cannot fetch {url}: it is longer than {most} bytes")
                digest.update(chunk)
                part.write(chunk)
        part.flush()
    except (OSError, HTTPException) as error:
        raise SourceError(f"cannot fetch {url}: {getattr(error, 'reason', None) or error}") from error
    return digest.hexdigest()


def _open(url: str) -> IO[bytes]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).open("rb")
    if parts.scheme not in ("http", "https"):
        raise SourceError(f"cannot fetch {url}: only http, https and file URLs are supported")
    return cast("IO[bytes]", urllib.request.urlopen(url, timeout=60))  # noqa: S310 - the scheme is checked above


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[IO[bytes]]:
    """A temporary file in the cache, removed afterwards unless kept; without a name if the cache is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part: IO[bytes] = tempfile.NamedTemporaryFile(dir=folder, delete=False)  # noqa: SIM115 - closed below
    except OSError:
        part = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    try:
        yield part
    finally:
        part.close()
        if isinstance(part.name, str):
            Path(part.name).unlink(missing_ok=True)


def _keep(part: Path, kept: Path) -> None:
    """Move a file into the cache; a cache that is not writable is not an error."""
    with contextlib.suppress(OSError):
        part.replace(kept)
