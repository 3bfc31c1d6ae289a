"""Hosts of a command: connected at once, probed at once; an unreachable host is not a failure by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..contract import Ask, Facts
from ..errors import DeadlineError, FloodError, HacoreError, ProbeError, TransportError, UnreachableError
from ..events import Event, Listener
from ..model import Host
from ..plan import HostStatus
from ..probe import ASK_MARKERS, HostLink, SessionLink
from ..transport import Transport

Connect = Callable[[Host], Awaitable[HostLink]]


@dataclass
class Hosts:
    """Connections to hosts by name, made in the background as soon as a host is named.

    `opener` replaces SSH: hosts in memory, another transport. `whole`: a host that does not answer
    every question counts as unreachable, for commands that change hosts.
    """

    transport: Transport
    listener: Listener
    opener: Connect | None = None
    known: dict[str, Host] = field(default_factory=dict)
    whole: bool = False
    askers: Callable[[], Mapping[str, Collection[str]]] | None = None  # fact to the kinds that need it
    _pending: dict[str, asyncio.Task[HostLink]] = field(default_factory=dict)

    def connect(self, hosts: Mapping[str, Host]) -> None:
        """Begin to connect; returns at once."""
        for name, host in hosts.items():
            if name not in self._pending:
                self.known[name] = host
                self._pending[name] = asyncio.create_task(self._open(host))

    async def _open(self, host: Host) -> HostLink:
        if refusal := host.refusal:  # also where something else replaces SSH
            raise UnreachableError(refusal)
        if self.opener is not None:
            return await self.opener(host)
        return SessionLink(
            await self.transport.session(host),
            again=lambda: self.transport.session(host),
            say=lambda message: self.listener(Event("warning", message, host=host.name)),
        )

    def anew(self) -> Hosts:
        """A pool that opens new connections in the same way."""
        return Hosts(self.transport.anew(), self.listener, self.opener, whole=self.whole)

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
        except (TransportError, ProbeError) as error:
            self.listener(Event("host_unreachable", str(error), host=name))
            return HostStatus(host, None, str(error), isinstance(error, ProbeError | DeadlineError | FloodError))
        if not facts.failed:
            return HostStatus(host, facts)
        why = "; ".join(self._failures(facts))
        lost = self.whole or ASK_MARKERS.fact.name in facts.failed  # without its markers the owner is unknown
        why = f"{name}@{host.address} did not answer every question: {why}"
        self.listener(Event("host_unreachable", why, host=name))
        return HostStatus(host, None if lost else facts, why, answered=True)

    def _failures(self, facts: Facts) -> list[str]:
        """Why facts failed, each with the kinds that need it."""
        kinds = self.askers() if self.askers is not None else {}
        return [f"{w} (asked by {', '.join(sorted(kinds[n]))})" if n in kinds else w for n, w in facts.failed.items()]

    async def link(self, name: str) -> HostLink:
        """The connection to a host; raises TransportError when there is none."""
        return await self._pending[name]

    async def links(self, names: Iterable[str]) -> dict[str, HostLink]:
        """The connections that succeeded."""
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
        """Close all connections; waits for those still being opened."""
        await asyncio.gather(*self._pending.values(), return_exceptions=True)
        await self.transport.close()


def answered(statuses: Mapping[str, HostStatus]) -> dict[str, Facts]:
    """The facts of the hosts that answered."""
    return {name: status.facts for name, status in statuses.items() if status.facts is not None}
