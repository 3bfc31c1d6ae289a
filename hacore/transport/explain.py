"""Messages for a host that cannot be reached or trusted, with the next step."""

from __future__ import annotations

import errno
import shlex
import socket
from collections.abc import Sequence

import asyncssh

from ..errors import HostKeyError, UnreachableError
from .known import KnownKey, host_name
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
    """A network error below SSH, in a few words."""
    if isinstance(exc, socket.gaierror):
        if exc.errno == socket.EAI_AGAIN:
            return "no name server answered (temporary failure in name resolution)"
        return "name not found"
    return _ERRNO.get(exc.errno or 0, (exc.strerror or str(exc) or type(exc).__name__).lower())


def unreachable(target: Target, reason: str, via: str = "") -> UnreachableError:
    """`cannot reach lb1@192.168.1.166:22: connection refused`."""
    return UnreachableError(f"cannot reach {target.label}{via}: {reason}")


def host_key_trouble(
    target: Target, reason: str, offered: asyncssh.SSHKey | None, known: Sequence[KnownKey]
) -> HostKeyError:
    """The error for a host key that is unknown, changed, revoked or of another type than the known ones.

    `reason` is asyncssh's, in lowercase; `offered` the key that the host presented; `known` its lines in known_hosts.
    """
    head = f"cannot trust {target.label}: "
    accept = f"hacore trust {shlex.quote(target.wanted)}"
    before = [entry for entry in known if not entry.marker]
    revoked = [entry.where for entry in known if entry.marker == "revoked"]
    if "revoked" in reason or (revoked and not before):
        return HostKeyError(f"{head}its host key is marked as revoked in {', '.join(revoked) or 'known_hosts'}")
    if before and offered is not None:
        was = ", ".join(f"{_fingerprint(entry.key)} ({entry.where})" for entry in before)
        forget = " and ".join(
            f"ssh-keygen -f {shlex.quote(str(path))} -R {shlex.quote(host_name(target))}"
            for path in sorted({entry.path for entry in before})
        )
        return HostKeyError(
            f"{head}its host key has changed: known is {was}, presented is {_fingerprint(offered)}. Either the "
            "machine was reinstalled, or the connection is intercepted. "
            f"If you know the reason: {forget}, then {accept}"
        )
    if offered is not None:
        return HostKeyError(
            f"{head}its host key is unknown: presented is {_fingerprint(offered)}. Compare it with the key on the "
            f"host and accept it with: {accept}"
        )
    return HostKeyError(
        f"{head}its host key cannot be verified: {reason}; to trust the key without its certificate: {accept}"
    )


def _fingerprint(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def handshake_trouble(target: Target, exc: BaseException, *, greeted: bool, offer: str) -> UnreachableError:
    """The error for a failure between the TCP connection and the login, host keys excepted.

    `greeted`: an SSH server sent its version. `offer` names the keys that were tried.
    """
    if isinstance(exc, asyncssh.PermissionDenied) or (
        isinstance(exc, asyncssh.DisconnectError) and "authentication failures" in exc.reason
    ):
        detail = "" if isinstance(exc, asyncssh.PermissionDenied) else f" ({exc.reason})"
        return unreachable(target, f"login as {target.user} was refused{detail}; tried {offer or 'no key'}")
    if isinstance(exc, asyncssh.KeyExchangeFailed):
        return unreachable(target, f"no common algorithm: {exc.reason}")
    if not greeted:
        if isinstance(exc, asyncssh.ConnectionLost | ConnectionError):
            hint = "the proxy command ended" if target.proxied else "MaxStartups, a penalty or a firewall"
            return unreachable(target, f"the connection was closed before SSH began ({hint})")
        if isinstance(exc, asyncssh.ProtocolError | asyncssh.ProtocolNotSupported):
            return unreachable(target, "the server on this port is not an SSH server")
    if isinstance(exc, asyncssh.ChannelOpenError):
        closed = exc.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
        hint = " (forwarding is not allowed: see AllowTcpForwarding and PermitOpen on the jump host)" if closed else ""
        return unreachable(target, f"the jump host reports: {exc.reason}{hint}")
    if isinstance(exc, asyncssh.DisconnectError):
        return unreachable(target, f"the SSH handshake failed: {exc.reason}")
    if isinstance(exc, OSError):
        return unreachable(target, os_reason(exc))
    return unreachable(target, f"the SSH handshake failed: {exc or type(exc).__name__}")
