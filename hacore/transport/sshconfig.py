"""Where asyncssh reads ssh_config(5) in another way than ssh(1), and the first value decides: put right.

`Include` takes the files of a pattern by name, as glob(3) gives them, not as the directory has them.
`Match exec` replaces %tokens in its command, and an `=` in there is a part of it. `HashKnownHosts`,
which asyncssh does not know, is read.
"""

from __future__ import annotations

import glob
import re
import shlex
from pathlib import Path

from asyncssh.config import SSHClientConfig, SSHConfig

_ALONE = ("all", "canonical", "final")
"""What Match takes without a value."""


def follow_ssh() -> None:
    """From now on asyncssh reads all three as ssh(1) does."""
    SSHClientConfig._handlers["include"] = ("Include", _include)
    SSHClientConfig._handlers["match"] = ("Match", _match)
    SSHClientConfig._handlers["hashknownhosts"] = ("HashKnownHosts", SSHConfig._set_bool)
    SSHClientConfig._no_split = {*SSHClientConfig._no_split, "match"}


def _include(config: SSHConfig, option: str, args: list[str]) -> None:
    base = Path.home() / ".ssh"
    patterns = [str(base / Path(pattern).expanduser()) for pattern in args]
    args[:] = [glob.escape(file) for pattern in patterns for file in sorted(glob.glob(pattern))]  # noqa: PTH207 - any depth
    SSHConfig._include(config, option, args)


def _match(config: SSHConfig, option: str, args: list[str]) -> None:
    """`args` is the rest of the line, as it is."""
    words = shlex.split(args.pop())
    while words:
        name, equals, value = words.pop(0).partition("=")
        args.append(name)
        bare = name.removeprefix("!").lower()
        if bare in _ALONE:
            continue
        if equals and value:
            words.insert(0, value)
        if words:
            value = words.pop(0)
            args.append(_expanded(config, value) if bare == "exec" else value)
    SSHConfig._match(config, option, args)


def _expanded(config: SSHConfig, command: str) -> str:
    config._set_tokens()
    return re.sub("%(.)", lambda found: config._tokens.get(found[1], found[0]), command)
