"""The way through sudo(8): who hears what it says, answers when it asks, and hands in the script when it opens.

    ssh host ──> exec sudo … sh -c SCRIPT ──┬── asks for a password (PROMPT on stderr) ── the password, once
                                            ├── opens: SCRIPT says ENTERED on stderr ──── the script, its own stdin
                                            └── ends: neither, and its last words say why

A password is sent when sudo has asked for it and at no other time: with NOPASSWD, or with a ticket from
before, sudo does not read its stdin, and what was sent in advance would be the first line of the script.
It travels over stdin alone. All of it is one exec.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from ..contract import Output
from ..errors import TransportError

EVAL = 'eval "$(cat)"'
"""Read the whole script first, then run it: sh would otherwise read on from stdin line by line, and
any command of the script that reads stdin would eat the rest of it. Nothing of it is in argv."""

PROMPT = "hacore-sudo-password:"
"""What sudo asks with: `-p` of sudo(8) takes the place of its own words, and of PAM's, in any language."""

ENTERED = "hacore-root"
"""The first that the script's shell says, on stderr; what comes before it are words of sudo or of a profile."""

EVAL_AS_ROOT = f'echo hacore"-"root >&2; {EVAL}'
"""ENTERED is not spelled out, so that a sudo that quotes the refused command does not say it."""

Send = Callable[[bytes], Awaitable[None]]

_MISSING = re.compile(r"sudo: (command )?not found|not found: sudo|Unknown command:? '?sudo", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"not in the sudoers|not allowed to|may not run", re.IGNORECASE)
_ASKS = ("password is required", "terminal is required", "no tty present", PROMPT)


class Password:
    """sudo's password, one for all hosts, and what became of it.

    Until a host has taken it, one host at a time is answered; once one has refused it before any took
    it, no other gets it, and a host that refused it is not answered again. So a slip of the finger is
    one failed login, not one for each host and exec, which is where accounts get locked.
    """

    def __init__(self, text: str) -> None:
        if not text or any(character in text for character in "\0\n\r"):
            raise ValueError("cannot use that password: it is empty, or has a line break or a NUL in it")
        self.line = f"{text}\n".encode("utf-8", "surrogateescape")
        self.proven = False
        self._refused: list[str] = []
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return "Password(…)"

    @contextlib.asynccontextmanager
    async def turn(self, label: str) -> AsyncIterator[str]:
        """Wait until it may be offered to a host; gives why it may not be, else nothing."""
        if self.proven:
            yield self._why_not(label)
            return
        async with self._turn:
            yield self._why_not(label)

    def _why_not(self, label: str) -> str:
        if label in self._refused:
            return "sudo there refused the password before; it is not tried again"
        if self._refused and not self.proven:
            return f"the password was refused on {self._refused[0]}; it is not tried on other hosts"
        return ""

    def refused(self, label: str) -> None:
        """A host did not take it."""
        self._refused.append(label)


class Exchange(Protocol):
    """What is said to a command over stdin, given what is heard from it on stderr."""

    def hear(self, chunk: bytes) -> None:
        """Bytes of the command's stderr."""
        ...

    def shut(self) -> None:
        """The command has ended."""
        ...

    async def speak(self, send: Send) -> None:
        """Say it all; EOF follows."""
        ...

    def judge(self, output: Output, label: str) -> Output:
        """What the script itself put out. Raises TransportError when it did not begin."""
        ...


class Script:
    """A script, and nothing in its way."""

    def __init__(self, script: bytes) -> None:
        self._script = script

    def hear(self, chunk: bytes) -> None:
        """Nothing that is heard matters."""

    def shut(self) -> None:
        """Nor that it has ended."""

    async def speak(self, send: Send) -> None:
        """The script."""
        await send(self._script)

    def judge(self, output: Output, label: str) -> Output:  # noqa: ARG002 - see Talk
        """All of the output is the script's."""
        return output


class SudoExchange:
    """A script behind sudo, for one exec on the host `label`."""

    def __init__(self, script: bytes, label: str, password: Password | None) -> None:
        self._script = script
        self._label = label
        self._password = password
        self._heard = b""
        self._news = asyncio.Event()
        self._ended = False
        self._why = ""

    def hear(self, chunk: bytes) -> None:
        """sudo's words, or the script's."""
        if not self._entered:
            self._heard += chunk
            self._news.set()

    def shut(self) -> None:
        """sudo has ended."""
        self._ended = True
        self._news.set()

    async def speak(self, send: Send) -> None:
        """The password if sudo asks for it, then the script; without a password, the script at once."""
        if self._password is None or await self._opens(self._password, send):
            await send(self._script)

    async def _opens(self, password: Password, send: Send) -> bool:
        if not await self._asked(1):
            return self._entered
        async with password.turn(self._label) as why:
            self._why = why
            if why:
                return False
            await send(password.line)
            await self._asked(2)
            if self._entered:
                password.proven = True
            elif not _NOT_ALLOWED.search(self._text):
                password.refused(self._label)
                self._why = (
                    "sudo does not accept the password (it was tried once); right is the user's own, or, where "
                    "sudoers has targetpw or rootpw, root's"
                )
        return self._entered

    async def _asked(self, times: int) -> bool:
        """Wait until sudo has asked so often, or it is over with asking; whether it has."""
        while not (self._entered or self._ended or self._heard.count(PROMPT.encode()) >= times):
            self._news.clear()
            await self._news.wait()
        return not self._entered and self._heard.count(PROMPT.encode()) >= times

    @property
    def _entered(self) -> bool:
        return f"{ENTERED}\n".encode() in self._heard

    @property
    def _text(self) -> str:
        return self._heard.decode("utf-8", "replace")

    def judge(self, output: Output, label: str) -> Output:
        """What came after sudo opened."""
        before, mark, rest = output.stderr.partition(f"{ENTERED}\n".encode())
        if mark:
            return replace(output, stderr=rest)
        said = before.decode("utf-8", "replace")
        raise TransportError(f"cannot become root on {label}: {self._why or refusal(output.rc, said, output.text)}")


def refusal(rc: int, said: str, printed: str = "") -> str:
    """Why sudo did not let a script begin, from its exit code and stderr (its language is the host's)."""
    if rc == 127 and _MISSING.search(said):
        return "sudo is not installed there"
    lines = [line.strip() for line in said.replace(PROMPT, f"{PROMPT}\n").splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if any(words in last for words in _ASKS):
        return (
            "sudo asks for a password; give it with --ask-become-pass or HACORE_BECOME_PASSWORD, or "
            "a rule with NOPASSWD in sudoers is needed"
        )
    if "must have a tty" in last:
        return f"{last}; sudoers must not have requiretty for this user"
    if last.startswith("sudo: ") or _NOT_ALLOWED.search(last):
        return last
    words = last or (printed.strip().splitlines() or ["nothing"])[-1]
    return f"the command ended with exit code {rc} before sudo began the script; the last it said: {words}"
