"""A check that fails has a reason: against real servers that answer badly or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hacore.contract import Check
from hacore.walk.health import ask
from tests.named import NAME, named


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

    def fail(*_: object, **__: object) -> object:
        raise OSError

    monkeypatch.setattr("http.client.HTTPConnection.request", fail)
    assert ask(Check("http://127.0.0.1/", 200, "", 5.0)) == "no answer (OSError)"


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with named(tmp_path) as server:
        check = Check(f"{server.url}/old", host=NAME, insecure=True)
        assert ask(check) == f"status 301 to https://{NAME}/new, not 200"
        assert ask(replace(check, status=301)) == ""
        assert len(server.asked) == 2


def test_a_name_based_host_is_asked_by_its_name_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with named(tmp_path) as server:
        check = Check(f"{server.url}/", body="hello", host=NAME)
        assert ask(check) == "certificate not accepted: self-signed certificate"
        assert ask(replace(check, insecure=True)) == ""
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        assert ask(check) == ""
        assert ask(replace(check, host="")).startswith("certificate not accepted: IP address mismatch")
        assert ask(replace(check, host="", insecure=True)) == "status 421, not 200"
        assert set(server.asked) == {(NAME, NAME), (None, "127.0.0.1")}  # RFC 6066, section 3: no SNI for an address


def test_a_user_and_a_password_in_the_url_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                sent.append(client.recv(65536))
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert ask(Check(f"http://probe:p%40ss@127.0.0.1:{server.getsockname()[1]}/health?a=1")) == ""
        thread.join()
    head = sent[0].decode().split("\r\n")
    assert head[0] == "GET /health?a=1 HTTP/1.1"
    assert "Authorization: Basic cHJvYmU6cEBzcw==" in head
