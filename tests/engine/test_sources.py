"""Downloads: bounded while they are read, hashed on the way, kept whole or not at all."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hacore.contract import Source
from hacore.engine import sources
from hacore.engine.sources import SourceError, cache_folder, fetch

TEXT = b"tarball" * 1000
GOOD = hashlib.sha256(TEXT).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/known":
            self.send_header("Content-Length", str(len(TEXT)))
        if self.path == "/cut":
            self.send_header("Content-Length", str(len(TEXT) + 10))
        self.end_headers()
        try:
            self.wfile.write(TEXT)
            while self.path == "/endless":
                self.wfile.write(TEXT)
        except OSError:
            return

    def log_message(self, *_given: object) -> None:
        return


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def got(url: str) -> bytes:
    """A source's bytes, read from where it was fetched to."""
    fetched = await fetch(Source(url, GOOD))
    data = fetched.path.read_bytes()
    assert fetched.size == len(data)
    return data


def kept() -> list[str]:
    return sorted(p.name for p in cache_folder().iterdir()) if cache_folder().is_dir() else []


@pytest.mark.parametrize("path", ["known", "unknown"])
async def test_what_is_as_it_should_be_is_kept(site: str, path: str) -> None:
    assert await got(f"{site}/{path}") == TEXT
    assert kept() == [GOOD]
    assert await got("http://127.0.0.1:1/gone") == TEXT  # from the cache


@pytest.mark.parametrize(
    ("path", "why"),
    [("endless", "it is longer than 100000 bytes"), ("cut", "its sha256 is|IncompleteRead"), ("known", "sha256")],
)
async def test_what_is_not_is_refused_and_leaves_nothing(
    site: str, path: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LIMIT", 100_000)
    monkeypatch.setattr(sources, "CHUNK", 10_000)
    with pytest.raises(SourceError, match=why):
        await fetch(Source(f"{site}/{path}", "0" * 64))
    assert kept() == []


async def test_a_file_of_this_machine_is_bounded_too(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LIMIT", 100)
    (tmp_path / "big").write_bytes(TEXT)
    with pytest.raises(SourceError, match="longer than 100 bytes"):
        await fetch(Source(f"file://{tmp_path}/big", GOOD))
    os.mkfifo(tmp_path / "pipe")
    for odd in ("/dev/zero", tmp_path / "pipe", tmp_path):
        with pytest.raises(SourceError, match=r"not a regular file|Is a directory"):
            await fetch(Source(f"file://{odd}", GOOD))


async def test_a_cache_that_cannot_be_written_is_no_fault(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert await got(f"{site}/known") == TEXT


async def test_a_server_that_sends_a_little_now_and_then_is_given_up(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SECONDS", 0.0)
    with pytest.raises(SourceError, match=r"it took longer than 0s, \d+ bytes came"):
        await fetch(Source(f"{site}/endless", GOOD))
    assert kept() == []
