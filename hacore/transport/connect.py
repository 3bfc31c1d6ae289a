"""From a Target to a logged-in connection: TCP, handshake, a second try when sshd was too busy."""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import dataclass

import asyncssh

from ..errors import UnreachableError
from .explain import handshake_trouble, host_key_trouble, os_reason, unreachable
from .gate import Budget, Gate
from .keys import KeyRing, Offer
from .settings import Target

TRIES = 3
PAUSE = (0.1, 0.4)
"""Seconds between tries, from and to: random, so that those who were refused together do not return together."""


class Watch(asyncssh.SSHClient):
    """Sees what asyncssh tells a client only while it connects, and whether the connection lives."""

    def __init__(self) -> None:
        self.connection: asyncssh.SSHClientConnection | None = None
        self.shown: asyncssh.SSHKey | None = None
        self.alive = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """There is a transport; SSH begins."""
        self.connection = conn
        self.alive = True

    def connection_lost(self, _exc: Exception | None) -> None:
        """It is over."""
        self.alive = False

    def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        """Asked about a key that is not in known_hosts: never trusted, but remembered for the message."""
        self.shown = key
        return False

    @property
    def greeted(self) -> bool:
        """Whether an SSH server introduced itself."""
        return bool(self.connection and self.connection.get_extra_info("server_version"))


@dataclass(frozen=True, slots=True)
class Link:
    """A logged-in connection."""

    target: Target
    connection: asyncssh.SSHClientConnection
    watch: Watch

    @property
    def alive(self) -> bool:
        """Whether commands can still be sent over it."""
        return self.watch.alive


class _Refused(Exception):  # noqa: N818 - not a fault: try again
    """The connection was closed before SSH began, as a busy sshd does."""


async def connect(
    target: Target, ring: KeyRing, *, timeout: float, gate: Gate, turns: asyncio.Semaphore, tunnel: Link | None
) -> Link:
    """Log in to a host; `timeout` (seconds) covers all tries, but not the waiting for a turn.

    `gate` bounds connections to this sshd, `turns` handshakes at a time over all hosts. A host that
    does not answer at all takes no turn. Raises UnreachableError, HostKeyError.
    """
    budget = Budget(timeout)
    offer = await ring.offer(target)
    for attempt in range(1, TRIES + 1):
        try:
            async with gate.enter():
                return await _attempt(target, ring, offer, budget, turns, tunnel)
        except _Refused as exc:
            gate.narrow()
            pause = random.uniform(*PAUSE) * attempt  # noqa: S311 - no secret
            if attempt == TRIES or budget.left <= pause:
                cause = exc.__cause__ or exc
                raise handshake_trouble(target, cause, greeted=False, offer=offer.words) from None
            budget.left -= pause
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def _attempt(
    target: Target, ring: KeyRing, offer: Offer, budget: Budget, turns: asyncio.Semaphore, tunnel: Link | None
) -> Link:
    sock = None
    if tunnel is None and not target.proxied:
        try:
            async with budget.spend():
                sock = await _dial(target)
        except TimeoutError:
            raise unreachable(target, f"no answer within {budget.total:g} s") from None
        except OSError as exc:
            if isinstance(exc, ConnectionResetError):
                raise _Refused from exc
            raise unreachable(target, os_reason(exc)) from None
    watch = Watch()
    known = ring.known_hosts(target.known_hosts)
    try:
        async with turns, budget.spend():
            connection = await asyncssh.connect(
                target.address.strip("[]"),
                target.port,
                sock=sock,
                tunnel=tunnel.connection if tunnel else None,
                config=list(target.config),
                client_factory=lambda: watch,
                known_hosts=known,
                username=target.user,
                client_keys=list(offer.keys) or None,
                client_certs=list(target.certificates),
                agent_path="",  # the agent's keys are in the offer
                agent_forwarding=False,
                x509_trusted_certs=None,
                gss_host=None,
                gss_kex=False,
                host_based_auth=False,
                password_auth=False,
                kbdint_auth=False,
                keepalive_interval=target.keepalive,
                connect_timeout=None,
                login_timeout=budget.total,
                command=None,
                request_pty=False,
                x11_forwarding=False,
                env=None,
                send_env=None,
                encoding=None,
            )
    except TimeoutError:
        raise unreachable(target, f"connected, but no SSH login within {budget.total:g} s") from None
    except (asyncssh.Error, OSError, ValueError) as exc:
        raise _trouble(target, exc, watch, known, offer) from exc
    finally:
        if sock is not None and watch.connection is None:
            sock.close()
    return Link(target, connection, watch)


def _trouble(
    target: Target, exc: Exception, watch: Watch, known: asyncssh.SSHKnownHosts, offer: Offer
) -> UnreachableError | _Refused:
    """What to raise for a handshake that failed."""
    if isinstance(exc, asyncssh.HostKeyNotVerifiable) or (
        isinstance(exc, asyncssh.KeyExchangeFailed) and "host key" in exc.reason.lower()
    ):
        peer = watch.connection.get_extra_info("peername") if watch.connection else None
        address = peer[0] if peer else ""
        port = None if target.port == asyncssh.DEFAULT_PORT else target.port
        keys = known.match(target.lookup, address, port)[0]
        return host_key_trouble(target, str(exc).lower(), watch.shown, keys)
    if not watch.greeted and isinstance(exc, asyncssh.ConnectionLost | ConnectionError):
        return _Refused()
    return handshake_trouble(target, exc, greeted=watch.greeted, offer=offer.words)


async def _dial(target: Target) -> socket.socket:
    """A TCP connection to the first address that answers; raises OSError of the last one that did not."""
    loop = asyncio.get_running_loop()
    places = await loop.getaddrinfo(target.host, target.port, family=target.family, type=socket.SOCK_STREAM)
    last: OSError = OSError("no address")
    for family, kind, protocol, _, place in places:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            if target.bind:
                sock.bind(target.bind)
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
