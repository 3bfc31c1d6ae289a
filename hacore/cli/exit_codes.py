"""Exit codes and errors: the end of every command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from ..errors import HacoreError, StackError, UsageError
from ..render.errors import error_json, error_text
from .runtime import Runtime

USAGE = 64
"""EX_USAGE of sysexits.h: the 2 of click would mean "changes found"."""
INTERRUPTED = 130
"""128 + SIGINT, as in shells."""


class Interrupted(Exception):  # noqa: N818 - not an error: the user requested it
    """A signal ended the command before any change; `code` is its exit code."""

    def __init__(self, code: int = INTERRUPTED) -> None:
        super().__init__("interrupted")
        self.code = code


def guarded(runtime: Runtime, call: Callable[[], Any]) -> int:
    """Run a command, print its error if it raises one, return its exit code."""
    try:
        return _guarded(runtime, call)
    except BrokenPipeError:
        # the reader of the output has closed it; the last flush of the interpreter must not fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _guarded(runtime: Runtime, call: Callable[[], Any]) -> int:
    terminal = runtime.terminal
    try:
        code = call()
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.tell(error.format_message())
        return USAGE
    except click.UsageError as error:
        if error.ctx is not None:
            terminal.tell(error.ctx.get_usage())
        terminal.tell(error_text(UsageError(_lower(error.format_message())), terminal.err_style))
        return USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        terminal.tell("interrupted")
        return INTERRUPTED
    except Interrupted as error:
        terminal.tell("interrupted")
        return error.code
    except BrokenPipeError:
        raise
    except HacoreError as error:
        return _failed(runtime, error)
    except Exception as error:  # a bug of hacore, shown as such
        return _bug(runtime, error)
    return code if isinstance(code, int) else 0


def _failed(runtime: Runtime, error: HacoreError) -> int:
    if not isinstance(error, StackError | UsageError):  # errors of a stack are masked by the loader
        runtime.learn_secrets()
    terminal = runtime.terminal
    if runtime.json:
        terminal.say_json(error_json(error), line=True)
    terminal.tell(error_text(error, terminal.err_style))
    return USAGE if isinstance(error, UsageError) else 1


def _bug(runtime: Runtime, error: Exception) -> int:
    runtime.learn_secrets()
    if runtime.environ.get("HACORE_DEBUG") == "1":
        from traceback import format_exception

        runtime.terminal.tell("".join(format_exception(error)).rstrip())
    else:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        runtime.terminal.tell(f"internal error: {what} (set HACORE_DEBUG=1 for a traceback)")
    return 1


def _lower(message: str) -> str:
    """A sentence of click in the form of STYLE.md: lowercase, without a full stop."""
    text = message.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
