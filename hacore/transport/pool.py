"""The transport: sessions by host, opened once, kept and shared."""

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
"""Handshakes at a time with one sshd, which drops some from 10 on (MaxStartups, sshd_config(5))."""

QUICK = 0.25
"""Seconds for reading ssh_config in the event loop: usually a millisecond, but `Match exec` can run any
command. After a slower one, threads read it; for ten hosts these cost more than a fast reading."""


class Transport:
    """One connection per host, opened at first use.

    `parallel_handshakes` bounds key exchanges and logins at a time, over all hosts (at most 8 with one
    sshd); a host that does not answer occupies no place. `config` names the ssh_config files, the strongest
    first; by default that of HACORE_SSH_CONFIG, else the user's and the system's. `password` is sudo's, for
    hosts with `become`. Use it as an async context manager, or close it.
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
        """A new transport with the same settings and no connections."""
        return Transport(listener=self._listener, config=self._config, password=self._password)

    async def session(self, host: Host) -> Session:
        """The session on a host: the open one, or a new one.

        Concurrent calls for one host share one attempt. A lost connection is opened again. Raises
        UnreachableError, HostKeyError.
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
        """Add the keys of a host and its jump hosts to known_hosts: `accept` gets the keys of each and chooses.

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
            targets = await self._route(host)
            return await trust(targets, lambda hop, over: self._connect(hop, over, timeout), accept, links, timeout)
        finally:
            for link in reversed(links):
                await hang_up(link)

    async def close(self) -> None:
        """Close all connections; commands on hosts continue."""
        tasks = [*self._sessions.values(), *self._jumps.values()]
        for task in tasks:
            task.cancel()  # affects only those still connecting
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
        """Connect to a host, over its jump hosts if it has any; hosts behind the same jump host share it."""
        targets = await self._route(host)
        timeout = host.connection.connect_timeout
        link: Link | None = None
        for hops in range(1, len(targets)):
            key = targets[:hops]
            task = self._jumps.get(key)
            if task is None or _useless(task):
                task = self._jumps[key] = _start(self._connect(key[-1], link, timeout))
            try:
                link = await _share(self._jumps, key, task)
            except UnreachableError as exc:
                raise type(exc)(f"{exc} (jump host of {targets[-1].label})") from None
        return await self._connect(targets[-1], link, timeout)

    async def _route(self, host: Host) -> tuple[Target, ...]:
        """The connections needed to reach a host, by ssh_config."""
        from .route import route
        from .settings import config_files

        files = config_files(self._config)
        if not self._quick:
            return await asyncio.to_thread(route, host, files)
        began = time.monotonic()
        targets = route(host, files)
        self._quick = time.monotonic() - began < QUICK
        return targets

    async def _connect(self, target: Target, tunnel: Link | None, timeout: float) -> Link:
        from .connect import connect
        from .keys import KeyRing

        if self._ring is None:
            self._ring = KeyRing()
        gate = self._gates.setdefault((target.host, target.port), Gate(self._bound))
        return await connect(target, self._ring, timeout=timeout, gate=gate, turns=self._turns, tunnel=tunnel)


def _start(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task without asyncio's warning when it fails and nothing waits for it."""
    task = asyncio.create_task(coroutine)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def _useless(task: asyncio.Task[SshSession] | asyncio.Task[Link]) -> bool:
    """Whether a connection has to be opened again."""
    return task.done() and not (_settled(task) and task.result().alive)


def _settled(task: asyncio.Task[Any]) -> bool:
    """Whether a task has succeeded."""
    return task.done() and not task.cancelled() and task.exception() is None


async def _share(tasks: dict[K, asyncio.Task[T]], key: K, task: asyncio.Task[T]) -> T:
    """Wait for a task that others may wait for as well; a failed one is dropped, so that the next call retries."""
    try:
        return await asyncio.shield(task)
    except BaseException:
        if task.done() and tasks.get(key) is task:
            del tasks[key]
        raise
