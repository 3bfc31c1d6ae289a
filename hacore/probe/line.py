"""A session with one host that reconnects when its connection is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from ..contract import Host, Output
from ..errors import HostKeyError, UnreachableError
from ..transport import Limits, Payload, Session
from ..transport.session import OnOutput

Again = Callable[[], Awaitable[Session]]

PAUSE = 0.25
"""Seconds until a host is tried again; each further pause is twice as long, 5 s at most."""


TRIES = 3
"""How often a script that may run twice is begun."""


class ReconnectingSession:
    """A session that connects again when its connection is lost.

    While `patient`, it tries for `reconnect_timeout` seconds of the host's connection; otherwise, and after
    that has failed, only once.
    """

    def __init__(self, session: Session, again: Again | None, say: Callable[[str], None] | None) -> None:
        self.host: Host = session.host
        self.patient = False
        self._session = session
        self._again = again
        self._given_up = False
        self._say = say or (lambda _message: None)

    @property
    def at(self) -> str:
        """The host, for messages."""
        return f"{self.host.name}@{self.host.address}"

    async def attempt(
        self,
        script: str,
        limits: Limits,
        heard: OnOutput | None = None,
        end: bytes = b"",
        payload: Payload | None = None,
    ) -> Output | UnreachableError:
        """Run a script once; the error when the connection was lost, so that it may have run."""
        try:
            return await self._session.run(script, limits=limits, on_output=heard, end=end, payload=payload)
        except UnreachableError as error:
            if self._again is None:
                raise
            return error

    async def repeat(self, script: str, limits: Limits, end: bytes = b"") -> Output:
        """Run a script that may run twice; raises UnreachableError when it cannot reconnect."""
        for _ in range(TRIES):
            if isinstance(output := await self.attempt(script, limits, end=end), Output):
                return output
            lost = output
            await self.renew(lost)
        raise lost

    async def renew(self, lost: UnreachableError) -> None:
        """Connect again; raises UnreachableError (`lost`, with the time spent) when that fails."""
        assert self._again is not None
        patience = self.host.connection.reconnect_timeout if self.patient and not self._given_up else 0.0
        until, pause = time.monotonic() + patience, PAUSE
        if patience:
            self._say(f"{lost}; trying to reconnect for {patience:g}s")
        while True:
            try:
                self._session = await self._again()
            except HostKeyError:
                raise
            except UnreachableError as error:
                if time.monotonic() + pause > until:
                    self._given_up = True
                    tried = f" and not reachable for {patience:g}s" if patience else ""
                    raise UnreachableError(f"{lost}{tried}; {error}") from None
            else:
                self._given_up = False
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)
