"""A check that fails has a reason: against real servers that answer badly or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hacore.contract import Check
from hacore.walk.health import ask


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The URL of a server that sends `answer` to its one client and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nfine", ""),
        (b"HTTP/1.0 200 OK\r\n\r\nother", "the answer does not contain 'fine'"),
        (b"HTTP/1.0 503 Busy\r\n\r\nfine", "status 503, not 200"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no valid HTTP answer (BadStatusLine)"),
        (b"\r\n", "no valid HTTP answer (BadStatusLine)"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nfine", ""),
        (b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "no valid HTTP answer (IncompleteRead)"),
    ],
)
def test_a_bad_answer_fails_with_a_reason(answer: bytes, reason: str) -> None:
    with answering(answer) as url:
        assert ask(Check(url, 200, "fine", 5.0)) == reason


def test_no_server_and_no_answer_have_reasons() -> None:
    with answering(b"") as url:
        assert "without response" in ask(Check(url, 200, "", 5.0))
    assert "refused" in ask(Check(url, 200, "", 5.0))


def test_an_error_without_words_is_named_by_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty reason would mean that the check passed."""

    class Opener:
        def open(self, *_: object, **__: object) -> object:
            raise OSError

    monkeypatch.setattr("urllib.request.build_opener", lambda *_: Opener())
    assert ask(Check("http://127.0.0.1/", 200, "", 5.0)) == "no answer (OSError)"
