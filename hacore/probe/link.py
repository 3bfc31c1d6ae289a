"""A host as the engine uses it: probe facts, run steps. In-memory hosts replace it in tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..contract import Ask, Facts, Host, Output, Step
from ..errors import DeadlineError, FencedError, ProbeError, RestartedError, TransportError
from ..transport import Limits, Session
from ..transport.session import OnOutput
from . import script as script_of
from .jobs import NOT_THERE, Job, attach_script, key_of, nonce_of, start_script
from .line import Again, ReconnectingSession
from .script import FENCED, frames, probe_limits, probe_script, read_probe, steps_script
from .upload import Upload, detach, upload_script
from .watchdog import EXEC_SECONDS, SHELL, SHELL_SECONDS, STEPS_STDERR, STEPS_STDOUT, watched


@dataclass(frozen=True, slots=True)
class Frame:
    """The steps of one task on a host, in order, and the facts to probe afterwards.

    `scope` names the run of a frame that works in scratch space only: its `detached` steps are found
    again when that run is resumed, and not begun a second time.
    """

    id: str
    steps: tuple[Step, ...]
    asks: tuple[Ask, ...] = ()
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a frame: one Output per step that ran; `facts` when asks were given and could be read."""

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


LOSSES = 30
"""How often a connection may be lost in one exec before the job is abandoned to the host."""


class HostLink(Protocol):
    """One host, connected."""

    @property
    def host(self) -> Host:
        """The host."""
        ...

    async def facts(self, asks: Sequence[Ask]) -> Facts:
        """Probe, in one exec. Raises ProbeError, UnreachableError, and TransportError when a limit is exceeded."""
        ...

    async def steps(self, batch: Sequence[Frame], token: str, started: Started | None = None) -> Batch:
        """Run frames in one exec under the host's lock `token`.

        Raises FencedError; UnreachableError; RestartedError when the host answers again without the lock.
        """
        ...

    async def shell(self, script: str) -> Output:
        """Run a script of the engine itself, such as for locks, without framing."""
        ...


class SessionLink:
    """A HostLink over a real session.

    `again` opens a new session when the connection was lost: jobs continue on the host, and their results
    are read over the next connection, and a warning reports it.
    """

    def __init__(self, session: Session, again: Again | None = None, say: Callable[[str], None] | None = None) -> None:
        self._line = ReconnectingSession(session, again, say)
        self._taken: list[str] = []

    @property
    def host(self) -> Host:
        """The host behind the session."""
        return self._line.host

    async def facts(self, asks: Sequence[Ask]) -> Facts:
        """One exec with the whole probe."""
        nonce = secrets.token_hex(8)
        script, limits = probe_script(asks, nonce), probe_limits(asks)
        output = await self._line.repeat(script, limits, f"\n@{nonce} end\n".encode())
        found = frames(output.stdout, nonce)
        self._complete(found, output)
        try:
            return read_probe(dict(found), asks, stderr=_stderr_tail(output))
        except ProbeError as error:
            raise ProbeError(f"cannot probe {self._line.at}: {error}") from error

    async def steps(self, batch: Sequence[Frame], token: str, started: Started | None = None) -> Batch:
        """One exec with all frames, as a job of the host; `started` is called when a step begins."""
        job, upload = _job_of(batch, token)
        if upload is not None:
            await self._send(upload, token)
        watch = _Watch(job.nonce, lambda index, step: started(batch[index].id, step)) if started else None
        output = await self._exec(job, token, _limits(batch), watch.feed if watch else None)
        return self._batch(batch, job.key, output)

    def _batch(self, batch: Sequence[Frame], key: str, output: Output) -> Batch:
        self._unfenced(nonce_of(key), output)
        found = frames(output.stdout, nonce_of(key))
        self._complete(found, output)
        self._taken.append(key)
        contents = dict(found)
        return Batch({frame.id: _result(str(index), frame, contents) for index, frame in enumerate(batch)})

    def _unfenced(self, nonce: str, output: Output) -> None:
        """Raise FencedError when another run held the host's lock."""
        fenced = [name for name, _ in frames(output.stdout, nonce) if name.startswith("fenced ")]
        if output.rc == FENCED and fenced:
            gone = fenced[0] == "fenced gone"
            why = "missing, and may have been held by another run since" if gone else "held by another run"
            raise FencedError(
                f"cannot continue at {self._line.at}: the host's lock is {why}; nothing more was changed there",
                gone=gone,
            )

    async def shell(self, script: str) -> Output:
        """Run a small script of the engine itself, which may run twice."""
        return await self._line.repeat(watched(script, SHELL_SECONDS), SHELL)

    async def _send(self, upload: Upload, token: str) -> None:
        """Send the large content of steps, again from its beginning when the connection was lost.

        Nothing has been done with it yet, so a host that takes too long is a plain failure, and no doubt.
        """
        self._line.patient = True
        nonce = secrets.token_hex(8)
        script = upload_script(upload, script_of.PRELUDE, token, nonce)
        for _ in range(LOSSES):
            try:
                output = await self._line.attempt(script, upload.limits, payload=upload.payload)
            except DeadlineError as error:
                raise TransportError(f"{error}; nothing was done with the {upload.size} bytes sent") from error
            if not isinstance(output, Output):
                lost = output
                await self._line.renew(lost)
                continue
            self._unfenced(nonce, output)
            if output.rc != 0:
                detail = _stderr_tail(output) or f"exit code {output.rc}"
                raise TransportError(f"cannot send {upload.size} bytes to {self._line.at}: {detail}")
            return
        raise lost

    async def _exec(self, job: Job, token: str, limits: Limits, heard: OnOutput | None) -> Output:
        """Begin a job and wait for its end, and reconnect as often as necessary."""
        self._line.patient = True
        taken = tuple(self._taken)
        script = start_script(job, script_of.PRELUDE, token, taken)
        lost = await self._line.attempt(script, limits, heard)
        if isinstance(lost, Output):
            self._taken = [key for key in self._taken if key not in taken]
            return lost
        for _ in range(LOSSES):
            await self._line.renew(lost)
            output = await self._line.attempt(attach_script(job.key, script_of.PRELUDE, token), limits, heard)
            if isinstance(output, Output) and output.rc == NOT_THERE and not output.stdout:
                output = await self._line.attempt(script, limits, heard)  # it was cut off before it began
            if not isinstance(output, Output):
                lost = output
                continue
            if output.rc == FENCED and frames(output.stdout, job.nonce)[-1:] == [("fenced gone", b"")]:
                raise RestartedError(
                    f"connection lost to {self._line.at}: after reconnecting the host's lock is missing, as after a "
                    "restart; the command may have run"
                ) from None
            return output
        raise lost

    def _complete(self, found: Sequence[tuple[str, bytes]], output: Output) -> None:
        if not found or found[-1][0] != "end":
            tail = _stderr_tail(output)
            raise ProbeError(
                f"cannot read the answer of {self._line.at}: the script ended early with exit code {output.rc}"
                + (f": {tail}" if tail else "")
            )


