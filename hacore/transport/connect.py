"""From a Target to a logged-in connection: TCP, handshake, a second try when sshd was too busy."""

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
from .keys import KeyRing, Offer
from .known import known_keys
from .settings import Target

TRIES = 3
PAUSE = (0.1, 0.4)
"""Seconds between tries, from and to: random, so that those who were refused together do not return together."""

PATIENCE = 1.0
"""Seconds that a proxy command may take to end after its connection."""


class Watch(asyncssh.SSHClient):
    """Sees what asyncssh tells a client only while it connects, and whether the connection lives."""

    def __init__(self) -> None:
        self.connection: asyncssh.SSHClientConnection | None = None
        self.shown: asyncssh.SSHKey | None = None
        self.alive = False
        self._proxy: subprocess.Popen[bytes] | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """There is a transport; SSH begins."""
        self.connection = conn
        self.alive = True
        self._proxy = conn.get_extra_info("subprocess")

    def connection_lost(self, _exc: Exception | None) -> None:
        """It is over."""
        self.alive = False

    def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        """Asked about a key that is not in known_hosts: never trusted, but remembered for the message."""
        self.shown = key
        return False

    async def gone(self, patience: float) -> None:
        """Wait, `patience` seconds at most, until the proxy command of a closed connection has ended.

        asyncio would complain about one that ends after its event loop.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._proxy is not None and self._proxy.returncode is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)

    @property
    def greeted(self) -> bool:
        """Whether an SSH server introduced itself."""
        return bool(self.connection and self.connection.get_extra_info("server_version"))

    @property
    def in_key_exchange(self) -> bool:
        """Whether a server introduced itself, but has not shown its key."""
        shown = self.shown or (self.connection and self.connection.get_server_host_key())
        return self.greeted and not shown

    @property
    def peer(self) -> str:
        """The numeric address of the other side; empty behind a proxy command."""
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
        """Whether commands can still be sent over it."""
        return self.watch.alive


Types = str | tuple[()] | list[str]

KNOWN_TYPES = ()
ALL_TYPES = "default"
"""Which host keys to ask for: of the types in known_hosts, or any at all, to show what is there instead."""


class _OtherTypes(Exception):  # noqa: N818 - not a fault: ask for other types
    """The host showed no key of a known type, or a certificate that does not hold where its key might."""

    def __init__(self, types: Types) -> None:
        super().__init__()
        self.types = types


class _Refused(Exception):  # noqa: N818 - not a fault: try again
    """The connection was closed before SSH began, as a busy sshd does."""


async def connect(
    target: Target, ring: KeyRing, *, timeout: float, gate: Gate, turns: asyncio.Semaphore, tunnel: Link | None
) -> Link:
    """Log in to a host; `timeout` (seconds) covers all tries, but not the waiting for a turn.

    `gate` bounds connections to this sshd, `turns` handshakes at a time over all hosts. A host that
    does not answer at all takes no turn, unless it lies behind a jump host or a proxy command. Raises
    UnreachableError, HostKeyError.
    """
    budget = Budget(timeout)
    offer = await ring.offer(target)
    types: Types = KNOWN_TYPES
    refused = 0
    while True:
        try:
            async with gate.enter():
                return await _attempt(target, ring, offer, budget, turns, tunnel, types)
        except _OtherTypes as exc:
            types = exc.types
        except _Refused as exc:
            gate.narrow()
            refused += 1
            pause = random.uniform(*PAUSE) * refused  # noqa: S311 - no secret
            if refused == TRIES or budget.left <= pause:
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
    sock = None
    if tunnel is None and target.direct:
        try:
            async with budget.spend():
                sock = await dial(target, budget.left)
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
                server_host_key_algs=types,
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
        port = None if target.port == asyncssh.DEFAULT_PORT else target.port
        trusted = known.match(target.lookup, watch.peer, port)[0]
        unsure = isinstance(exc, asyncssh.HostKeyNotVerifiable)
        if trusted and types == KNOWN_TYPES and watch.in_key_exchange and "revoked" not in str(exc).lower():
            plain = [algorithm.decode() for key in trusted for algorithm in key.sig_algorithms]
            raise _OtherTypes(plain if unsure else ALL_TYPES) from exc
        if unsure:
            raise host_key_trouble(target, str(exc).lower(), watch.shown, known_keys(target, watch.peer)) from exc
        if not watch.greeted and isinstance(exc, asyncssh.ConnectionLost | ConnectionError):
            raise _Refused from exc
        raise handshake_trouble(target, exc, greeted=watch.greeted, offer=offer.words) from exc
    finally:
        if sock is not None and watch.connection is None:
            sock.close()
        if not watch.alive:
            await watch.gone(PATIENCE)
    return Link(target, connection, watch)


async def dial(target: Target, seconds: float) -> socket.socket:
    """A TCP connection to the first address of a host that answers.

    Each of several gets its share of `seconds`. Raises OSError of the last one.
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
