"""The prober against real sockets: what is lost, what is slow, and what is its own fault."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hacore.drill import prober
from tests.named import NAME, named

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Serves each connection by a function; gives the URL."""
    listeners: list[socket.socket] = []

    def start(serve: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(line,), daemon=True).start()

        def answer(line: socket.socket) -> None:
            with line:
                line.recv(4096)
                serve(line)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (WHOLE, 200, ""),
        (WHOLE, 204, "status 200"),
        (b"HTTP/1.0 200 OK\r\n\r\nno length", 200, ""),
        (b"HTTP/1.1 503 Busy\r\n\r\n", 200, "status 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200, "3 of 5 bytes"),
        (b"", 200, "the connection was closed"),
        (b"SSH-2.0-x\r\n", 200, "not an HTTP answer"),
        (WHOLE[:24], 200, "the head of the answer is not whole"),
        (b"HTTP/1.1 200 OK\r\n", 200, "the head of the answer is not whole"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, ""),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", 200, ""),
        (CHUNKED + b"A;name=value\r\nhellohello\r\n0\r\nDigest: x\r\n\r\n", 200, ""),
        (CHUNKED + b"5\r\nhel", 200, "3 of 5 bytes of a chunk"),
        (CHUNKED + b"5\r\nhello", 200, "5 of 5 bytes of a chunk"),
        (CHUNKED + b"5\r\nhello\r\n", 200, "the last chunk is missing"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", 200, "the last chunk is not whole"),
        (CHUNKED + b"0\r\nDigest: x\r\n", 200, "the last chunk is not whole"),
        (CHUNKED + b"hello\r\n", 200, "not a chunk"),
        (CHUNKED + b"2\r\nhello\r\n0\r\n\r\n", 200, "not a chunk"),
        (CHUNKED, 200, "the last chunk is missing"),
    ],
)
def test_only_a_whole_answer_counts(
    server: Callable[[Callable[[socket.socket], None]], str], answer: bytes, status: int, why: str
) -> None:
    assert prober.ask(server(lambda line: line.sendall(answer)), status, 0.9) == why


def test_a_slow_answer_is_lost(server: Callable[[Callable[[socket.socket], None]], str]) -> None:
    over = threading.Event()

    def slowly(line: socket.socket) -> None:
        line.sendall(WHOLE[:20])
        over.wait(60)

    assert "timed out" in prober.ask(server(slowly), 200, 0.2)
    over.set()


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (b"", True),
        (WHOLE[:24], True),
        (WHOLE[:-2], True),
        (CHUNKED + b"5\r\nhello\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\nno length", True),  # only an orderly end makes it whole
        (WHOLE, False),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", False),
    ],
)
def test_a_connection_that_is_cut_is_lost_unless_the_answer_was_whole(
    server: Callable[[Callable[[socket.socket], None]], str], answer: bytes, lost: bool
) -> None:
    def serve(line: socket.socket) -> None:
        line.sendall(answer)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset

    found = prober.ask(server(serve), 200, 5.0)
    assert ("reset" in found) if lost else not found


def test_a_closed_port_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "refused" in prober.ask(f"http://127.0.0.1:{port}/", 200, 0.9)


def test_a_name_based_host_is_asked_by_its_name_at_the_address(tmp_path: Path) -> None:
    with named(tmp_path) as site:
        assert prober.ask(f"{site.url}/", 200, 5.0, NAME) == ""
        assert prober.ask(f"{site.url}/", 200, 5.0) == "status 421"
        assert site.asked == [(NAME, NAME), (None, "127.0.0.1")]


def test_a_lack_of_sockets_is_the_probers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def lack(*_: object, **__: object) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(socket, "create_connection", lack)
    assert prober.ask("http://127.0.0.1/", 200, 0.9).startswith("local:")


def test_a_process_of_its_own_asks_at_its_rate_until_it_is_told_to_end(
    server: Callable[[Callable[[socket.socket], None]], str],
) -> None:
    up = threading.Event()
    up.set()

    def sometimes(line: socket.socket) -> None:
        if up.is_set():
            line.sendall(WHOLE)

    argv = [sys.executable, "-I", str(Path(prober.__file__)), server(sometimes), "200", "50"]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdin is not None
    assert json.loads(child.stdout.readline()) == "up"
    for _ in range(20):
        child.stdout.readline()
    up.clear()
    for _ in range(20):
        child.stdout.readline()
    up.set()
    rest, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert all(len(json.loads(line)) == 3 for line in rest.splitlines())
