"""A host as the engine uses it: ask facts, run steps. The seam that in-memory hosts replace in tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..contract import Ask, Facts, Host, Output, Step
from ..errors import FencedError, ProbeError
from ..transport import Session
from .script import FENCED, frames, probe_script, read_probe, steps_script


@dataclass(frozen=True, slots=True)
class Frame:
    """What one task wants run on a host: steps in order, then facts asked again."""

    id: str
    steps: tuple[Step, ...]
    asks: tuple[Ask, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a frame: one Output per step that ran; `facts` when asks were given."""

    outputs: tuple[Output, ...]
    facts: Facts | None = None

    @property
    def failed(self) -> Output | None:
        """The output of the step that failed, if one did."""
        return next((o for o in self.outputs if o.rc != 0), None)


@dataclass(frozen=True, slots=True)
class Batch:
    """The results of one exec by frame id."""

    results: Mapping[str, Result] = field(default_factory=dict)


Started = Callable[[str, int], None]  # frame id, index of the step that has started


class HostLink(Protocol):
    """One host, connected."""

    @property
    def host(self) -> Host:
        """Which one."""
        ...

    async def facts(self, asks: Sequence[Ask]) -> Facts:
        """Ask; one exec. Raises UnreachableError, ProbeError."""
        ...

    async def steps(self, batch: Sequence[Frame], token: str, started: Started | None = None) -> Batch:
        """Run frames in one exec under the host's lock `token`. Raises FencedError, UnreachableError."""
        ...

    async def shell(self, script: str) -> Output:
        """Run a script of the engine's own (locks); without framing."""
        ...


class SessionLink:
    """A HostLink over a real session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def host(self) -> Host:
        """The host behind the session."""
        return self._session.host

    async def facts(self, asks: Sequence[Ask]) -> Facts:
        """One exec with the whole probe."""
        nonce = secrets.token_hex(8)
        output = await self._session.run(probe_script(asks, nonce))
        found = frames(output.stdout, nonce)
        self._complete(found, output)
        return read_probe(dict(found), asks)

    async def steps(self, batch: Sequence[Frame], token: str, started: Started | None = None) -> Batch:
        """One exec with all frames; `started` hears of each step as it begins."""
        nonce = secrets.token_hex(8)
        script = steps_script([(f.id, f.steps, f.asks) for f in batch], nonce, token)
        watch = _Watch(nonce, started) if started else None
        output = await self._session.run(script, on_output=watch.feed if watch else None)
        found = frames(output.stdout, nonce)
        if output.rc == FENCED and any(name.startswith("fenced ") for name, _ in found):
            raise FencedError(
                f"cannot go on at {self._at}: the host's lock is held by another run; nothing more was done there"
            )
        self._complete(found, output)
        contents = dict(found)
        return Batch({frame.id: _result(frame, contents) for frame in batch})

    async def shell(self, script: str) -> Output:
        """The engine's own small scripts."""
        return await self._session.run(script)

    @property
    def _at(self) -> str:
        return f"{self.host.name}@{self.host.address}"

    def _complete(self, found: Sequence[tuple[str, bytes]], output: Output) -> None:
        if not found or found[-1][0] != "end":
            tail = output.stderr.decode("utf-8", "replace").strip()[-500:]
            raise ProbeError(
                f"cannot read the answer of {self._at}: it ended early with exit code {output.rc}"
                + (f": {tail}" if tail else "")
            )


def _result(frame: Frame, contents: Mapping[str, bytes]) -> Result:
    outputs: list[Output] = []
    codes = {name.split()[-2]: int(name.split()[-1]) for name in contents if name.startswith(f"rc {frame.id} ")}
    for index in range(len(frame.steps)):
        code = codes.get(str(index))
        if code is None:
            break
        key = f"{frame.id} {index}"
        outputs.append(Output(code, contents.get(f"out {key}", b""), contents.get(f"err {key}", b"")))
    facts = read_probe(contents, frame.asks, f"{frame.id} ") if frame.asks else None
    return Result(tuple(outputs), facts)


class _Watch:
    """Looks for the beginnings of steps in a stream of output."""

    def __init__(self, nonce: str, started: Started) -> None:
        self._mark = f"@{nonce} out ".encode()
        self._started = started
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; a line that is cut waits for its rest."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(self._mark):
                frame, _, index = line.removeprefix(self._mark).decode().rpartition(" ")
                self._started(frame, int(index))
        if len(self._rest) > 4096:
            self._rest = self._rest[-4096:]
