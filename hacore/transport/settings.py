"""The settings of a connection, from the stack and ssh_config(5): a Target.

The stack has precedence over ssh_config, the user's file over the system's, the first value over later
ones. asyncssh reads the files; where it is less safe than ssh(1), ssh(1) is followed: both known_hosts
files count, and `UserKnownHostsFile none` trusts no host instead of every host.
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
from .algorithms import OPTIONS
from .sshconfig import follow_ssh, missing_names

VARIABLE = "HACORE_SSH_CONFIG"
SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")

KEEPALIVE = 15.0
"""Seconds of silence before a keepalive request; after three without an answer the connection is lost."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address to connect to, with the user, the keys to log in with and the keys to trust."""

    name: str  # in the stack
    address: str  # in the stack: the argument of ssh(1)
    host: str  # the HostName of ssh_config
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
    direct: bool  # no proxy, no jump host: a TCP connection to host and port
    family: int
    bind: tuple[str, int] | None
    keepalive: float
    config: tuple[str, ...]  # ssh_config files, read again when connecting
    trust_file: Path | None  # for accepted keys; None: there is none
    hash_names: bool  # HashKnownHosts
    algorithms: frozenset[str]  # the options of ssh_config that choose algorithms
    wanted: str = field(compare=False)  # the host of the stack: this one, or the one behind this jump host

    @property
    def label(self) -> str:
        """The name in messages: `lb1@192.168.1.166:22`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}@{host}:{self.port}"


def config_files(chosen: Sequence[Path] | None) -> tuple[str, ...]:
    """The ssh_config files to read, the strongest first.

    The chosen ones, else HACORE_SSH_CONFIG alone, as with `ssh -F`, else those of ssh(1).
    """
    named = os.environ.get(VARIABLE)
    if chosen is None and named:
        chosen = [Path(named)]
    files = [Path.home() / ".ssh" / "config", SYSTEM_CONFIG] if chosen is None else chosen
    return tuple(str(file) for file in files if chosen is not None or os.access(file, os.R_OK))


def resolve(host: Host, config: tuple[str, ...]) -> Target:
    """The settings of a host. Reads files and runs the commands of `Match exec`; raises UnreachableError."""
    if missing := missing_names():
        raise UnreachableError(f"cannot reach {host.name}: {missing}")
    follow_ssh()
    given = host.connection
    address = host.address.removeprefix("[").removesuffix("]")
    try:
        options = asyncssh.SSHClientConnectionOptions(
            config=list(config),
            host=address,
            port=given.port if given.port is not None else (),
            username=given.user if given.user is not None else (),
            client_keys=None,
            known_hosts=b"",
        )
    except (asyncssh.ConfigParseError, OSError, UnicodeDecodeError) as exc:
        raise UnreachableError(f"cannot reach {host.name}: ssh_config cannot be read: {exc}") from None
    except ValueError as exc:
        raise UnreachableError(f"cannot reach {host.name}: ssh_config has an invalid value: {exc}") from None
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
    chosen = (given.identity_file,) if given.identity_file else _strings(get("IdentityFile"), DEFAULT_IDENTITIES)
    return Target(
        name=host.name,
        address=host.address,
        host=options.host,
        port=options.port,
        user=options.username,
        lookup=lookup,
        known_hosts=tuple(_path(file, tokens) for file in (*users, *systems)),
        identities=tuple(Path(file).expanduser() for file in chosen),
        identities_only=bool(given.identity_file or get("IdentitiesOnly")),
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
        algorithms=frozenset(option for option in OPTIONS if get(option)),
        wanted=host.name,
    )


def _trust_file(users: Iterable[Path]) -> Path | None:
    first = next(iter(users), None)
    return None if first == Path(os.devnull) else first


def _strings(value: Any, default: Sequence[str]) -> tuple[str, ...]:
    return tuple(default) if value is None else tuple(item for item in value if item.lower() != "none")


def _canonicalized(options: asyncssh.SSHClientConnectionOptions) -> bool:
    """Whether the name to connect to is determined only while connecting."""
    return bool(options.canonicalize_hostname) or options.config.has_match_final()


def _path(text: str, tokens: Mapping[str, str]) -> Path:
    """A file name of ssh_config with %tokens, variables and a leading ~ expanded."""
    named = re.sub(r"%(.)", lambda found: "%" if found[1] == "%" else tokens.get(found[1], found[0]), text)
    return Path(os.path.expandvars(named)).expanduser()


def _agent(value: Any) -> str:
    """The agent's socket: IdentityAgent of ssh_config is a path, a variable, or none."""
    if not value:
        return ""
    text = str(value)
    if text == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    return os.path.expandvars(str(Path(text).expanduser()))
