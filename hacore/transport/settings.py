"""What ssh_config(5) and the stack say together about one host: a Target, every question answered.

What the stack gives wins over ssh_config, the user's file over the system's, the first value over
later ones. asyncssh reads the files; where it and ssh(1) differ on what is safe, ssh(1) holds: both
known_hosts files count, and `UserKnownHostsFile none` knows nobody instead of trusting everybody.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any, cast

import asyncssh

from ..errors import UnreachableError
from ..model import Host
from .sshconfig import follow_ssh, missing_names

VARIABLE = "HACORE_SSH_CONFIG"
SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")

KEEPALIVE = 15.0
"""Seconds of silence after which the host is asked whether it lives; three unanswered mean it does not."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, as whom, with which keys, and whom to trust there."""

    name: str  # in the stack
    address: str  # as the stack has it: what ssh(1) would be given
    host: str  # as ssh_config has it: what is connected to
    port: int
    user: str
    lookup: str  # the name in known_hosts
    known_hosts: tuple[Path, ...]
    identities: tuple[Path, ...]
    identities_only: bool
    certificates: tuple[str, ...]
    agent: str  # socket path; empty: none
    jump: str | None
    proxied: bool
    direct: bool  # a TCP connection to host and port is all it takes
    family: int
    bind: tuple[str, int] | None
    keepalive: float
    config: tuple[str, ...]  # files to read again when connecting
    trust_file: Path | None  # where a key is written once it is accepted; None: nowhere
    hash_names: bool  # whether it is written there without saying whose it is
    wanted: str = field(compare=False)  # the host of the stack that this is on the way to, or is

    @property
    def label(self) -> str:
        """How messages name it: `lb1@192.168.1.166:22`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}@{host}:{self.port}"


def config_files(chosen: Sequence[Path] | None) -> tuple[str, ...]:
    """The ssh_config files to read, the strongest first.

    The chosen ones, else that of HACORE_SSH_CONFIG alone, as with `ssh -F`, else those that ssh(1) reads.
    """
    named = os.environ.get(VARIABLE)
    if chosen is None and named:
        chosen = [Path(named)]
    files = [Path.home() / ".ssh" / "config", SYSTEM_CONFIG] if chosen is None else chosen
    return tuple(str(file) for file in files if chosen is not None or os.access(file, os.R_OK))


def resolve(host: Host, config: tuple[str, ...]) -> Target:
    """Look a host up. Reads files, may run what `Match exec` names; raises UnreachableError."""
    if missing := missing_names():
        raise UnreachableError(f"cannot reach {host.name}: {missing}")
    follow_ssh()
    wish = host.connection
    address = host.address.removeprefix("[").removesuffix("]")
    try:
        options = asyncssh.SSHClientConnectionOptions(
            config=list(config),
            host=address,
            port=wish.port if wish.port is not None else (),
            username=wish.user if wish.user is not None else (),
            client_keys=None,
            known_hosts=b"",
        )
    except (asyncssh.ConfigParseError, OSError, UnicodeDecodeError) as exc:
        raise UnreachableError(f"cannot reach {host.name}: ssh_config cannot be read: {exc}") from None
    except ValueError as exc:
        raise UnreachableError(f"cannot reach {host.name}: ssh_config does not fit: {exc}") from None
    get = options.config.get
    lookup = options.host_key_alias or options.host
    tokens = {
        "d": str(Path.home()),
        "h": options.host,
        "k": lookup,
        "n": address,
        "p": str(options.port),
        "r": options.username,
        "u": getuser(),
    }
    users = _strings(get("UserKnownHostsFile"), USER_KNOWN_HOSTS)
    systems = _strings(get("GlobalKnownHostsFile"), SYSTEM_KNOWN_HOSTS)
    chosen = (wish.identity_file,) if wish.identity_file else _strings(get("IdentityFile"), DEFAULT_IDENTITIES)
    return Target(
        name=host.name,
        address=host.address,
        host=options.host,
        port=options.port,
        user=options.username,
        lookup=lookup,
        known_hosts=tuple(_path(file, tokens) for file in (*users, *systems)),
        identities=tuple(Path(file).expanduser() for file in chosen),
        identities_only=bool(wish.identity_file or get("IdentitiesOnly")),
        certificates=tuple(
            file for file in _strings(get("CertificateFile"), ()) if os.access(Path(file).expanduser(), os.R_OK)
        ),
        agent=_agent(get("IdentityAgent", "SSH_AUTH_SOCK")),
        jump=cast("str | None", options.tunnel) or None,
        proxied=bool(options.proxy_command),
        direct=not (options.proxy_command or options.tunnel or _canonicalized(options)),
        family=options.family or socket.AF_UNSPEC,
        bind=cast("tuple[str, int] | None", options.local_addr),
        keepalive=options.keepalive_interval or KEEPALIVE,
        config=config,
        trust_file=_trust_file(_path(file, tokens) for file in users),
        hash_names=bool(get("HashKnownHosts")),
        wanted=host.name,
    )


def _trust_file(users: Iterable[Path]) -> Path | None:
    first = next(iter(users), None)
    return None if first == Path(os.devnull) else first


def _strings(value: Any, default: Sequence[str]) -> tuple[str, ...]:
    return tuple(default) if value is None else tuple(item for item in value if item.lower() != "none")


def _canonicalized(options: asyncssh.SSHClientConnectionOptions) -> bool:
    """Whether the name to connect to is only found out while connecting."""
    return bool(options.canonicalize_hostname) or options.config.has_match_final()


def _path(text: str, tokens: Mapping[str, str]) -> Path:
    """A file name of ssh_config with its %tokens and a leading ~ replaced."""
    named = re.sub(r"%(.)", lambda found: "%" if found[1] == "%" else tokens.get(found[1], found[0]), text)
    return Path(os.path.expandvars(named)).expanduser()


def _agent(value: Any) -> str:
    """The agent's socket: ssh_config's IdentityAgent may name a path, a variable, or none."""
    if not value:
        return ""
    text = str(value)
    if text == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    return os.path.expandvars(str(Path(text).expanduser()))
