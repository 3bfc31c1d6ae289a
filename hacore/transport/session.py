"""Sessions: their interface, the command line of a script, and the rules that both transports share."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from ..contract import Output
from ..errors import DeadlineError, UnreachableError
from ..model import Host
from .become import AS_ROOT, PROMPT, Exchange, Password, Script, SudoExchange, evaluate
from .limits import Intake, Limits
from .payload import Payload

CHANNELS = 6
"""Commands at a time on one connection; sshd's MaxSessions is 10 by default (sshd_config(5)), and sshd
counts a session a little longer than its channel is open."""

OnOutput = Callable[[bytes], None]

LIMITS = Limits()
"""The limits of an exec without its own."""


class Session(Protocol):
    """A connection to one host. Calls of `run` may overlap; they share the connection."""

    @property
    def host(self) -> Host:
        """The host as the stack describes it."""
        ...

    async def run(
        self,
        script: str,
        *,
        limits: Limits = LIMITS,
        on_output: OnOutput | None = None,
        end: bytes = b"",
        payload: Payload | None = None,
    ) -> Output:
        """Run a POSIX sh script on the host in one exec: the script on stdin, with any login shell.

        A `payload` follows the script on its stdin; it is read in pieces as the host takes it in.

        `on_output` gets chunks of stdout as they arrive. An exec beyond its `limits` is stopped, with its
        process group where that is possible (sshd does not do so for root); when the caller is cancelled,
        the command continues on the host. `end` is the end of complete output: nothing after it is waited
        for. The output is raw: output of a shell's profile is before the script's.

        Raises UnreachableError when the connection is lost: the command may have run completely, in part
        or not at all. Raises DeadlineError, FloodError, and TransportError when sudo refuses or a payload
        cannot be read.
        """
        ...

    async def close(self) -> None:
        """Close the connection; running commands continue on the host."""
        ...


def argv(host: Host, *, answers: bool = False, size: int | None = None) -> list[str]:
    """The program that runs a script from its stdin on `host`, as a list of arguments.

    `answers`: sudo may ask for a password, on stderr, and read it from stdin. `size`: the bytes of the script,
    if a payload follows it.
    """
    if host.connection.become != "sudo":
        return ["sh", "-c", evaluate(size)]
    asking = ["-S", "-p", PROMPT] if answers else ["-n"]
    return ["sudo", *asking, "-H", "--", "sh", "-c", AS_ROOT + evaluate(size)]


def command(host: Host, *, answers: bool = False, size: int | None = None) -> str:
    """The same as text for any login shell: words and one single-quoted string, nothing to expand."""
    *words, script = argv(host, answers=answers, size=size)
    return f"exec {' '.join(words)} '{script}'"


class _Tap:
    """Passes chunks on until it is shut."""

    def __init__(self, listener: OnOutput | None) -> None:
        self._listener = listener

    def __call__(self, chunk: bytes) -> None:
        if self._listener is not None:
            self._listener(chunk)

    def shut(self) -> None:
        self._listener = None


class BaseSession(ABC):
    """The common part of sessions: a bound on parallel commands, limits, sudo."""

    def __init__(self, host: Host, label: str, password: Password | None = None) -> None:
        self._host = host
        self._label = label
        self._password = password
        self._channels = asyncio.Semaphore(CHANNELS)
        self._running: set[asyncio.Task[Output]] = set()

    @property
    def host(self) -> Host:
        """The host as the stack describes it."""
        return self._host

    async def run(
        self,
        script: str,
        *,
        limits: Limits = LIMITS,
        on_output: OnOutput | None = None,
        end: bytes = b"",
        payload: Payload | None = None,
    ) -> Output:
        """See Session.run."""
        if "\0" in script:
            raise ValueError("cannot run a script with a NUL character: sh would drop it")
        tap = _Tap(on_output)
        limit = asyncio.timeout(limits.seconds)
        intake = Intake(self._label, limits, tap, end)
        task: asyncio.Task[Output] | None = None
        try:
            async with limit:
                await self._channels.acquire()
                # A task of its own: a cancelled caller must not interrupt a script that is being sent or runs.
                text = script.encode("utf-8", "surrogateescape")
                exchange = self._exchange(text, payload)
                size = None if payload is None else len(text)
                task = asyncio.create_task(self._execute(exchange, intake, size))
                self._running.add(task)
                task.add_done_callback(self._ended)
                output = await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            raise UnreachableError(
                f"connection lost to {self._label}: the session was closed; the command may have run"
            ) from None
        except TimeoutError:
            if not limit.expired():
                raise
            if task is not None:
                intake.torn = True
                task.cancel()
            raise DeadlineError(
                f"cannot wait for a command on {self._label}: it did not end within {limits.seconds:g}s"
            ) from None
        finally:
            tap.shut()
        return exchange.judge(output, self._label)

    def _exchange(self, script: bytes, payload: Payload | None) -> Exchange:
        if self._host.connection.become == "sudo":
            return SudoExchange(script, self._label, self._password, payload)
        return Script(script, payload)

    def _ended(self, task: asyncio.Task[Output]) -> None:
        self._running.discard(task)
        self._channels.release()
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not warn about it

    async def close(self) -> None:
        """Close the connection; running commands continue on the host."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await self._disconnect()
        await asyncio.gather(*running, return_exceptions=True)

    @abstractmethod
    async def _execute(self, exchange: Exchange, intake: Intake, size: int | None) -> Output:
        """Run a script to its end; raises UnreachableError when the connection is lost, FloodError.

        `size`: the bytes of the script, if a payload follows it.

        With `intake.torn` the command is stopped on the way out.
        """

    @abstractmethod
    async def _disconnect(self) -> None:
        """Release the resources of the session."""
