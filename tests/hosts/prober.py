"""New connections at a fixed rate from inside a lab's network, and which of them got no whole answer in time."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType

from hacore.lab import Lab

WITHIN = 0.9
"""Seconds for the whole answer: below the kernel's first repetition of a SYN."""

_CODE = """
import json, socket, sys, threading, time
from urllib.parse import urlsplit
url, rate, within = urlsplit(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
request = f"GET {url.path or '/'} HTTP/1.0\\r\\nHost: {url.hostname}\\r\\n\\r\\n".encode()
lost, sent, lock = [], 0, threading.Lock()
def one(at):
    try:
        with socket.create_connection((url.hostname, url.port or 80), timeout=within) as line:
            line.sendall(request)
            answer, end = b"", time.monotonic() + within
            while True:
                line.settimeout(max(0.001, end - time.monotonic()))
                part = line.recv(65536)
                if not part: break
                answer += part
        why = "" if answer.startswith(b"HTTP/1.1 200") and b"\\r\\n\\r\\n" in answer else f"answer {answer[:40]!r}"
    except OSError as error:
        why = str(error) or type(error).__name__
    if why:
        with lock: lost.append([at, why])
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
begin, threads = time.monotonic(), []
print("up", flush=True)
while not stop.wait(max(0, begin + sent / rate - time.monotonic())):
    thread = threading.Thread(target=one, args=(time.time(),)); thread.start(); threads.append(thread); sent += 1
for thread in threads: thread.join()
print(json.dumps({"sent": sent, "lost": lost}))
"""


class Prober:
    """Asks as long as the `with` block lasts; `sent` and `lost` (time, reason) are set after it."""

    sent: int
    lost: list[tuple[float, str]]

    def __init__(self, lab: Lab, url: str, rate: float = 100.0) -> None:
        self._argv = lab.command([sys.executable, "-c", _CODE, url, str(rate), str(WITHIN)])

    def __enter__(self) -> Prober:
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        said, _ = self._process.communicate(timeout=30)
        found = json.loads(said)
        self.sent, self.lost = found["sent"], [tuple(one) for one in found["lost"]]
