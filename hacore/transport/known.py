"""What known_hosts files say of one host, line by line, and a line more when its key is accepted."""

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
    """The name under which known_hosts has the host: with its port, unless that is 22."""
    return target.lookup if target.port == asyncssh.DEFAULT_PORT else f"[{target.lookup}]:{target.port}"


def new_line(target: Target, public: str) -> str:
    """The line that makes a host's key known; with HashKnownHosts its name is a salted hash, as ssh(1) has it."""
    name = host_name(target)
    if target.hash_names:
        salt = os.urandom(hashlib.sha1(usedforsecurity=False).digest_size)
        digest = hmac.new(salt, name.encode(), "sha1").digest()
        name = "|".join(["", "1", *(base64.b64encode(part).decode() for part in (salt, digest))])
    return f"{name} {public}"


def known_keys(target: Target, peer: str) -> list[KnownKey]:
    """Every line about a host, by its name or its numeric address `peer`.

    What is known of an address without a port is about port 22, as for ssh(1): it lets a host at
    another port in, but another key there is an unknown one, not a changed one.
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
    """Add lines to a known_hosts file, which is made for its owner alone when there is none.

    One write at the end of the file: what is there stays, also what others add at the same time.
    Raises TransportError.
    """
    try:
        append_lines(path, lines)
    except OSError as exc:
        raise TransportError(f"cannot remember the host key: {path} cannot be written: {exc.strerror}") from None
