"""Steps: what runs on a host, as data; health checks and guards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model import Disrupts
from .views import View


@dataclass(frozen=True, slots=True)
class Output:
    """The output of a step. `stdout` and `stderr` are bytes; `rc` is its exit code (124: deadline)."""

    rc: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.stdout.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Source:
    """Bulk data that the controller downloads, verifies, caches and uploads, without reading it into memory.

    `url` is http(s) or file, `sha256` is in hex. `size` is in bytes, 0 if it is not known yet.
    """

    url: str
    sha256: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A script that a task runs, as data. The package's docstring describes its environment.

    `deadline` is in seconds and is enforced on the host. Every step survives a lost connection. A
    `detached` step is long: if its controller ends as well, the resumed run waits for the same
    process and does not start a second one.
    `parse` is pure; what a capture's parse returns must be a mapping of Address to Image. `tries`
    and `pause` (seconds) repeat a step that exits 75 (EX_TEMPFAIL: "not yet").
    """

    script: str
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)  # as blobs, by name: a link in $HACORE_WORK to the file
    what: str = ""  # shown while it runs: "building nginx 1.22.1"
    deadline: float = 120.0
    detached: bool = False
    disrupts: Disrupts = "none"
    tries: int = 1
    pause: float = 0.5
    parse: Callable[[Output], Any] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A health check over HTTP: GET `http`, expect `status`, and `body` in the answer. No redirect is followed.

    `host`: the name to ask for in place of the URL's own (Host of RFC 9110, section 7.2, and SNI of RFC 6066), where
    the URL has an address. `insecure`: the certificate is not verified.
    """

    http: str
    status: int = 200
    body: str = ""
    timeout: float = 3.0
    host: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """How to drain a host before a service on it restarts, and to undrain it.

    `drain` takes the host out of service; it is drained once `clear(view after a new probe)` is true.
    `group` names the guarded service: only one host of a group is drained at a time. `held`: an operator keeps the host
    drained (`Provider.maintenance`), so it takes nothing over from the others.
    """

    group: str
    drain: Step
    undrain: Step
    clear: Callable[[View[Any]], bool]
    patience: float = 30.0  # seconds for a host to drain, else the block fails
    held: bool = False
