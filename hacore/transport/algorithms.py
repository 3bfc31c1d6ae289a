"""The algorithms of a connection: those of asyncssh without SHA-1, as ssh(1) has them since OpenSSH 8.8.

What ssh_config(5) names is used as it is named there, so that an old sshd can be allowed for one host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any

import asyncssh

__all__ = ["HOST_KEYS", "OPTIONS", "safe_algorithms", "without_sha1"]

OPTIONS = {
    "KexAlgorithms": ("kex_algs", "-*-sha1"),
    "MACs": ("mac_algs", "-hmac-sha1*"),
    "HostKeyAlgorithms": ("server_host_key_algs", "-ssh-rsa,ssh-rsa-cert-v01@openssh.com"),
}
"""Of each option of ssh_config that chooses algorithms: the argument of asyncssh, and what is left out by default."""

HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""The types of plain host keys, the best first. An RSA key signs with SHA-2."""

_SHA1_KEYS = ("ssh-rsa", "ssh-rsa-cert-v01@openssh.com")


def safe_algorithms(chosen: Iterable[str]) -> Mapping[str, str]:
    """Arguments for asyncssh that leave SHA-1 out. `chosen`: the options that ssh_config sets, which are kept."""
    kept = frozenset(chosen)
    return {name: value for option, (name, value) in OPTIONS.items() if option not in kept and _known(name, value)}


def without_sha1(types: Iterable[str]) -> list[str]:
    """The types of host keys, without those that are signed with SHA-1."""
    return [name for name in types if name not in _SHA1_KEYS]


@cache
def _known(name: str, value: str) -> bool:
    """Whether this asyncssh has what is left out: it refuses names that it does not know, such as removed ones."""
    check = partial(asyncssh.SSHClientConnectionOptions, config=None, known_hosts=b"", client_keys=None)
    given: dict[str, Any] = {name: value}
    try:
        check(**given)
    except ValueError:
        return False
    return True
