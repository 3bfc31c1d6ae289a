"""Bulk that a step needs: fetched by the controller, verified, and kept in a cache by its SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..contract import Source
from ..errors import HacoreError
from ..load.files import cache_folder as downloads


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
    if kept.is_file():
        data = kept.read_bytes()
        if hashlib.sha256(data).hexdigest() == source.sha256:
            return data
    data = _get(source.url)
    actual = hashlib.sha256(data).hexdigest()
    if actual != source.sha256:
        raise SourceError(f"cannot use {source.url}: its sha256 is {actual}, not {source.sha256}")
    if not source.url.startswith("file:"):
        _keep(kept, data)
    return data


def _get(url: str) -> bytes:
    parts = urlsplit(url)
    try:
        if parts.scheme == "file":
            return Path(unquote(parts.path)).read_bytes()
        if parts.scheme not in ("http", "https"):
            raise SourceError(f"cannot fetch {url}: only http, https and file are known")
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - the scheme is checked above
            return bytes(answer.read())
    except OSError as error:
        raise SourceError(f"cannot fetch {url}: {getattr(error, 'reason', None) or error}") from error


def _keep(path: Path, data: bytes) -> None:
    """Into the cache whole or not at all; a cache that cannot be written is no fault."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            part.write(data)
        Path(part.name).replace(path)
    except OSError:
        return
