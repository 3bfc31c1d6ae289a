"""Sessions on this machine: the same scripts and the same sudo, without a network.

asyncio kills its subprocesses with the event loop. A process that a session leaves running must survive,
as it does behind an SSH connection, so processes are spawned and awaited here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable

from ..contract import Output
from ..errors import TransportError
from ..model import Host
from .become import Exchange, Password
from .environment import session_environment
from .limits import LINGER, Intake, until_closed
from .session import BaseSession, OnOutput, argv

CHUNK = 1 << 16


class LocalSession(BaseSession):
    """A session on this machine, as the user of hacore or, with `become`, as root."""

    def __init__(self, host: Host, password: Password | None = None) -> None:
        super().__init__(host, f"{host.name} (this machine)", password)

    async def _execute(self, exchange: Exchange, intake: Intake, size: int | None) -> Output:
        try:
            pid, stdin, stdout, stderr = _spawn(argv(self._host, answers=self._password is not None, size=size))
        except FileNotFoundError:
            if self._host.connection.become == "sudo":
                raise TransportError(f"cannot become root on {self._label}: sudo is not installed") from None
            raise TransportError(f"cannot run on {self._label}: sh is not installed") from None

        def on_stderr(chunk: bytes) -> None:
            intake.err(chunk)
            exchange.hear(chunk)

        status = asyncio.create_task(_wait(pid))
        feed = _feed(stdin, exchange, intake)
        parts = [_collect(stdout, intake.out), _collect(stderr, on_stderr, exchange.shut), feed]
        tasks = [status, *map(asyncio.ensure_future, parts)]
        closed = asyncio.gather(*tasks)
        try:
            if await until_closed(closed, intake):
                closed.result()
            else:
                intake.torn = True
            code = os.waitstatus_to_exitcode(status.result()) if status.done() else 0
            return Output(code if code >= 0 else 128 - code, intake.stdout, intake.stderr)
        finally:
            if intake.torn:
                _stop(pid)
            for task in tasks:
                task.cancel()
            await asyncio.gather(closed, *tasks, return_exceptions=True)
            if intake.torn and status.cancelled():
                await _reap(pid)

    async def _disconnect(self) -> None:
        return None


def _spawn(words: list[str]) -> tuple[int, int, int, int]:
    """Start a program in a session of its own: ^C must reach hacore, not its running steps.

    Returns its pid and our ends of its stdin, stdout and stderr.
    """
    pipes = [os.pipe() for _ in range(3)]
    (stdin, feed), (out, stdout), (err, stderr) = pipes
    ours, theirs = (feed, out, err), (stdin, stdout, stderr)
    try:
        pid = os.posix_spawnp(
            words[0],
            words,
            session_environment(),
            file_actions=[(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(theirs)],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores these two; a shell must not
        )
    except OSError:
        for end in ours:
            os.close(end)
        raise
    finally:
        for end in theirs:
            os.close(end)
    return (pid, *ours)


def _stop(pid: int) -> None:
    """Kill the process group of a session; a process that sudo runs as root cannot be killed, and ends by itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def _reap(pid: int) -> None:
    """Wait for a killed process; one in an uninterruptible wait does not end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            await _wait(pid)


@contextlib.asynccontextmanager
async def _reader(end: int) -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader()
    file = os.fdopen(end, "rb", 0)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    try:
        yield reader
    finally:
        transport.close()


async def _collect(end: int, on_output: OnOutput, on_end: Callable[[], None] = lambda: None) -> None:
    try:
        async with _reader(end) as reader:
            while chunk := await reader.read(CHUNK):
                on_output(chunk)
    finally:
        on_end()


async def _feed(end: int, exchange: Exchange, intake: Intake) -> None:
    """Send all input, then EOF. A command that ended early is not an error here: its exit code is.

    A command of which the input cannot be read is stopped.
    """
    loop = asyncio.get_running_loop()
    file = os.fdopen(end, "wb", 0)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, file)
    stream = asyncio.StreamWriter(transport, protocol, None, loop)

    async def send(data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            stream.write(data[start : start + CHUNK])
            await stream.drain()

    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await exchange.speak(send)
    except TransportError:
        intake.torn = True
        raise
    finally:
        stream.close()


async def _wait(pid: int) -> int:
    """The wait status of a child that no event loop watches."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    watch = os.pidfd_open(pid)
    loop.add_reader(watch, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(watch)
        os.close(watch)
    return os.waitpid(pid, 0)[1]  # noqa: ASYNC222 - it has ended
