"""Keys to log in with and keys to trust: each file and agent is read once for all hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh
from asyncssh.public_key import CERT_TYPE_USER, SSHOpenSSHCertificate

from .settings import Target

Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """A key file: its private key if usable without a passphrase, its public half, and the obstacle if there is one."""

    path: Path
    private: asyncssh.SSHKey | None = None
    certificate: asyncssh.SSHCertificate | None = None
    public: bytes = b""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The keys to log in with, best first, and a description of them and of the keys that cannot be used."""

    keys: tuple[asyncssh.SSHKey | asyncssh.SSHKeyPair | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate], ...]
    words: str


def read_identity(path: Path) -> Identity:
    """Read a key file. One that has only a public key, or is encrypted, names a key in the agent."""
    try:
        private = asyncssh.read_private_key(path)
    except OSError as exc:
        return Identity(path, public=_public(path), trouble=(exc.strerror or str(exc)).lower())
    except asyncssh.KeyEncryptionError as exc:
        return Identity(path, public=_public(path), trouble=str(exc).lower())
    except asyncssh.KeyImportError as exc:
        public = _public(path)
        locked = "passphrase" in str(exc).lower()
        trouble = "needs a passphrase" if locked else "is a public key" if public else str(exc).lower()
        return Identity(path, public=public, trouble=trouble)
    try:
        certificate = asyncssh.read_certificate(f"{path}-cert.pub")
    except (OSError, asyncssh.KeyImportError):
        certificate = None
    return Identity(path, private, certificate, private.public_data)


def _about(certificate: asyncssh.SSHCertificate | None) -> str:
    """A description of the certificate beside a key, with the reason when it is not valid."""
    if not isinstance(certificate, SSHOpenSSHCertificate):
        return ""
    try:
        certificate.validate(CERT_TYPE_USER, None)
    except ValueError as exc:
        return f" with an invalid certificate ({str(exc).lower()})"
    return f" with a certificate for {', '.join(certificate.principals) or 'any user'}"


def _public(path: Path) -> bytes:
    for file in (f"{path}.pub", path):
        try:
            return asyncssh.read_public_key(file).public_data
        except (OSError, asyncssh.KeyImportError):
            continue
    return b""


class KeyRing:
    """The keys, known hosts and agents that all connections share."""

    def __init__(self) -> None:
        self._identities: dict[Path, Identity] = {}
        self._known: dict[tuple[Path, ...], tuple[Stamp, asyncssh.SSHKnownHosts]] = {}
        self._agents: dict[str, asyncssh.SSHAgentClient] = {}
        self._asking = asyncio.Lock()

    async def offer(self, target: Target) -> Offer:
        """The keys to log in to `target` with.

        Named keys are first, other keys of the agent (unless IdentitiesOnly) last: sshd counts each offered
        key against MaxAuthTries, 6 by default.
        """
        files = [self._identity(path) for path in target.identities]
        held, about = await self._held(target.agent)
        keys: list[asyncssh.SSHKey | asyncssh.SSHKeyPair | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]] = []
        words = []
        for file in files:
            if file.private is not None:
                if file.certificate is not None:
                    keys.append((file.private, file.certificate))
                else:
                    keys.append(file.private)
                words.append(f"key {file.path}{_about(file.certificate)}")
            elif file.public in held:
                keys.append(held[file.public])
                words.append(f"key {file.path} in the agent")
            else:
                words.append(f"not {file.path} ({file.trouble})")
        named = {file.public for file in files}
        others = [] if target.identities_only else [key for blob, key in held.items() if blob not in named]
        if others:
            words.append(f"{len(others)} more keys in the agent" if keys else f"{len(others)} keys in the agent")
        if about:
            words.append(about)
        return Offer((*keys, *others), ", ".join(words))

    def known_hosts(self, paths: tuple[Path, ...]) -> asyncssh.SSHKnownHosts:
        """The known hosts of some files, read again when one of them has changed.

        As in ssh(1), a missing file is empty and an unreadable line is skipped.
        """
        stamp = tuple(_stamp(path) for path in paths)
        kept = self._known.get(paths)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        known = asyncssh.SSHKnownHosts()
        for path in paths:
            try:
                lines = path.read_text("utf-8", "replace").splitlines()
            except OSError:
                continue
            for line in lines:
                try:
                    known.load(line)
                except ValueError:
                    continue
        self._known[paths] = (stamp, known)
        return known

    async def close(self) -> None:
        """Close the connections to agents."""
        agents = list(self._agents.values())
        self._agents.clear()
        for agent in agents:
            agent.close()
            await agent.wait_closed()

    def _identity(self, path: Path) -> Identity:
        if path not in self._identities:
            self._identities[path] = read_identity(path)
        return self._identities[path]

    async def _held(self, path: str) -> tuple[dict[bytes, asyncssh.SSHKeyPair], str]:
        """The agent's keys by public half, and the reason when there are none."""
        if not path:
            return {}, "no agent"
        try:
            async with self._asking:
                if path not in self._agents:
                    self._agents[path] = await asyncssh.connect_agent(path)
            pairs: Sequence[asyncssh.SSHKeyPair] = await self._agents[path].get_keys()
        except (OSError, ValueError):
            return {}, f"no answer from the agent at {path}"
        return {pair.key_public_data: pair for pair in pairs}, "" if pairs else "no key in the agent"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
