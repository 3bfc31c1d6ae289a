"""Hosts of a command: connected at once, asked at once; one that cannot be reached is not a failure by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..contract import Ask, Facts
from ..errors import HacoreError, TransportError, UnreachableError
from ..events import Event, Listener
from ..model import Host
from ..plan import HostStatus
from ..probe import HostLink, SessionLink
from ..transport import Transport

Connect = Callable[[Host], Awaitable[HostLink]]


@dataclass
class Hosts:
    """Connections to hosts by name, made in the background as soon as a host is named.

    `opener` takes the place of SSH: hosts in memory, another transport.
    """

    transport: Transport
    listener: Listener
    opener: Connect | None = None
    known: dict[str, Host] = field(default_factory=dict)
    _pending: dict[str, asyncio.Task[HostLink]] = field(default_factory=dict)

    def connect(self, hosts: Mapping[str, Host]) -> None:
        """Begin to connect; returns at once."""
        for name, host in hosts.items():
            if name not in self._pending:
                self.known[name] = host
                self._pending[name] = asyncio.create_task(self._open(host))

    async def _open(self, host: Host) -> HostLink:
        if refusal := host.refusal:  # also where something else takes the place of SSH
            raise UnreachableError(refusal)
        if self.opener is not None:
            return await self.opener(host)
        return SessionLink(
            await self.transport.session(host),
            again=lambda: self.transport.session(host),
            say=lambda message: self.listener(Event("warning", message, host=host.name)),
        )

    def anew(self) -> Hosts:
        """None of these connections, but the same way to make new ones."""
        return Hosts(self.transport.anew(), self.listener, self.opener)

    async def probe(self, asks: Mapping[str, Sequence[Ask]], names: Iterable[str]) -> dict[str, HostStatus]:
        """Ask each host all of its questions, in one exec each."""
        wanted = list(names)
        found = await asyncio.gather(*[self._ask(name, asks.get(name, ())) for name in wanted])
        return dict(zip(wanted, found, strict=True))

    async def _ask(self, name: str, asks: Sequence[Ask]) -> HostStatus:
        host = self.known[name]
        try:
            link = await self._pending[name]
            facts = await link.facts(asks)
        except TransportError as error:
            self.listener(Event("host_unreachable", str(error), host=name))
            return HostStatus(host, None, str(error))
        return HostStatus(host, facts)

    async def link(self, name: str) -> HostLink:
        """The connection to a host; raises TransportError when there is none."""
        return await self._pending[name]

    async def links(self, names: Iterable[str]) -> dict[str, HostLink]:
        """The connections that stand."""
        found: dict[str, HostLink] = {}
        for name in names:
            task = self._pending.get(name)
            if task is None:
                continue
            try:
                found[name] = await task
            except HacoreError:
                continue
        return found

    async def close(self) -> None:
        """Close all connections; what still connects is waited for."""
        await asyncio.gather(*self._pending.values(), return_exceptions=True)
        await self.transport.close()


def answered(statuses: Mapping[str, HostStatus]) -> dict[str, Facts]:
    """The facts of the hosts that answered."""
    return {name: status.facts for name, status in statuses.items() if status.facts is not None}
