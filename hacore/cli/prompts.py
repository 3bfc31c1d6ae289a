"""Prompts: for a literal `yes`, or for a value without an option."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from ..errors import HacoreError, UsageError
from ..render.style import is_terminal
from ..render.terminal import Terminal
from .runtime import BECOME_PASSWORD, Runtime

if TYPE_CHECKING:
    from ..transport import Password


async def ask_yes(
    terminal: Terminal,
    question: str,
    details: str = "",
    stdin: TextIO | None = None,
    option: str = "--auto-approve",
) -> bool:
    """Whether the user types exactly `yes`.

    Raises HacoreError that names the `option` to use when stdin is closed.
    """
    lines = [
        question,
        *([f"  {details}"] if details else []),
        "  Only 'yes' will be accepted.",
        "",
        "  Enter a value: ",
    ]
    terminal.ask("\n".join(lines))
    stream = sys.stdin if stdin is None else stdin
    try:
        answer = await _read_line(stream)
    except asyncio.CancelledError:
        terminal.tell("")
        raise
    if not (answer.endswith("\n") and is_terminal(stream)):  # no Enter was typed on the line of the prompt
        terminal.tell("")
    if not answer:
        raise HacoreError(f"cannot ask for approval: stdin is closed; use {option}")
    return answer.strip() == "yes"


def ask_line(terminal: Terminal, question: str, default: str, option: str, stdin: TextIO | None = None) -> str:
    """The answer of the user, or `default` for an empty line.

    Raises HacoreError that names the `option` to use when stdin is closed.
    """
    terminal.ask(f"{question}{f' [{default}]' if default else ''}: ")
    stream = sys.stdin if stdin is None else stdin
    answer = asyncio.run(_read_line(stream))
    if not (answer.endswith("\n") and is_terminal(stream)):
        terminal.tell("")
    if not answer:
        raise HacoreError(f"cannot ask for the {question}: stdin is closed; use {option}")
    return answer.strip() or default


async def _read_line(stdin: TextIO | None) -> str:
    """A line, or an empty string at the end of the stream; signals are handled meanwhile."""
    if stdin is None or stdin.closed:
        return ""
    try:
        number = stdin.fileno()
    except (OSError, ValueError):  # not a file: the stream of a test
        return stdin.readline()
    return await _in_thread(lambda: _line_of(number))


def _line_of(number: int) -> str:
    """Byte by byte from the descriptor: a second prompt must find the next line unread."""
    found = bytearray()
    while not found.endswith(b"\n"):
        try:
            byte = os.read(number, 1)
        except OSError:
            break
        if not byte:
            break
        found += byte
    return found.decode("utf-8", "replace")


async def _in_thread(read: Callable[[], str]) -> str:
    """In a daemon thread: a worker thread of asyncio would keep the program alive after Ctrl-C."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()

    def work() -> None:
        line = read()
        with suppress(RuntimeError):  # the loop is closed: the prompt was interrupted
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(line))

    threading.Thread(target=work, name="stdin", daemon=True).start()
    return await future


def become_password(runtime: Runtime) -> Password | None:
    """The sudo password, once per command; it is removed from the environment of child processes.

    Raises HacoreError without a terminal to ask on, UsageError for an invalid password.
    """
    if runtime.password is not None:
        return runtime.password
    given = os.environ.pop(BECOME_PASSWORD, "")
    text = _typed() if runtime.ask_become_pass else given
    if not text and not runtime.ask_become_pass:
        return None
    from ..transport import Password

    runtime.terminal.redactor.add([text])
    try:
        runtime.password = Password(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return runtime.password


def _typed() -> str:
    from getpass import getpass

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise HacoreError(f"cannot ask for the sudo password: no terminal; set {BECOME_PASSWORD}") from None
    try:
        return getpass("sudo password of the hosts: ")
    except EOFError:
        return ""


class Lines:
    """The lines of stdin. `prompted`: a user types them at a prompt, with history and editing of readline."""

    def __init__(self, terminal: Terminal, stdin: TextIO | None, prompt: str) -> None:
        self.prompted = is_terminal(stdin) and is_terminal(sys.stdout)
        self._terminal = terminal
        self._stdin = stdin
        self._prompt = prompt

    def __iter__(self) -> Iterator[str]:
        if not self.prompted:
            yield from self._stdin or ()
            return
        with suppress(ImportError):  # a Python without readline
            import readline  # noqa: F401 - input() then uses it

        while True:
            try:
                line = input(self._prompt)
            except EOFError:
                self._terminal.tell("")
                return
            except KeyboardInterrupt:  # Ctrl-C clears the line, as in a shell
                self._terminal.tell("")
                continue
            yield line


def lines_of(terminal: Terminal, prompt: str) -> Lines:
    """The lines of the stdin of this process; `prompt` is shown on a terminal."""
    return Lines(terminal, sys.stdin, prompt)