def _stderr_tail(output: Output) -> str:
    return output.stderr[-500:].decode("utf-8", "replace").strip()


def _limits(batch: Sequence[Frame]) -> Limits:
    """The limits of the exec that waits for a job: its steps end within their deadlines on the host."""
    steps = [step for frame in batch for step in frame.steps]
    seconds = sum((step.deadline + step.pause + 20.0) * max(1, step.tries) for step in steps)
    asked = sum(probe_limits(frame.asks).seconds or 0.0 for frame in batch if frame.asks)
    return Limits(seconds + asked + EXEC_SECONDS, stdout=STEPS_STDOUT, stderr=STEPS_STDERR)


def _job_of(batch: Sequence[Frame], token: str) -> tuple[Job, Upload | None]:
    """The job of a batch, and what must be sent before it.

    A job that a later controller may find again has a key derived from its work.
    """
    light, upload = detach([frame.steps for frame in batch], secrets.token_hex(8))
    content = [(str(index), steps, frame.asks) for (index, frame), steps in zip(enumerate(batch), light, strict=True)]
    uploads = "" if upload is None else upload.id
    what = "; ".join(step.what for frame in batch for step in frame.steps if step.what)
    scope = batch[0].scope if len(batch) == 1 else ""
    key = secrets.token_hex(16)
    if scope and any(step.detached for step in batch[0].steps) and not batch[0].asks:
        key = key_of(scope, steps_script(content, "", ""))
    return Job(key, steps_script(content, nonce_of(key), token, uploads), what or "steps", bool(scope), uploads), upload


def _result(name: str, frame: Frame, contents: Mapping[str, bytes]) -> Result:
    outputs: list[Output] = []
    codes = {found.split()[-2]: int(found.split()[-1]) for found in contents if found.startswith(f"rc {name} ")}
    for index in range(len(frame.steps)):
        code = codes.get(str(index))
        if code is None:
            break
        key = f"{name} {index}"
        outputs.append(Output(code, contents.get(f"out {key}", b""), contents.get(f"err {key}", b"")))
    facts = _facts(name, frame, contents) if frame.asks else None
    return Result(tuple(outputs), facts)


def _facts(name: str, frame: Frame, contents: Mapping[str, bytes]) -> Facts:
    """The facts of a frame; all failed when not even the base fact can be read."""
    try:
        return read_probe(contents, frame.asks, f"{name} ")
    except ProbeError as error:
        return Facts(failed=dict.fromkeys((ask.fact.name for ask in frame.asks), str(error)))


class _Watch:
    """Finds the beginnings of steps in a stream of output, where each may be printed more than once."""

    def __init__(self, nonce: str, started: Callable[[int, int], None]) -> None:
        self._mark = f"@{nonce} out ".encode()
        self._started = started
        self._heard: set[tuple[int, int]] = set()
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Process the next bytes; an incomplete line waits for the rest."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(self._mark):
                frame, _, step = line.removeprefix(self._mark).decode().partition(" ")
                self._hear(int(frame), int(step))
        if len(self._rest) > 4096:
            self._rest = self._rest[-4096:]

    def _hear(self, frame: int, step: int) -> None:
        if (frame, step) not in self._heard:
            self._heard.add((frame, step))
            self._started(frame, step)
