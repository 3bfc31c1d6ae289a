"""Bulk that a step needs: fetched by the controller, verified, and kept in a cache by its SHA-256."""

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
"""Bytes of the longest source that is taken."""

CHUNK = 1 << 20


class SourceError(HacoreError):
    """A source cannot be had, or is not what its SHA-256 says."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where sources are kept: where `load` looks for them."""
    return downloads(environ) / "sources"


async def fetch(source: Source) -> bytes:
    """The bytes of a source; from the cache when they are there. Raises SourceError."""
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
            raise SourceError(f"cannot use {source.url}: its sha256 is {actual}, not {source.sha256}")
        part.seek(0)
        data = part.read()
        if not source.url.startswith("file:") and isinstance(part.name, str):
            _keep(Path(part.name), kept)
    return data


def _copy(url: str, part: IO[bytes]) -> str:
    """A source into a file, hashed on the way and no longer than its announced length and LIMIT; its sha256."""
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
        raise SourceError(f"cannot fetch {url}: only http, https and file are known")
    return cast("IO[bytes]", urllib.request.urlopen(url, timeout=60))  # noqa: S310 - the scheme is checked above


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[IO[bytes]]:
    """A file in the cache's folder, gone afterwards unless kept; where none can be written, one without a name."""
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
    """Into the cache whole or not at all; a cache that cannot be written is no fault."""
    with contextlib.suppress(OSError):
        part.replace(kept)
