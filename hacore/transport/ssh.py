"""A session over SSH: one channel and one exec request per run, no terminal, bytes in and out."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import asyncssh

from ..contract import Output
from ..errors import TransportError, UnreachableError
from ..model import Host
from .become import Exchange, Password
from .connect import Link
from .limits import Intake, until_closed
from .session import BaseSession, command

CHUNK = 1 << 17
TRIES = 8
PAUSE = 0.05
"""Seconds before another attempt to open a session, times the number of attempts."""

PATIENCE = 2.0
"""Seconds for an orderly close before the connection is aborted."""


class SshSession(BaseSession):
    """A session on a host behind an SSH connection."""

    def __init__(self, host: Host, link: Link, password: Password | None = None) -> None:
        super().__init__(host, link.target.label, password)
        self._answers = password is not None
        self._link = link
        self._open = 0

    @property
    def alive(self) -> bool:
        """Whether the connection is up, as far as known."""
        return self._link.alive

    async def _execute(self, exchange: Exchange, intake: Intake, size: int | None) -> Output:
        if not self._link.alive:
            raise UnreachableError(f"connection lost to {self._label} before the command was sent")
        received = _Channel(intake, exchange)
        channel = await self._begin(received, command(self._host, answers=self._answers, size=size))
        self._open += 1
        try:
            feed = asyncio.ensure_future(_feed(channel, received, exchange))
            feed.add_done_callback(received.fed)
            try:
                closed = await until_closed(received.closed, intake)
                intake.torn = intake.torn or not closed
                lost = received.closed.result() if closed else None
            finally:
                feed.cancel()
        finally:
            self._open -= 1
            if intake.torn:
                _tear(channel)
        if received.rc is None and closed:
            why = str(lost).lower() if lost else "the command ended without an exit status"
            raise UnreachableError(f"connection lost to {self._label}: {why}; the command may have run")
        return Output(received.rc or 0, intake.stdout, intake.stderr)

    async def _begin(self, received: _Channel, line: str) -> asyncssh.SSHClientChannel[bytes]:
        """A channel with the command `line` on it.

        A server at its limit of sessions (MaxSessions) has started nothing: another attempt is made while
        other commands of this connection run, which free sessions, and for a while after.
        """
        attempt = 0
        while True:
            asyncio.get_running_loop().call_soon(self._acknowledge)  # just after the opening has been sent
            try:
                channel, _ = await self._link.connection.create_session(
                    lambda: received, line, encoding=None, request_pty=False
                )
            except asyncssh.ChannelOpenError as exc:
                if not self._link.alive:
                    raise UnreachableError(f"connection lost to {self._label}: {exc.reason.lower()}") from None
                attempt = 1 if self._open else attempt + 1
                if exc.code != asyncssh.OPEN_CONNECT_FAILED or attempt > TRIES:
                    raise TransportError(
                        f"cannot run on {self._label}: the server does not open a session ({exc.reason.lower()}); "
                        "see MaxSessions in sshd_config(5)"
                    ) from None
            except (asyncssh.Error, OSError) as exc:
                raise UnreachableError(f"connection lost to {self._label}: {exc}") from None
            else:
                return channel
            await asyncio.sleep(PAUSE * attempt)

    def _acknowledge(self) -> None:
        """Acknowledge received packets at once, tcp(7) TCP_QUICKACK.

        sshd uses Nagle's algorithm for sessions without a terminal: its next small packet waits for our
        acknowledgement, which the kernel delays by up to 40 ms. After a login sshd announces all its host
        keys that way.
        """
        sock = self._link.connection.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0 and hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def _disconnect(self) -> None:
        await hang_up(self._link)


class _Channel(asyncssh.SSHClientSession[bytes]):
    """The receiving side of a channel."""

    def __init__(self, intake: Intake, exchange: Exchange) -> None:
        self.rc: int | None = None
        self.closed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._intake = intake
        self._exchange = exchange

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._intake.torn:
            return
        try:
            if datatype is None:
                self._intake.out(data)
            else:
                self._intake.err(data)
                self._exchange.hear(data)
        except Exception as exc:
            self._fail(exc)  # raised by `run`; from here it would cut the connection

    def eof_received(self) -> bool:
        return True

    def pause_writing(self) -> None:
        self.flowing.clear()

    def resume_writing(self) -> None:
        self.flowing.set()

    def exit_status_received(self, status: int) -> None:
        self.rc = status

    def exit_signal_received(self, signal: str, _core: bool, _msg: str, _lang: str) -> None:
        self.rc = 128 + _SIGNALS.get(signal, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.flowing.set()
        self._exchange.shut()
        if not self.closed.done():
            self.closed.set_result(exc)

    def fed(self, feed: asyncio.Future[None]) -> None:
        """Note the end of sending; an error of it is raised by `run`, and the command is stopped."""
        if not feed.cancelled() and (error := feed.exception()) is not None:
            self._intake.torn = True
            self._fail(error)

    def _fail(self, exc: BaseException) -> None:
        if not self.closed.done():
            self.closed.set_exception(exc)


_SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "SEGV": 11, "PIPE": 13, "ALRM": 14}
_SIGNALS |= {"TERM": 15, "USR1": 10, "USR2": 12}


async def _feed(channel: asyncssh.SSHClientChannel[bytes], received: _Channel, exchange: Exchange) -> None:
    """Send all input, then EOF. A command that ended early is not an error here: its exit code is."""

    async def send(data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            await received.flowing.wait()
            channel.write(data[start : start + CHUNK])

    with contextlib.suppress(OSError):
        await exchange.speak(send)
        channel.write_eof()


def _tear(channel: asyncssh.SSHClientChannel[bytes]) -> None:
    """Close a channel and ask the server to kill its command.

    OpenSSH does so since 7.9, but not for root: scripts that may hang have a watchdog of their own.
    """
    with contextlib.suppress(OSError, asyncssh.Error):
        channel.kill()
        channel.abort()


async def hang_up(link: Link) -> None:
    """Close a connection in order if the peer responds, else abort it."""
    link.connection.close()
    try:
        async with asyncio.timeout(PATIENCE):
            await link.connection.wait_closed()
    except TimeoutError:
        link.connection.abort()
    await link.watch.proxy_ended(PATIENCE)
