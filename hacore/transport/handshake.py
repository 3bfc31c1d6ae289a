"""A login by SSH: the options that asyncssh gets, and the next step after a failed one. Both are pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import asyncssh

from .algorithms import HOST_KEYS, safe_algorithms, without_sha1
from .keys import Offer
from .settings import Target

Types = str | tuple[()] | list[str]
"""The types of host keys to ask for, as asyncssh's `server_host_key_algs`."""

KNOWN_TYPES: Types = ()
"""Those of which known_hosts has a key of the host."""

ALL_TYPES: Types = list(HOST_KEYS)
"""All: the host is not trusted, and the message shows the key that it presents."""


def login_options(target: Target, offer: Offer, types: Types, seconds: float) -> dict[str, Any]:
    """The options of a login: keys only, nothing forwarded, no terminal, no environment.

    `seconds` bounds the login. Agent keys are part of the offer: asyncssh gets no agent, so it can neither
    forward it nor ask it for more.
    """
    safe = safe_algorithms(target.algorithms)
    return {
        "config": list(target.config),
        **safe,
        "server_host_key_algs": types or safe.get("server_host_key_algs", types),
        "username": target.user,
        "client_keys": list(offer.keys) or None,
        "client_certs": list(target.certificates),
        "agent_path": "",
        "agent_forwarding": False,
        "x509_trusted_certs": None,
        "gss_host": None,
        "gss_kex": False,
        "host_based_auth": False,
        "password_auth": False,
        "kbdint_auth": False,
        "keepalive_interval": target.keepalive,
        "connect_timeout": None,
        "login_timeout": seconds,
        "command": None,
        "request_pty": False,
        "x11_forwarding": False,
        "env": None,
        "send_env": None,
        "encoding": None,
    }


class Outcome(Enum):
    """What follows from a failed handshake."""

    OTHER_TYPES = "ask for host keys of other types"
    BUSY = "try again: sshd closed the connection before SSH began"
    UNTRUSTED = "the host key cannot be trusted"
    FAILED = "the handshake or the login failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """A handshake that failed: the error, and how far it went.

    `greeted`: an SSH server sent its version. `in_key_exchange`: it did, and has not presented a key.
    """

    error: Exception
    greeted: bool
    in_key_exchange: bool

    @property
    def unverifiable(self) -> bool:
        """Whether asyncssh rejected the host key or its certificate."""
        return isinstance(self.error, asyncssh.HostKeyNotVerifiable)

    def outcome(self, types: Types, *, trusted: bool) -> Outcome:
        """The next step; `trusted`: known_hosts has a valid key of the host, `types` were asked for.

        A host without a key of a known type is asked once more: for the plain keys of known_hosts if it
        presented a certificate that is not valid, else for any key. A revoked key ends the attempt.
        """
        revoked = "revoked" in str(self.error).lower()
        if trusted and types == KNOWN_TYPES and self.in_key_exchange and not revoked:
            return Outcome.OTHER_TYPES
        if self.unverifiable:
            return Outcome.UNTRUSTED
        if not self.greeted and isinstance(self.error, asyncssh.ConnectionLost | ConnectionError):
            return Outcome.BUSY
        return Outcome.FAILED

    def other_types(self, trusted: Sequence[asyncssh.SSHKey]) -> Types:
        """The types to ask for next: of the trusted keys after an invalid certificate, else all."""
        plain = [algorithm.decode() for key in trusted for algorithm in key.sig_algorithms]
        return without_sha1(plain) if self.unverifiable else ALL_TYPES
