"""First contact: the keys that a host shows, whether they are the right ones, and known_hosts."""

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
"""A host has one key of each type at most; each takes a key exchange of its own, as with ssh-keyscan(1)."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key that a host has shown, and proved that it has."""

    algorithm: str
    fingerprint: str
    line: str  # of known_hosts


@dataclass(frozen=True, slots=True)
class PresentedKeys:
    """A host whose keys are not known yet; `file` is where they would be written."""

    label: str
    keys: tuple[HostKey, ...]
    file: Path


@dataclass(frozen=True, slots=True)
class Trusted:
    """What came of it: whom we met, as accepted, and why a login failed all the same."""

    met: tuple[PresentedKeys, ...]
    login_error: str = ""


Accept = Callable[[PresentedKeys], Awaitable[Sequence[HostKey]]]
"""Shows a meeting to somebody; gives the keys to trust from now on, none to give up."""

Connect = Callable[[Target, Link | None], Awaitable[Link]]


async def trust(way: Sequence[Target], connect: Connect, accept: Accept, links: list[Link], timeout: float) -> Trusted:
    """Get to know each host of a way whose key is unknown, the outermost first.

    The connections that it takes are added to `links`. `timeout` (seconds) bounds each key exchange.
    Raises HostKeyError when a key has changed or is revoked, or none was accepted; UnreachableError.
    """
    met: list[PresentedKeys] = []
    for target in way:
        tunnel = links[-1] if links else None
        try:
            links.append(await connect(target, tunnel))
            continue
        except HostKeyError:
            meeting = await _meet(target, tunnel, timeout)
            if meeting is None:
                raise
        chosen = tuple(await accept(meeting))
        if not chosen:
            raise HostKeyError(f"cannot trust {target.label}: its keys were not accepted")
        remember(meeting.file, [key.line for key in chosen])
        met.append(PresentedKeys(meeting.label, chosen, meeting.file))
        try:
            links.append(await connect(target, tunnel))
        except HostKeyError:
            raise
        except UnreachableError as exc:
            if target is not way[-1]:
                raise
            return Trusted(tuple(met), str(exc))
    return Trusted(tuple(met))


async def _meet(target: Target, tunnel: Link | None, timeout: float) -> PresentedKeys | None:
    """The keys of a host that nothing is known of; None when something is."""
    keys = []
    trouble: Exception | None = None
    for types in TYPES:
        try:
            async with asyncio.timeout(timeout):
                key, peer = await _shown(target, tunnel, types, timeout)
        except TimeoutError:
            raise unreachable(target, f"no host key within {timeout:g} s") from None
        except (asyncssh.Error, OSError) as exc:
            trouble = exc  # it has no key of that type, as a rule: some say so, some hang up
            continue
        if any(known.marker != "cert-authority" for known in known_keys(target, peer)):
            return None
        public = " ".join(key.export_public_key().decode().split()[:2])
        keys.append(HostKey(key.get_algorithm(), key.get_fingerprint(), new_line(target, public)))
    if not keys:
        reason = os_reason(trouble) if isinstance(trouble, OSError) else str(trouble)
        raise unreachable(target, f"it shows no host key: {reason}")
    if target.trust_file is None:
        raise HostKeyError(
            f"cannot trust {target.label}: ssh_config's UserKnownHostsFile names no file to write its key to"
        )
    return PresentedKeys(target.label, tuple(keys), target.trust_file)


async def _shown(
    target: Target, tunnel: Link | None, types: Sequence[str], seconds: float
) -> tuple[asyncssh.SSHKey, str]:
    """The host's key of one of these types, and the address that showed it (empty behind a proxy)."""
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
