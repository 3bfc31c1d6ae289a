"""Steps: what runs on a host, as data; health checks and guards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model import Disrupts
from .views import View


@dataclass(frozen=True, slots=True)
class Output:
    """What a step printed. `stdout` and `stderr` are bytes; `rc` is its exit code (124: deadline)."""

    rc: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.stdout.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Source:
    """Bulk that the controller gets, verifies, caches and streams.

    `url` is http(s) or file, `sha256` is in hex.
    """

    url: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Step:
    """A script that a task runs, as data. See the module's text for where it runs.

    `deadline` is in seconds and is enforced on the host. Every step outlives a connection that is
    lost. A `detached` one, of `prepare`, is long: if its controller ends too, whoever goes on with
    the run takes it over where it is, and begins no second one.
    `parse` is pure; what a capture's parse returns must be a mapping of Address to Image. `tries`
    and `pause` (seconds) repeat a step that exits 75 (EX_TEMPFAIL: "not yet").
    """

    script: str
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)  # like blobs, by name in $HACORE_WORK
    what: str = ""  # shown while it runs: "building nginx 1.22.1"
    deadline: float = 120.0
    detached: bool = False
    disrupts: Disrupts = "none"
    tries: int = 1
    pause: float = 0.5
    parse: Callable[[Output], Any] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """An HTTP question about health: GET `http`, expect `status` (and `body` in the answer)."""

    http: str
    status: int = 200
    body: str = ""
    timeout: float = 3.0


@dataclass(frozen=True, slots=True)
class Guard:
    """How to take a host out of service before something there restarts, and back.

    `drain` asks it to let go; it is out of service once `clear(view after a re-probe)` is true.
    `group` names what is guarded: never are two hosts of one group out of service at once.
    """

    group: str
    drain: Step
    undrain: Step
    clear: Callable[[View[Any]], bool]
    patience: float = 30.0  # seconds until a host that does not let go fails the block
