"""What a session is, the command line it runs, and the rules that all sessions share."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from ..contract import Output
from ..errors import DeadlineError, TransportError, UnreachableError
from ..model import Host

EVAL = 'eval "$(cat)"'
"""Read the whole script first, then run it: sh would otherwise read on from stdin line by line, and
any command of the script that reads stdin would eat the rest of it. Nothing of it is in argv."""

CHANNELS = 6
"""Commands at a time on one connection; sshd's MaxSessions is 10 by default, sshd_config(5), and it
counts a session a little longer than its channel lives."""

OnOutput = Callable[[bytes], None]


class Session(Protocol):
    """A way onto one host. Calls of `run` may overlap; they share the connection."""

    @property
    def host(self) -> Host:
        """The host as the stack describes it."""
        ...

    async def run(self, script: str, *, deadline: float | None = None, on_output: OnOutput | None = None) -> Output:
        """Run POSIX sh text on the host in one exec, script over stdin, whatever the login shell is.

        `on_output` gets chunks of stdout as they arrive. `deadline` (seconds) is how long the
        controller waits: after it, and when the caller is cancelled, the command itself goes on to
        its end on the host. The output is raw: what a shell's profile prints comes first.

        Raises UnreachableError when the connection is lost: the command may have run wholly, partly
        or not at all. Raises DeadlineError, and TransportError when sudo refuses.
        """
        ...

    async def close(self) -> None:
        """Give the connection up; what still runs is left alone."""
        ...


def argv(host: Host) -> list[str]:
    """The program that runs a script from its stdin on `host`, as a list of arguments."""
    sudo = ["sudo", "-n", "-H", "--"] if host.connection.become == "sudo" else []
    return [*sudo, "sh", "-c", EVAL]


def command(host: Host) -> str:
    """The same as text for any login shell: words and one string in single quotes, nothing to expand."""
    *words, script = argv(host)
    return f"exec {' '.join(words)} '{script}'"


_MISSING_SUDO = re.compile(r"sudo: (command )?not found|not found: sudo|Unknown command:? '?sudo", re.IGNORECASE)


def refusal(output: Output) -> str | None:
    """Why sudo did not let the script begin; None when it did.

    sudo then exits 1 with nothing but its own words on stderr (their language is the host's).
    """
    said = output.stderr.decode("utf-8", "replace").strip()
    if output.rc == 127 and not output.stdout and _MISSING_SUDO.search(said):
        return "sudo is not installed there"
    if output.rc != 1 or output.stdout or not said:
        return None
    last = said.splitlines()[-1]
    if not last.startswith("sudo: "):
        return None
    if any(words in last for words in ("password is required", "terminal is required", "no tty present")):
        return "sudo asks for a password; a rule with NOPASSWD in sudoers is needed"
    return last


class _Tap:
    """Hands chunks on until nobody wants them any more."""

    def __init__(self, listener: OnOutput | None) -> None:
        self._listener = listener

    def __call__(self, chunk: bytes) -> None:
        if self._listener is not None:
            self._listener(chunk)

    def shut(self) -> None:
        self._listener = None


class BaseSession(ABC):
    """What sessions have in common: a bound on parallel commands, deadlines that kill nothing, sudo."""

    def __init__(self, host: Host, label: str) -> None:
        self._host = host
        self._label = label
        self._channels = asyncio.Semaphore(CHANNELS)
        self._running: set[asyncio.Task[Output]] = set()

    @property
    def host(self) -> Host:
        """The host as the stack describes it."""
        return self._host

    async def run(self, script: str, *, deadline: float | None = None, on_output: OnOutput | None = None) -> Output:
        """See Session.run."""
        if "\0" in script:
            raise ValueError("cannot run a script with a NUL character: sh would drop it")
        tap = _Tap(on_output)
        limit = asyncio.timeout(deadline)
        try:
            async with limit:
                await self._channels.acquire()
                # A task of its own: a script that is half sent or runs must not be torn off.
                task = asyncio.create_task(self._execute(script.encode("utf-8", "surrogateescape"), tap))
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
            raise DeadlineError(f"cannot wait longer on {self._label}: no end within {deadline:g} s") from None
        finally:
            tap.shut()
        if self._host.connection.become == "sudo" and (why := refusal(output)):
            raise TransportError(f"cannot become root on {self._label}: {why}")
        return output

    def _ended(self, task: asyncio.Task[Output]) -> None:
        self._running.discard(task)
        self._channels.release()
        if not task.cancelled():
            task.exception()  # whoever gave up waiting does not want it; else asyncio would complain

    async def close(self) -> None:
        """Give the connection up; what still runs is left alone."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await self._disconnect()
        await asyncio.gather(*running, return_exceptions=True)

    @abstractmethod
    async def _execute(self, script: bytes, on_output: OnOutput) -> Output:
        """Run `script` to its end; raises UnreachableError when the connection is lost."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Release what the session holds."""
