"""A headless Chromium over the pipe of its DevTools protocol: opens pages, and keeps what they report and request."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-pipe"
)


class Browser:
    """One tab. `problems` and `requests` are those since the last `open`."""

    def __init__(self, profile: Path) -> None:
        here_read, there_write = os.pipe()
        there_read, here_write = os.pipe()
        # Chromium reads from 3 and writes to 4; dash has no descriptors above 9
        line = f'exec chromium {FLAGS} --user-data-dir="$1" about:blank 3<&{there_read} 4>&{there_write}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, "bash", str(profile)],
            pass_fds=(there_read, there_write),
            stderr=subprocess.DEVNULL,
        )
        os.close(there_read)
        os.close(there_write)
        self._in, self._out = os.fdopen(here_read, "rb"), os.fdopen(here_write, "wb", buffering=0)
        self._number, self._rest = 0, b""
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        self._session: str | None = None
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.close()  # Chromium ends with its pipe
        self._process.wait(30)
        self._in.close()

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol; its result. Events that arrive meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self.problems, self.requests, self._loaded = [], [], False
        self.call("Page.navigate", url=url)
        while not self._loaded:
            self._read()

    def value(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        done = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._in.fileno(), 1 << 16)
            assert more, "the browser has ended"
            self._rest += more
        raw, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        self._keep(message.get("method", ""), message.get("params", {}))
        return message

    def _keep(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.problems.append(json.dumps(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.problems.append(json.dumps(params["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
