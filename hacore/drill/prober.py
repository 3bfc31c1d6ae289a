"""New connections to an address at a fixed rate, by a process of its own, and what became of each.

The program needs Python's standard library only. It writes a line of JSON for each request when it ends:

    [seconds since the begin, seconds until the whole answer, why it is lost or ""]

A request is lost if the whole answer did not come within WITHIN: below the kernel's first repetition of a SYN, so a
repeated connection does not count as served. Whole is defined by RFC 9112, section 8: the head, then all bytes of its
Content-Length or all of its chunks, else everything until an orderly end of the connection.

With `--open` it has two open connections beside them: on one the requests follow each other (`idle`), on the other one
a request is always on its way (`busy`). A line of JSON for each of them that ended before an answer that was due:

    ["cut", seconds since the begin, "idle" or "busy", why]

A request that could not be started in time, or not at all for lack of sockets, is the prober's own error (`late`,
`local`), and never counts as lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

WITHIN = 0.9
"""Seconds for the whole answer."""

LATE = 0.02
"""Seconds that a request may start too late, before it is the prober's own error."""

LOCAL = (24, 99, 105)
"""EMFILE, EADDRNOTAVAIL, ENOBUFS: of this machine, not of the address."""


PAUSE = 0.2
"""Seconds between two requests of the connection that stays open, and between two parts of a request on its way."""

PARTS = 10
"""Parts in which a request on its way is sent."""


def ask(url: str, status: int, within: float, name: str = "") -> str:
    """One request on a new connection, for `name` if it is given; why it is lost, empty if it was answered."""
    end = time.monotonic() + within
    try:
        with connected(url, within, name) as line:
            line.sendall(_request(url, name, "Connection: close\r\n"))
            answer, cut = _received(line, end)
    except OSError as error:
        return _words(error)
    return why(answer, status, cut)


@contextlib.contextmanager
def connected(url: str, within: float, name: str = "") -> Iterator[socket.socket]:
    """A new connection, with TLS where the URL has it. Raises OSError."""
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    line: socket.socket
    with socket.create_connection((host, parts.port or (443 if secure else 80)), timeout=within) as line:
        if secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            line = context.wrap_socket(line, server_hostname=name or host, suppress_ragged_eofs=False)
        with line:  # a connection with TLS is another one, and takes the first one over
            yield line


def _request(url: str, name: str, more: str = "") -> bytes:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    own = parts.netloc.rpartition("@")[2]
    if name:
        own = name if parts.port is None else f"{name}:{parts.port}"
    return f"GET {path} HTTP/1.1\r\nHost: {own}\r\n{more}\r\n".encode()


def hold(url: str, stop: threading.Event, cut: Callable[[str], None], name: str = "", parts: int = 1) -> None:
    """Keep a connection open until `stop` is set, and call `cut` with the reason when it ends before a due answer.

    Each request is sent in so many parts, with a pause after each. A connection that the server ends in order, after an
    answer or between two, is not cut. Where none can be opened nothing is cut either: new connections show that.
    """
    while not stop.wait(PAUSE):
        with contextlib.suppress(OSError), connected(url, WITHIN, name) as line:
            while not stop.is_set():
                try:
                    again = _exchange(line, _request(url, name), parts, stop)
                except OSError as error:
                    cut(_words(error))
                    break
                if not again or stop.wait(PAUSE) or _has_ended(line):
                    break


