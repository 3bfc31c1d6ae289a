"""Who was logged in on a host: the sessions that last(1) reads from wtmp(5), where the host has both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..contract import Ask

LINES = 200
"""The newest sessions that are read."""

_DATE = re.compile(r"\w{3} (\w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})")
_PSEUDO = ("reboot", "shutdown", "runlevel", "wtmp")
_NO_ORIGIN = ".".join("0000")  # of a console, with -i
MARGIN = 60.0
"""Seconds that a session may have ended before a change: a program that it started may have made it."""


@dataclass(frozen=True, slots=True)
class Login:
    """A session. `begin` and `end` are Unix times; `end` None: it has not ended, or that is not recorded."""

    user: str
    line: str
    origin: str
    begin: float
    end: float | None = None

    def __str__(self) -> str:
        origin = f" from {self.origin}" if self.origin else ""
        return f"{self.user}{origin} ({self.line})"


class LoginsFact:
    """The newest sessions, the newest first; no answer where last(1) or wtmp(5) does not exist."""

    name = "logins"

    def command(self, asks: Sequence[Ask]) -> str:  # noqa: ARG002 - as every fact
        """One fork, and one for its first lines. Times in UTC, names of hosts in full."""
        return f"command -v last >/dev/null 2>&1 || exit 0\nTZ=UTC last -F -w -i -n {LINES} 2>/dev/null || :"

    def parse(self, stdout: bytes) -> Mapping[str, tuple[Login, ...]]:
        """Lines `USER LINE ORIGIN BEGIN [- END | still logged in | ...]`."""
        found = (_login(line) for line in stdout.decode("utf-8", "replace").splitlines())
        return {"": tuple(login for login in found if login is not None)}


def _login(line: str) -> Login | None:
    dates = list(_DATE.finditer(line))
    words = line[: dates[0].start()].split() if dates else []
    if len(words) < 2 or words[0] in _PSEUDO:
        return None
    times = [datetime.strptime(match[1], "%b %d %H:%M:%S %Y").replace(tzinfo=UTC).timestamp() for match in dates]
    origin = words[2] if len(words) > 2 and words[2] != _NO_ORIGIN else ""
    return Login(words[0], words[1], origin, times[0], times[1] if len(times) > 1 else None)


def logged_in(logins: Sequence[Login], at: float) -> tuple[str, ...]:
    """Who was logged in at a Unix time, each once."""
    there = [one for one in logins if one.begin <= at and (one.end is None or at <= one.end + MARGIN)]
    return tuple(dict.fromkeys(map(str, there)))


LOGINS = LoginsFact()
ASK_LOGINS = Ask(LOGINS, "")

__all__ = ["ASK_LOGINS", "LOGINS", "Login", "logged_in"]
