"""First contact: the keys that an unknown host presents, and their way into known_hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from ..errors import HostKeyError, UnreachableError
from .connect import Link, dial
from .explain import os_reason, unreachable
from .known import known_keys, new_line, remember
from .settings import Target

TYPES = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256"),
)
"""A host has at most one key of each type; each needs a key exchange of its own, as in ssh-keyscan(1)."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key that a host presented, with proof that it has the private half."""

    algorithm: str
    fingerprint: str
    line: str  # of known_hosts


@dataclass(frozen=True, slots=True)
class PresentedKeys:
    """The keys of an unknown host; `file` is the known_hosts file for those that are accepted."""

    label: str
    keys: tuple[HostKey, ...]
    file: Path


@dataclass(frozen=True, slots=True)
class Trusted:
    """The result: the hosts that are known now with their accepted keys, and the error if the login failed."""

    met: tuple[PresentedKeys, ...]
    login_error: str = ""


Accept = Callable[[PresentedKeys], Awaitable[Sequence[HostKey]]]
"""Asks which keys of an unknown host to accept; none: give up."""

Connect = Callable[[Target, Link | None], Awaitable[Link]]


async def trust(
    targets: Sequence[Target], connect: Connect, accept: Accept, links: list[Link], timeout: float
) -> Trusted:
    """Connect to each host of a route, the outermost first, and ask about the keys of the unknown ones.

    Connections are added to `links`. `timeout` (seconds) bounds each key exchange. Raises HostKeyError when
    a key has changed or is revoked, or none was accepted; UnreachableError.
    """
    met: list[PresentedKeys] = []
    for target in targets:
        tunnel = links[-1] if links else None
        try:
            links.append(await connect(target, tunnel))
            continue
        except HostKeyError:
            presented = await _presented(target, tunnel, timeout)
            if presented is None:
                raise
        chosen = tuple(await accept(presented))
        if not chosen:
            raise HostKeyError(f"cannot trust {target.label}: its keys were not accepted")
        remember(presented.file, [key.line for key in chosen])
        met.append(PresentedKeys(presented.label, chosen, presented.file))
        try:
            links.append(await connect(target, tunnel))
        except HostKeyError:
            raise
        except UnreachableError as exc:
            if target is not targets[-1]:
                raise
            return Trusted(tuple(met), str(exc))
    return Trusted(tuple(met))


async def _presented(target: Target, tunnel: Link | None, timeout: float) -> PresentedKeys | None:
    """The keys of an unknown host; None when known_hosts has a key of it, of whatever type."""
    keys = []
    trouble: Exception | None = None
    for types in TYPES:
        try:
            async with asyncio.timeout(timeout):
                key, peer = await _host_key(target, tunnel, types, timeout)
        except TimeoutError:
            raise unreachable(target, f"no host key within {timeout:g}s") from None
        except (asyncssh.Error, OSError) as exc:
            trouble = exc  # usually it has no key of that type: some servers report that, some close the connection
            continue
        if any(known.marker != "cert-authority" for known in known_keys(target, peer)):
            return None
        public = " ".join(key.export_public_key().decode().split()[:2])
        keys.append(HostKey(key.get_algorithm(), key.get_fingerprint(), new_line(target, public)))
    if not keys:
        reason = os_reason(trouble) if isinstance(trouble, OSError) else str(trouble)
        raise unreachable(target, f"it presents no host key: {reason}")
    if target.trust_file is None:
        raise HostKeyError(
            f"cannot trust {target.label}: ssh_config's UserKnownHostsFile names no file to write its key to"
        )
    return PresentedKeys(target.label, tuple(keys), target.trust_file)


async def _host_key(
    target: Target, tunnel: Link | None, types: Sequence[str], seconds: float
) -> tuple[asyncssh.SSHKey, str]:
    """The host's key of one of these types, and its numeric address (empty behind a proxy)."""
    sock = await dial(target, seconds) if tunnel is None and target.direct else None
    peer = str(sock.getpeername()[0]) if sock else ""
    key = await asyncssh.get_server_host_key(
        target.address.strip("[]"),
        target.port,
        sock=sock,
        tunnel=tunnel.connection if tunnel else None,
        config=list(target.config),
        server_host_key_algs=list(types),
    )
    assert key is not None  # a server without a host key does not get through a key exchange
    return key, peer
