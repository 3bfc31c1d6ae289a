"""The lines of known_hosts about a host, and new lines for accepted keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from ..disk import append_lines
from ..errors import TransportError
from .settings import Target


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key of a known_hosts file; `marker` as in sshd(8): `revoked`, `cert-authority`, or empty."""

    path: Path
    line: int
    marker: str
    key: asyncssh.SSHKey

    @property
    def where(self) -> str:
        """`FILE:LINE`."""
        return f"{self.path}:{self.line}"


def host_name(target: Target) -> str:
    """The host's name in known_hosts: with its port, unless that is 22."""
    return target.lookup if target.port == asyncssh.DEFAULT_PORT else f"[{target.lookup}]:{target.port}"


def new_line(target: Target, public: str) -> str:
    """The line of known_hosts for a host's key; with HashKnownHosts its name is a salted hash, as in ssh(1)."""
    name = host_name(target)
    if target.hash_names:
        salt = os.urandom(hashlib.sha1(usedforsecurity=False).digest_size)
        digest = hmac.new(salt, name.encode(), "sha1").digest()
        name = "|".join(["", "1", *(base64.b64encode(part).decode() for part in (salt, digest))])
    return f"{name} {public}"


def known_keys(target: Target, peer: str) -> list[KnownKey]:
    """Every line about a host, by its name or its numeric address `peer`.

    A line for an address without a port is about port 22, as in ssh(1): its key is accepted on another port
    as well, but a different key on another port is unknown, not changed.
    """
    names = [host_name(target)]
    if peer:
        names.append(peer if target.port == asyncssh.DEFAULT_PORT else f"[{peer}]:{target.port}")
    return [known for path in target.known_hosts for known in _of_file(path, names)]


def _of_file(path: Path, names: Sequence[str]) -> Iterator[KnownKey]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        one = asyncssh.SSHKnownHosts()
        try:
            one.load(line)
        except ValueError:
            continue
        for name in names:
            keys, authorities, revoked, *_ = one.match(name, "", None)
            found = [("", k) for k in keys] + [("cert-authority", k) for k in authorities]
            found += [("revoked", k) for k in revoked]
            yield from (KnownKey(path, number, marker, key) for marker, key in found)
            if found:
                break


def remember(path: Path, lines: Sequence[str]) -> None:
    """Append lines to a known_hosts file; a new file has mode 0600.

    One write at the end of the file: present lines and lines that others append at the same time are kept.
    Raises TransportError.
    """
    try:
        append_lines(path, lines)
    except OSError as exc:
        raise TransportError(f"cannot add the host key: {path} cannot be written: {exc.strerror}") from None
