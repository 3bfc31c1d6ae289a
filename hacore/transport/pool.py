"""The transport: which sessions there are, made once, kept, shared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..errors import UnreachableError
from ..events import Event, Listener, silent
from ..model import Connection, Host
from .become import Password
from .gate import Gate
from .local import LocalSession
from .session import Session

if TYPE_CHECKING:
    from .connect import Link
    from .keys import KeyRing
    from .settings import Target
    from .ssh import SshSession
    from .trust import Accept, Trusted

K = TypeVar("K")
T = TypeVar("T")
Key = tuple[str, str, Connection]

PER_SSHD = 8
"""Handshakes at a time with one sshd: from 10 on it begins to drop some (MaxStartups, sshd_config(5))."""

QUICK = 0.25
"""Seconds that reading ssh_config may take in the event loop: a millisecond as a rule, but `Match exec`
may run anything. After one that took longer, threads do it, which costs ten hosts more than it takes."""


class Transport:
    """One connection per host, made when it is first asked for.

    `parallel_handshakes` bounds key exchanges and logins under way at a time, over all hosts (no more
    than 8 of them with one sshd); a host that does not answer takes no place in it. `config` names
    the ssh_config files to read, the strongest first; by default that of HACORE_SSH_CONFIG, else the
    user's and the system's. `password` is sudo's, for hosts that become root. Use it as an async
    context manager, or close it.
    """

    def __init__(
        self,
        *,
        listener: Listener = silent,
        parallel_handshakes: int = 32,
        config: Sequence[Path] | None = None,
        password: Password | None = None,
    ) -> None:
        self._listener = listener
        self._bound = min(parallel_handshakes, PER_SSHD)
        self._config = config
        self._password = password
        self._turns = asyncio.Semaphore(parallel_handshakes)
        self._quick = True
        self._gates: dict[tuple[str, int], Gate] = {}
        self._ring: KeyRing | None = None
        self._local: dict[Key, LocalSession] = {}
        self._sessions: dict[Key, asyncio.Task[SshSession]] = {}
        self._jumps: dict[tuple[Target, ...], asyncio.Task[Link]] = {}

    def anew(self) -> Transport:
        """One that has made no connection yet, and is otherwise the same."""
        return Transport(listener=self._listener, config=self._config, password=self._password)

    async def session(self, host: Host) -> Session:
        """The session on a host: the one that is there, or a new one.

        Calls for one host while it is being connected share that one attempt. A connection that has
        been lost is made anew. Raises UnreachableError, HostKeyError.
        """
        if refusal := host.refusal:
            raise UnreachableError(refusal)
        key = (host.name, host.address, host.connection)
        if host.connection.transport == "local":
            if key not in self._local:
                self._local[key] = LocalSession(host, self._password)
            return self._local[key]
        task = self._sessions.get(key)
        if task is None or _useless(task):
            task = self._sessions[key] = _start(self._open(host))
        return await _share(self._sessions, key, task)

    async def trust(self, host: Host, accept: Accept) -> Trusted:
        """Get to know a host, and its jump hosts: `accept` is shown what keys they have, and chooses.

        Raises HostKeyError when a key has changed, UnreachableError.
        """
        from .liboqs import no_liboqs

        with no_liboqs():
            from .ssh import hang_up
            from .trust import trust

        if refusal := host.refusal:
            raise UnreachableError(refusal)
        links: list[Link] = []
        timeout = host.connection.connect_timeout
        try:
            way = await self._way(host)
            return await trust(way, lambda hop, over: self._connect(hop, over, timeout), accept, links, timeout)
        finally:
            for link in reversed(links):
                await hang_up(link)

    async def close(self) -> None:
        """End all connections; what still runs on hosts is left alone."""
        tasks = [*self._sessions.values(), *self._jumps.values()]
        for task in tasks:
            task.cancel()  # only those still connecting feel it
        await asyncio.gather(*tasks, return_exceptions=True)
        local, self._local = self._local, {}
        sessions, self._sessions = self._sessions, {}
        jumps, self._jumps = self._jumps, {}
        await asyncio.gather(*(session.close() for session in local.values()))
        await asyncio.gather(*(task.result().close() for task in sessions.values() if _settled(task)))
        links = [task.result() for task in jumps.values() if _settled(task)]
        if links:
            from .ssh import hang_up

            await asyncio.gather(*map(hang_up, links))
        if self._ring is not None:
            await self._ring.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self, host: Host) -> SshSession:
        began = time.monotonic()
        self._listener(Event("host_connecting", f"connecting to {host.name}", host=host.name))
        try:
            from .liboqs import no_liboqs

            with no_liboqs():
                from .ssh import SshSession

            link = await self._link(host)
        except UnreachableError as exc:
            self._listener(Event("host_unreachable", str(exc), host=host.name))
            raise
        seconds = round(time.monotonic() - began, 3)
        self._listener(
            Event("host_ready", f"connected to {link.target.label}", host=host.name, data={"seconds": seconds})
        )
        return SshSession(host, link, self._password)

    async def _link(self, host: Host) -> Link:
        """Connect to a host, over its jump hosts if it has any; those are shared by all behind them."""
        way = await self._way(host)
        timeout = host.connection.connect_timeout
        link: Link | None = None
        for hops in range(1, len(way)):
            key = way[:hops]
            task = self._jumps.get(key)
            if task is None or _useless(task):
                task = self._jumps[key] = _start(self._connect(key[-1], link, timeout))
            try:
                link = await _share(self._jumps, key, task)
            except UnreachableError as exc:
                raise type(exc)(f"{exc} (on the way to {way[-1].label})") from None
        return await self._connect(way[-1], link, timeout)

    async def _way(self, host: Host) -> tuple[Target, ...]:
        """All connections that it takes to reach a host, by ssh_config."""
        from .route import route
        from .settings import config_files

        files = config_files(self._config)
        if not self._quick:
            return await asyncio.to_thread(route, host, files)
        began = time.monotonic()
        way = route(host, files)
        self._quick = time.monotonic() - began < QUICK
        return way

    async def _connect(self, target: Target, tunnel: Link | None, timeout: float) -> Link:
        from .connect import connect
        from .keys import KeyRing

        if self._ring is None:
            self._ring = KeyRing()
        gate = self._gates.setdefault((target.host, target.port), Gate(self._bound))
        return await connect(target, self._ring, timeout=timeout, gate=gate, turns=self._turns, tunnel=tunnel)


def _start(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task whose failure asyncio does not complain about when everybody has stopped waiting."""
    task = asyncio.create_task(coroutine)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def _useless(task: asyncio.Task[SshSession] | asyncio.Task[Link]) -> bool:
    """Whether a connection has to be made anew."""
    return task.done() and not (_settled(task) and task.result().alive)


def _settled(task: asyncio.Task[Any]) -> bool:
    """Whether a task has ended well."""
    return task.done() and not task.cancelled() and task.exception() is None


async def _share(tasks: dict[K, asyncio.Task[T]], key: K, task: asyncio.Task[T]) -> T:
    """Wait for what others may wait for too; what fails is forgotten, so that the next call tries again."""
    try:
        return await asyncio.shield(task)
    except BaseException:
        if task.done() and tasks.get(key) is task:
            del tasks[key]
        raise