def _exchange(line: socket.socket, request: bytes, parts: int, stop: threading.Event) -> bool:
    """One request and its answer; whether another one may follow. Raises OSError if the connection ends before."""
    line.settimeout(WITHIN)
    size = max(1, len(request) // parts)
    for at in range(0, len(request), size):
        line.sendall(request[at : at + size])
        if parts > 1 and stop.wait(PAUSE):
            return False
    end, answer = time.monotonic() + WITHIN, b""
    while why(answer, _status(answer), "more"):
        line.settimeout(max(0.001, end - time.monotonic()))
        part = line.recv(65536)
        if not part:
            if missing := why(answer, _status(answer)):
                raise ConnectionError(missing)
            return False  # an answer without a length ends with its connection
        answer += part
    return not re.search(rb"(?im)^connection:[^\r\n]*close", answer.partition(b"\r\n\r\n")[0])


def _status(answer: bytes) -> int:
    """That of an answer: a connection with an error on it is not cut."""
    words = answer.split(None, 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 200


def _has_ended(line: socket.socket) -> bool:
    """Whether the server ended it in order while nothing was asked."""
    line.settimeout(0.001)
    try:
        return not line.recv(1)
    except TimeoutError:
        return False


def _received(line: socket.socket, end: float) -> tuple[bytes, str]:
    """All bytes until the end of the connection, and why that was no orderly one."""
    answer = b""
    while True:
        line.settimeout(max(0.001, end - time.monotonic()))
        try:
            part = line.recv(65536)
        except OSError as error:
            return answer, _words(error)
        if not part:
            return answer, ""
        answer += part


def _words(error: OSError) -> str:
    return f"local: {error}" if error.errno in LOCAL else str(error) or type(error).__name__


def why(answer: bytes, status: int, cut: str = "") -> str:
    """Why an answer is not a whole one with this status; empty if it is.

    `cut`: why the connection did not end in order. It does not matter to an answer that was whole before.
    """
    head, blank, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split()
    if cut and not blank:
        return cut
    if len(words) < 2 or not lines[0].startswith("HTTP/"):
        return "the connection was closed" if not answer else "not an HTTP answer"
    if not blank:
        return "the head of the answer is not whole"
    if words[1] != str(status):
        return f"status {words[1]}"
    if status in (204, 304):
        return ""  # they have no body
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if fields.get("transfer-encoding", "").lower().endswith("chunked"):
        missing = _missing_chunks(body)
        return missing and (cut or missing)
    if (length := fields.get("content-length", "")).isdecimal():
        return "" if len(body) >= int(length) else cut or f"{len(body)} of {int(length)} bytes"
    return cut


def _missing_chunks(body: bytes) -> str:
    """What a chunked body lacks, by RFC 9112, section 7.1; empty if it is whole."""
    at = 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = body[at:end].partition(b";")[0].strip()
        if not size or size.strip(b"0123456789abcdefABCDEF"):
            return "not a chunk"
        length, at = int(size, 16), end + 2
        if not length:
            ended = body.startswith(b"\r\n", at) or body.find(b"\r\n\r\n", at) >= 0
            return "" if ended else "the last chunk is not whole"
        if len(body) < at + length + 2:
            return f"{min(length, len(body) - at)} of {length} bytes of a chunk"
        if body[at + length : at + length + 2] != b"\r\n":
            return "not a chunk"
        at += length + 2
    return "the last chunk is missing"


def _out(value: object) -> None:
    """A line for the parent."""
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def _until_the_end_of_stdin(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def probe(
    url: str, status: int, rate: float, stop: threading.Event, name: str = "", *, also_open: bool = False
) -> None:
    """Ask until `stop` is set; a thread for each request, since one that hangs must not delay the next."""
    begin, sent = time.monotonic(), 0
    threads: list[threading.Thread] = []
    lock = threading.Lock()

    def one(at: float) -> None:
        started = time.monotonic()
        lost = ask(url, status, WITHIN, name)
        with lock:
            _out([round(at, 3), round(time.monotonic() - started, 4), lost])

    def held(word: str, parts: int) -> None:
        def cut(reason: str) -> None:
            with lock:
                _out(["cut", round(time.monotonic() - begin, 3), word, reason])

        hold(url, stop, cut, name, parts)

    for word, parts in (("idle", 1), ("busy", PARTS)) if also_open else ():
        threading.Thread(target=held, args=(word, parts), daemon=True).start()
    while not stop.wait(max(0.0, begin + sent / rate - time.monotonic())):
        at = sent / rate
        if time.monotonic() - begin - at > LATE:
            with lock:
                _out([round(at, 3), 0.0, "late"])
        else:
            threads.append(threading.Thread(target=one, args=(at,), daemon=True))
            threads[-1].start()
        sent += 1
        threads = [thread for thread in threads if thread.is_alive()]
    for thread in threads:
        thread.join(2 * WITHIN)


def main() -> None:
    """`prober.py [--open] URL STATUS RATE [NAME]`: prints `up`, then a line for each request, until stdin ends."""
    with contextlib.suppress(OSError):  # root only: a busy machine must not delay it
        os.nice(-10)
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("status", type=int)
    parser.add_argument("rate", type=float)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--open", action="store_true")
    given = parser.parse_args()
    stop = threading.Event()
    threading.Thread(target=_until_the_end_of_stdin, args=(stop,), daemon=True).start()
    _out("up")
    probe(given.url, given.status, given.rate, stop, given.name, also_open=given.open)


if __name__ == "__main__":
    main()
