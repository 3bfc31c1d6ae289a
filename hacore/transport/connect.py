"""From a Target to a logged-in connection: TCP, handshake, up to two more tries while sshd is busy."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import subprocess
from dataclasses import dataclass

import asyncssh

from .explain import handshake_trouble, host_key_trouble, os_reason, unreachable
from .gate import Budget, Gate
from .handshake import KNOWN_TYPES, Failure, Outcome, Types, login_options
from .keys import KeyRing, Offer
from .known import known_keys
from .settings import Target

TRIES = 3
PAUSE = (0.1, 0.4)
"""Seconds between tries, from and to: random, so that connections refused together do not retry together."""

PATIENCE = 1.0
"""Seconds to wait for the end of a proxy command after its connection is closed."""


class Watch(asyncssh.SSHClient):
    """Records what asyncssh reports only while it connects, and whether the connection is up."""

    def __init__(self) -> None:
        self.connection: asyncssh.SSHClientConnection | None = None
        self.shown: asyncssh.SSHKey | None = None
        self.alive = False
        self._proxy: subprocess.Popen[bytes] | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """TCP is connected; SSH begins."""
        self.connection = conn
        self.alive = True
        self._proxy = conn.get_extra_info("subprocess")

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is closed."""
        self.alive = False

    def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        """asyncssh asks about a key that is not in known_hosts: never trusted, recorded for the message."""
        self.shown = key
        return False

    async def proxy_ended(self, patience: float) -> None:
        """Wait, `patience` seconds at most, for the proxy command of a closed connection to end.

        asyncio warns about a child that ends after its event loop.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._proxy is not None and self._proxy.returncode is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)

    @property
    def greeted(self) -> bool:
        """Whether an SSH server sent its version."""
        return bool(self.connection and self.connection.get_extra_info("server_version"))

    @property
    def in_key_exchange(self) -> bool:
        """Whether a server sent its version, but has not presented a key."""
        shown = self.shown or (self.connection and self.connection.get_server_host_key())
        return self.greeted and not shown

    @property
    def peer(self) -> str:
        """The numeric address of the peer; empty behind a proxy command."""
        peer = self.connection and self.connection.get_extra_info("peername")
        return str(peer[0]) if peer else ""


@dataclass(frozen=True, slots=True)
class Link:
    """A logged-in connection."""

    target: Target
    connection: asyncssh.SSHClientConnection
    watch: Watch

    @property
    def alive(self) -> bool:
        """Whether commands can be sent over it."""
        return self.watch.alive


class _OtherTypes(Exception):  # noqa: N818 - not a fault: ask for other types
    """The host presented no key of a known type, or an invalid certificate where its plain key may be valid."""

    def __init__(self, types: Types) -> None:
        super().__init__()
        self.types = types


class _Busy(Exception):  # noqa: N818 - not a fault: try again
    """The connection was closed before SSH began: sshd is at its limit of MaxStartups."""


async def connect(
    target: Target, ring: KeyRing, *, timeout: float, gate: Gate, turns: asyncio.Semaphore, tunnel: Link | None
) -> Link:
    """Log in to a host; `timeout` (seconds) covers all tries, but not the time in the queue.

    `gate` bounds connections to this sshd, `turns` handshakes at a time over all hosts. A host that
    does not answer takes no turn, unless it is behind a jump host or a proxy command. Raises
    UnreachableError, HostKeyError.
    """
    budget = Budget(timeout)
    offer = await ring.offer(target)
    types: Types = KNOWN_TYPES
    tries = 0
    while True:
        try:
            async with gate.enter():
                return await _attempt(target, ring, offer, budget, turns, tunnel, types)
        except _OtherTypes as exc:
            types = exc.types
        except _Busy as exc:
            gate.narrow()
            tries += 1
            pause = random.uniform(*PAUSE) * tries  # noqa: S311 - no secret
            if tries == TRIES or budget.left <= pause:
                cause = exc.__cause__ or exc
                raise handshake_trouble(target, cause, greeted=False, offer=offer.words) from None
            budget.left -= pause
            await asyncio.sleep(pause)


async def _attempt(
    target: Target,
    ring: KeyRing,
    offer: Offer,
    budget: Budget,
    turns: asyncio.Semaphore,
    tunnel: Link | None,
    types: Types,
) -> Link:
    sock = await _dialled(target, budget) if tunnel is None and target.direct else None
    watch, known = Watch(), ring.known_hosts(target.known_hosts)
    options = login_options(target, offer, types, budget.total)
    options |= {"sock": sock, "known_hosts": known, "tunnel": tunnel.connection if tunnel else None}
    try:
        async with turns, budget.spend():
            connection = await asyncssh.connect(
                target.address.strip("[]"), target.port, client_factory=lambda: watch, **options
            )
    except TimeoutError:
        raise unreachable(target, f"connected, but no SSH login within {budget.total:g}s") from None
    except (asyncssh.Error, OSError, ValueError) as exc:
        raise _failed(exc, target, offer, watch, known, types) from exc
    finally:
        if sock is not None and watch.connection is None:
            sock.close()
        if not watch.alive:
            await watch.proxy_ended(PATIENCE)
    return Link(target, connection, watch)


async def _dialled(target: Target, budget: Budget) -> socket.socket:
    try:
        async with budget.spend():
            return await dial(target, budget.left)
    except TimeoutError:
        raise unreachable(target, f"no answer within {budget.total:g}s") from None
    except ConnectionResetError as exc:
        raise _Busy from exc
    except OSError as exc:
        raise unreachable(target, os_reason(exc)) from None


def _failed(
    exc: Exception, target: Target, offer: Offer, watch: Watch, known: asyncssh.SSHKnownHosts, types: Types
) -> Exception:
    """The error to raise for a failed handshake: one of `connect`'s own to go on, or the user's."""
    port = None if target.port == asyncssh.DEFAULT_PORT else target.port
    trusted = known.match(target.lookup, watch.peer, port)[0]
    failure = Failure(exc, watch.greeted, watch.in_key_exchange)
    match failure.outcome(types, trusted=bool(trusted)):
        case Outcome.OTHER_TYPES:
            return _OtherTypes(failure.other_types(trusted))
        case Outcome.BUSY:
            return _Busy()
        case Outcome.UNTRUSTED:
            return host_key_trouble(target, str(exc).lower(), watch.shown, known_keys(target, watch.peer))
        case Outcome.FAILED:
            return handshake_trouble(target, exc, greeted=watch.greeted, offer=offer.words)


async def dial(target: Target, seconds: float) -> socket.socket:
    """A TCP connection to the first address of a host that answers.

    `seconds` are shared evenly by its addresses. Raises the OSError of the last one.
    """
    loop = asyncio.get_running_loop()
    places = await loop.getaddrinfo(target.host, target.port, family=target.family, type=socket.SOCK_STREAM)
    last: OSError = OSError("no address")
    for family, kind, protocol, _, place in places:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            if target.bind:
                sock.bind(target.bind)
            async with asyncio.timeout(seconds / len(places)):
                await loop.sock_connect(sock, place)
        except OSError as exc:
            sock.close()
            last = exc
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise last
