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


# -- open connections

KEPT = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
LAST = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n")


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answered(line: socket.socket, answer: bytes) -> None:
    """Answer the next request, of which the first one was read."""
    line.sendall(answer)
    line.recv(4096)


def held(url: str, until: threading.Event, monkeypatch: pytest.MonkeyPatch, parts: int = 1) -> list[str]:
    """Why connections were cut until the server had what it waits for, and one pause more."""
    monkeypatch.setattr(prober, "PAUSE", 0.01)
    stop, cuts = threading.Event(), list[str]()
    thread = threading.Thread(target=prober.hold, args=(url, stop, cuts.append, "", parts))
    thread.start()
    assert until.wait(30)
    stop.set()
    thread.join(30)
    return cuts


@pytest.mark.parametrize("parts", [1, 4])
def test_an_open_connection_that_ends_before_its_answer_is_cut(
    server: Callable[[Callable[[socket.socket], None]], str], monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    lines: list[socket.socket] = []
    again = threading.Event()

    def serve(line: socket.socket) -> None:
        lines.append(line)
        if len(lines) > 1:  # it opens a new one after the cut
            again.set()
            line.recv(4096)
        elif parts == 1:
            answered(line, KEPT)
            answered(line, KEPT)
            reset(line)
        else:
            reset(line)  # with the request half sent

    cuts = held(server(serve), again, monkeypatch, parts)
    assert cuts[:1] and ("reset" in cuts[0] or "Broken pipe" in cuts[0])


@pytest.mark.parametrize(
    "answer",
    [
        LAST,  # announced
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",  # an answer nevertheless
    ],
)
def test_a_connection_that_ends_in_order_is_not_cut(
    server: Callable[[Callable[[socket.socket], None]], str], monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    served: list[bytes] = []
    enough = threading.Event()

    def serve(line: socket.socket) -> None:
        line.sendall(answer)
        served.append(answer)
        if len(served) == 3:
            enough.set()

    assert held(server(serve), enough, monkeypatch) == []


def test_an_end_in_order_is_seen_before_the_next_request() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert not prober._has_ended(here)
        there.close()
        assert prober._has_ended(here)


def test_without_a_server_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    stop, cuts = threading.Event(), list[str]()
    thread = threading.Thread(target=prober.hold, args=(f"http://127.0.0.1:{port}/", stop, cuts.append))
    monkeypatch.setattr(prober, "PAUSE", 0.01)
    thread.start()
    stop.wait(0.3)
    stop.set()
    thread.join(30)
    assert cuts == []


def test_the_process_reports_a_cut_only_where_it_is_asked_for(
    server: Callable[[Callable[[socket.socket], None]], str],
) -> None:
    url = server(reset)
    argv = [sys.executable, "-I", str(Path(prober.__file__)), "--open", url, "200", "5"]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdin is not None
    words: set[str] = set()
    while words != {"idle", "busy"}:
        line = json.loads(child.stdout.readline())
        if line[0] == "cut":
            words.add(line[2])
    child.communicate(timeout=30)
    assert child.returncode == 0
