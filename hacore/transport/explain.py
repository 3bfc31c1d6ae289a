"""Why a host cannot be reached, in words that say what to do."""

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
    """An error of the network below SSH in a few words."""
    if isinstance(exc, socket.gaierror):
        if exc.errno == socket.EAI_AGAIN:
            return "no name server answers for its name"
        return "name not found"
    return _ERRNO.get(exc.errno or 0, (exc.strerror or str(exc) or type(exc).__name__).lower())


def unreachable(target: Target, reason: str, via: str = "") -> UnreachableError:
    """`cannot reach lb1@192.168.1.166:22: connection refused`."""
    return UnreachableError(f"cannot reach {target.label}{via}: {reason}")


def host_key_trouble(
    target: Target, said: str, offered: asyncssh.SSHKey | None, known: Sequence[KnownKey]
) -> HostKeyError:
    """The host's key is unknown, changed, revoked or of no known type.

    `said` is asyncssh's reason, `offered` the key the host showed, `known` what known_hosts says of it.
    """
    head = f"cannot trust {target.label}: "
    accept = f"hacore trust {shlex.quote(target.wanted)}"
    before = [entry for entry in known if not entry.marker]
    revoked = [entry.where for entry in known if entry.marker == "revoked"]
    if "revoked" in said or (revoked and not before):
        return HostKeyError(f"{head}its host key is marked as revoked in {', '.join(revoked) or 'known_hosts'}")
    if before and offered is not None:
        was = ", ".join(f"{_fingerprint(entry.key)} ({entry.where})" for entry in before)
        forget = " and ".join(
            f"ssh-keygen -f {shlex.quote(str(path))} -R {shlex.quote(host_name(target))}"
            for path in sorted({entry.path for entry in before})
        )
        return HostKeyError(
            f"{head}its host key has changed: known is {was}, it now shows {_fingerprint(offered)}. Either the "
            f"machine was installed anew, or somebody is in between. If you know why: {forget}, then {accept}"
        )
    if offered is not None:
        return HostKeyError(
            f"{head}its host key is unknown: it shows {_fingerprint(offered)}. Compare that with the host's own "
            f"and accept it with: {accept}"
        )
    return HostKeyError(
        f"{head}its host key cannot be verified: {said}; to trust the key without its certificate: {accept}"
    )


def _fingerprint(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


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
        closed = exc.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
        hint = " (it forwards nothing, or not to there: AllowTcpForwarding, PermitOpen)" if closed else ""
        return unreachable(target, f"the jump host says: {exc.reason}{hint}")
    if isinstance(exc, asyncssh.DisconnectError):
        return unreachable(target, f"the SSH handshake failed: {exc.reason}")
    if isinstance(exc, OSError):
        return unreachable(target, os_reason(exc))
    return unreachable(target, f"the SSH handshake failed: {exc or type(exc).__name__}")
