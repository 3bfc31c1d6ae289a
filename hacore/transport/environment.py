"""The environment of programs that hacore starts on this machine: an allow list.

hacore's own environment has secrets: HACORE_KEY, HACORE_VAR_*, PGPASSWORD, the tokens of a CI job. A check on this
machine, a program of ssh_config and everything that these start would get them all.
"""

from __future__ import annotations

import fnmatch
import os
import shlex
from collections.abc import Mapping

VARIABLE = "HACORE_PASS_ENV"
"""Names and patterns, separated by blanks, that programs of ssh_config get as well: `AWS_PROFILE AWS_REGION`."""

SESSION = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TZ", "USER", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")
"""All that a session on this machine gets, as a login over SSH would."""

_PROGRAM = (
    *SESSION, "DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME", "KRB5*", "LC_*", "SSH_*", "TERM", "TMPDIR",
    "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_*",
)  # fmt: skip
"""What a program gets that logs in for the user: its agent, its tickets, its terminal."""


def session_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a session on this machine."""
    return {name: environ[name] for name in SESSION if name in environ}


def program_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a program that ssh_config or hacore names: ProxyCommand, `Match exec`, ssh-keygen."""
    patterns = (*_PROGRAM, *environ.get(VARIABLE, "").split())
    return {name: value for name, value in environ.items() if any(fnmatch.fnmatchcase(name, one) for one in patterns)}


def cleared(command: str, environ: Mapping[str, str] = os.environ, *, for_shell: bool = False) -> str:
    """A command line that runs with that environment, for a library that hands on all of it: env(1) takes the rest out.

    `for_shell`: the command is a text for sh(1), otherwise words. Values stand in no command line, only names.
    """
    passed = program_environment(environ)
    taken = sorted(name for name in environ if name not in passed)
    if not taken:
        return command
    flags = " ".join(f"-u {shlex.quote(name)}" for name in taken)
    return f"env {flags} sh -c {shlex.quote(command)}" if for_shell else f"env {flags} {command}"


__all__ = ["SESSION", "VARIABLE", "cleared", "program_environment", "session_environment"]
