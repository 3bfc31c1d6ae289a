"""Becoming root with sudo(8): the password when sudo prompts for it, then the script.

    ssh host ──> exec sudo … sh -c SCRIPT ──┬── prompts for a password (PROMPT on stderr) ── the password, once
                                            ├── starts sh, which prints ENTERED on stderr ── the script on stdin
                                            └── ends: its last line on stderr is the reason

The password is sent only after a prompt: with NOPASSWD, or with a cached ticket, sudo does not read its
stdin, and a password sent in advance would become the first line of the script. It is passed on stdin
only. All of this is one exec.
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
from .payload import Payload

EVAL = 'eval "$(cat)"'
"""Read the whole script first, then run it: sh would otherwise read stdin line by line, and a command of
the script that reads stdin would consume the rest. No part of the script is in argv."""

PROMPT = "hacore-sudo-password:"
"""The prompt of sudo: `-p` of sudo(8) replaces its own prompt, and PAM's, in any language."""

ENTERED = "hacore-root"
"""The first line that the script's shell prints on stderr; lines before it are from sudo or a profile."""

AS_ROOT = 'echo hacore"-"root >&2; '
"""Prints ENTERED, which is not spelled out: a sudo that quotes a refused command must not print it."""


def evaluate(size: int | None = None) -> str:
    """EVAL; with `size` the script is that many bytes, and what follows it on stdin is for the script to read.

    head(1) of coreutils reads no byte more than it is asked for.
    """
    return EVAL if size is None else f'eval "$(head -c {size:d})"'


Send = Callable[[bytes], Awaitable[None]]

_MISSING = re.compile(r"sudo: (command )?not found|not found: sudo|Unknown command:? '?sudo", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"not in the sudoers|not allowed to|may not run", re.IGNORECASE)
_ASKS = ("password is required", "terminal is required", "no tty present", PROMPT)


class Password:
    """The password of sudo, one for all hosts, and which hosts accepted or refused it.

    Until a host has accepted it, it is sent to one host at a time. If the first answer is a refusal, it is
    sent to no other host; a host that refused it does not get it again. So a typing mistake is one failed
    login, not one for each host and exec, which locks accounts.
    """

    def __init__(self, text: str) -> None:
        if not text or any(character in text for character in "\0\n\r"):
            raise ValueError("cannot use the password: it is empty, or contains a line break or a NUL")
        self.line = f"{text}\n".encode("utf-8", "surrogateescape")
        self.proven = False
        self._refused: list[str] = []
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return "Password(…)"

    @contextlib.asynccontextmanager
    async def turn(self, label: str) -> AsyncIterator[str]:
        """Wait for the host's turn; yields why the password must not be sent, else an empty string."""
        if self.proven:
            yield self._why_not(label)
            return
        async with self._turn:
            yield self._why_not(label)

    def _why_not(self, label: str) -> str:
        if label in self._refused:
            return "sudo refused the password before; it is not tried again"
        if self._refused and not self.proven:
            return f"the password was refused on {self._refused[0]}; it is not tried on other hosts"
        return ""

    def refused(self, label: str) -> None:
        """Record that a host refused it."""
        self._refused.append(label)


class Exchange(Protocol):
    """The input of a command on stdin, depending on its output on stderr."""

    def hear(self, chunk: bytes) -> None:
        """Take in bytes of the command's stderr."""
        ...

    def shut(self) -> None:
        """Note that the command has ended."""
        ...

    async def speak(self, send: Send) -> None:
        """Send all input; EOF follows."""
        ...

    def judge(self, output: Output, label: str) -> Output:
        """The output of the script alone. Raises TransportError when the script did not begin."""
        ...


async def _pass(send: Send, script: bytes, payload: Payload | None) -> None:
    """Send a script, and what follows it."""
    await send(script)
    for content in payload.contents if payload is not None else ():
        async for piece in content.pieces():
            await send(piece)


class Script:
    """A script without sudo."""

    def __init__(self, script: bytes, payload: Payload | None = None) -> None:
        self._script = script
        self._payload = payload

    def hear(self, chunk: bytes) -> None:
        """Ignored."""

    def shut(self) -> None:
        """Ignored."""

    async def speak(self, send: Send) -> None:
        """Send the script and its payload."""
        await _pass(send, self._script, self._payload)

    def judge(self, output: Output, label: str) -> Output:  # noqa: ARG002 - see Exchange
        """The whole output is the script's."""
        return output


class SudoExchange:
    """A script run by sudo, for one exec on the host `label`."""

    def __init__(self, script: bytes, label: str, password: Password | None, payload: Payload | None = None) -> None:
        self._script = script
        self._payload = payload
        self._label = label
        self._password = password
        self._heard = b""
        self._news = asyncio.Event()
        self._ended = False
        self._why = ""

    def hear(self, chunk: bytes) -> None:
        """Collect stderr until the script begins."""
        if not self._entered:
            self._heard += chunk
            self._news.set()

    def shut(self) -> None:
        """Stop waiting for a prompt: sudo has ended."""
        self._ended = True
        self._news.set()

    async def speak(self, send: Send) -> None:
        """Send the password if sudo prompts for it, then the script; without a password, the script at once."""
        if self._password is None or await self._opens(self._password, send):
            await _pass(send, self._script, self._payload)

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
                    "sudo refused the password (tried once); it must be the user's own, or, where sudoers has "
                    "targetpw or rootpw, root's"
                )
        return self._entered

    async def _asked(self, times: int) -> bool:
        """Wait for the prompt number `times`; False when the script began or sudo ended instead."""
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
        """The output after ENTERED."""
        before, mark, rest = output.stderr.partition(f"{ENTERED}\n".encode())
        if mark:
            return replace(output, stderr=rest)
        printed = before.decode("utf-8", "replace")
        raise TransportError(f"cannot become root on {label}: {self._why or refusal(output.rc, printed, output.text)}")


def refusal(rc: int, stderr: str, stdout: str = "") -> str:
    """Why sudo did not start a script, from its exit code and output (in the language of the host)."""
    if rc == 127 and _MISSING.search(stderr):
        return "sudo is not installed"
    lines = [line.strip() for line in stderr.replace(PROMPT, f"{PROMPT}\n").splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if any(words in last for words in _ASKS):
        return (
            "sudo prompts for a password; use --ask-become-pass or HACORE_BECOME_PASSWORD, or "
            "add a rule with NOPASSWD to sudoers"
        )
    if "must have a tty" in last:
        return f"{last}; remove requiretty for this user from sudoers"
    if last.startswith("sudo: ") or _NOT_ALLOWED.search(last):
        return last
    words = last or (stdout.strip().splitlines() or ["(none)"])[-1]
    return f"the command ended with exit code {rc} before sudo started the script; last line: {words}"
