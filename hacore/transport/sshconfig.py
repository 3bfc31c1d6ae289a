"""Corrections to asyncssh's reading of ssh_config(5), where the first value decides and ssh(1) reads another one.

`Include` reads the files of a pattern in the order of glob(3), not of the directory. `Match exec` expands
%tokens in its command, of which an `=` is a part. `HashKnownHosts`, unknown to asyncssh, is read. The programs of
`ProxyCommand` and `Match exec` get an environment of their own (environment.py), not hacore's with its secrets.

asyncssh has no public interface for this: `missing_names` guards the private one (ADR 36).
"""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import asyncssh
from asyncssh.config import SSHClientConfig, SSHConfig

from .environment import cleared

REQUIREMENT = "asyncssh>=2.18,<3"
"""The versions that have the private names; as in pyproject.toml."""

_PRIVATE: Mapping[type, Sequence[str]] = MappingProxyType(
    {
        SSHClientConfig: ("_handlers", "_no_split"),
        SSHConfig: ("_include", "_match", "_set_bool", "_set_string", "_set_tokens"),
    }
)

_NO_VALUE = ("all", "canonical", "final")
"""Criteria of Match without a value."""


def missing_names(private: Mapping[type, Sequence[str]] = _PRIVATE) -> str:
    """Why ssh_config cannot be read as ssh(1) reads it: the names that this asyncssh lacks; empty when it has all."""
    missing = [
        f"{owner.__name__}.{name}" for owner, names in private.items() for name in names if not hasattr(owner, name)
    ]
    return _missing(missing) if missing else ""


def _missing(names: Sequence[str]) -> str:
    return f"asyncssh {asyncssh.__version__} has no {', '.join(names)}; install {REQUIREMENT}"


def follow_ssh() -> None:
    """Make asyncssh read these as ssh(1) does, in this process, from now on."""
    SSHClientConfig._handlers["include"] = ("Include", _include)
    SSHClientConfig._handlers["match"] = ("Match", _match)
    SSHClientConfig._handlers["proxycommand"] = ("ProxyCommand", _proxy_command)
    SSHClientConfig._handlers["hashknownhosts"] = ("HashKnownHosts", SSHConfig._set_bool)
    SSHClientConfig._no_split = {*SSHClientConfig._no_split, "match"}


def _include(config: SSHConfig, option: str, args: list[str]) -> None:
    base = Path.home() / ".ssh"
    patterns = [str(base / Path(pattern).expanduser()) for pattern in args]
    args[:] = [glob.escape(file) for pattern in patterns for file in sorted(glob.glob(pattern))]  # noqa: PTH207 - any depth
    SSHConfig._include(config, option, args)


def _match(config: SSHConfig, option: str, args: list[str]) -> None:
    """`args` is the rest of the line, unsplit."""
    words = shlex.split(args.pop())
    while words:
        name, equals, value = words.pop(0).partition("=")
        args.append(name)
        bare = name.removeprefix("!").lower()
        if bare in _NO_VALUE:
            continue
        if equals and value:
            words.insert(0, value)
        if words:
            value = words.pop(0)
            args.append(cleared(_expanded(config, value), for_shell=True) if bare == "exec" else value)
    SSHConfig._match(config, option, args)


def _proxy_command(config: SSHConfig, option: str, args: list[str]) -> None:
    """`args` is the rest of the line, unsplit; its %tokens are expanded later."""
    if args and args[0].lower() != "none":
        args[0] = cleared(args[0])
    SSHConfig._set_string(config, option, args)


def _expanded(config: SSHConfig, command: str) -> str:
    config._set_tokens()
    tokens: Mapping[str, str] | None = getattr(config, "_tokens", None)
    if tokens is None:
        raise asyncssh.ConfigParseError(_missing(["SSHConfig._tokens"]))
    return re.sub("%(.)", lambda found: tokens.get(found[1], found[0]), command)
