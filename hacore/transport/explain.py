"""Why a host cannot be reached, in words that say what to do."""

from __future__ import annotations

import errno
import shlex
import socket
from collections.abc import Sequence

import asyncssh

from ..errors import HostKeyError, UnreachableError
from .settings import Target

_ERRNO = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
    errno.ETIMEDOUT: "no answer",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection closed",
    errno.EACCES: "not permitted by a local firewall rule",
    errno.EPERM: "not permitted by a local firewall rule",
}


def os_reason(exc: OSError) -> str:
    """An error of the network below SSH in a few words."""
    if isinstance(exc, socket.gaierror):
        if exc.errno == socket.EAI_AGAIN:
            return "no name server answers for its name"
        return "name not found"
    return _ERRNO.get(exc.errno or 0, (exc.strerror or str(exc) or type(exc).__name__).lower())


def unreachable(target: Target, reason: str, via: str = "") -> UnreachableError:
    """`cannot reach lb1@192.168.1.166:22: connection refused`."""
    return UnreachableError(f"cannot reach {target.label}{via}: {reason}")


def ssh_command(target: Target) -> str:
    """What to type to connect by hand, once, and look at the fingerprint."""
    return " ".join(["ssh", *map(shlex.quote, target.given), shlex.quote(f"{target.user}@{target.address}")])


def keygen_name(target: Target) -> str:
    """The name under which known_hosts has the host."""
    return target.lookup if target.port == asyncssh.DEFAULT_PORT else f"[{target.lookup}]:{target.port}"


def _fingerprints(keys: Sequence[asyncssh.SSHKey]) -> str:
    return ", ".join(f"{key.get_algorithm()} {key.get_fingerprint()}" for key in keys)


def host_key_trouble(
    target: Target, said: str, offered: asyncssh.SSHKey | None, known: Sequence[asyncssh.SSHKey]
) -> HostKeyError:
    """The host's key is unknown, changed, revoked or of no known type.

    `said` is asyncssh's reason, `offered` the key the host showed, `known` those of known_hosts.
    """
    head = f"cannot trust {target.label}: "
    if "revoked" in said:
        return HostKeyError(f"{head}its host key is marked as revoked in known_hosts")
    if known and offered is not None:
        return HostKeyError(
            f"{head}its host key has changed: known is {_fingerprints(known)}, it now shows "
            f"{_fingerprints([offered])}. Either the machine was installed anew, or somebody is "
            f"in between. If you know why: ssh-keygen -R "
            f"{shlex.quote(keygen_name(target))}, then check and accept the new fingerprint once with: "
            f"{ssh_command(target)}"
        )
    if offered is not None:
        return HostKeyError(
            f"{head}its host key is unknown: it shows {_fingerprints([offered])}. Check and accept the "
            f"fingerprint once with: {ssh_command(target)}"
        )
    return HostKeyError(f"{head}its host key cannot be verified: {said}")


def handshake_trouble(target: Target, exc: BaseException, *, greeted: bool, offer: str) -> UnreachableError:
    """What went wrong between the TCP connection and the login (but host keys).

    `greeted` tells whether an SSH server introduced itself, `offer` what there was to log in with.
    """
    if isinstance(exc, asyncssh.PermissionDenied) or (
        isinstance(exc, asyncssh.DisconnectError) and "authentication failures" in exc.reason
    ):
        detail = "" if isinstance(exc, asyncssh.PermissionDenied) else f" ({exc.reason})"
        return unreachable(target, f"login as {target.user} was refused{detail}; tried {offer or 'nothing'}")
    if isinstance(exc, asyncssh.KeyExchangeFailed):
        return unreachable(target, f"no common algorithm: {exc.reason}")
    if not greeted:
        if isinstance(exc, asyncssh.ConnectionLost | ConnectionError):
            hint = "the proxy command ended" if target.proxied else "MaxStartups, a penalty or a firewall"
            return unreachable(target, f"the connection was closed before SSH began ({hint})")
        if isinstance(exc, asyncssh.ProtocolError | asyncssh.ProtocolNotSupported):
            return unreachable(target, "what answers there is not an SSH server")
    if isinstance(exc, asyncssh.ChannelOpenError):
        return unreachable(target, f"the jump host says: {exc.reason}")
    if isinstance(exc, asyncssh.DisconnectError):
        return unreachable(target, f"the SSH handshake failed: {exc.reason}")
    if isinstance(exc, OSError):
        return unreachable(target, os_reason(exc))
    return unreachable(target, f"the SSH handshake failed: {exc or type(exc).__name__}")
