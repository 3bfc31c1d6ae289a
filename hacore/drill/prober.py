"""New connections to an address at a fixed rate, by a process of its own, and what became of each.

The program needs Python's standard library only. It writes a line of JSON for each request when it ends:

    [seconds since the begin, seconds until the whole answer, why it is lost or ""]

A request is lost if the whole answer did not come within WITHIN: below the kernel's first repetition of a SYN, so a
repeated connection does not count as served. A request that could not be started in time, or not at all for lack of
sockets, is the prober's own error (`late`, `local`), and never counts as lost.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

WITHIN = 0.9
"""Seconds for the whole answer."""

LATE = 0.02
"""Seconds that a request may start too late, before it is the prober's own error."""

LOCAL = (24, 99, 105)
"""EMFILE, EADDRNOTAVAIL, ENOBUFS: of this machine, not of the address."""


def ask(url: str, status: int, within: float) -> str:
    """One request on a new connection; why it is lost, empty if it was answered."""
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    text = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nConnection: close\r\n\r\n"
    end = time.monotonic() + within
    try:
        line: socket.socket
        with socket.create_connection((host, parts.port or (443 if secure else 80)), timeout=within) as line:
            if secure:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                line = context.wrap_socket(line, server_hostname=host)
            line.sendall(text.encode())
            answer = b""
            while True:
                line.settimeout(max(0.001, end - time.monotonic()))
                part = line.recv(65536)
                if not part:
                    break
                answer += part
    except OSError as error:
        return f"local: {error}" if error.errno in LOCAL else str(error) or type(error).__name__
    return why(answer, status)


def why(answer: bytes, status: int) -> str:
    """Why an answer is not a whole one with this status; empty if it is."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split()
    if len(words) < 2 or not lines[0].startswith("HTTP/"):
        return "the connection was closed" if not answer else "not an HTTP answer"
    if words[1] != str(status):
        return f"status {words[1]}"
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length" and value.strip().isdecimal() and len(body) < int(value):
            return f"{len(body)} of {int(value)} bytes"
    return ""


def _out(value: object) -> None:
    """A line for the parent."""
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def _until_the_end_of_stdin(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def probe(url: str, status: int, rate: float, stop: threading.Event) -> None:
    """Ask until `stop` is set; a thread for each request, since one that hangs must not delay the next."""
    begin, sent = time.monotonic(), 0
    threads: list[threading.Thread] = []
    lock = threading.Lock()

    def one(at: float) -> None:
        started = time.monotonic()
        lost = ask(url, status, WITHIN)
        with lock:
            _out([round(at, 3), round(time.monotonic() - started, 4), lost])

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
    """`prober.py URL STATUS RATE`: prints `up`, then a line for each request, until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("status", type=int)
    parser.add_argument("rate", type=float)
    given = parser.parse_args()
    stop = threading.Event()
    threading.Thread(target=_until_the_end_of_stdin, args=(stop,), daemon=True).start()
    _out("up")
    probe(given.url, given.status, given.rate, stop)


if __name__ == "__main__":
    main()
