"""`hacore drift --print-cron` and `--print-timer`: the same drift, with nothing taken from this shell."""

from __future__ import annotations

import os
import sys
from getpass import getuser
from pathlib import Path

from ..errors import UsageError
from ..urls import url_secrets
from .options import StackArgs

WITHIN = 60.0
"""Seconds for a look that nobody watches, unless --timeout says something else."""


def scheduled(args: StackArgs, form: str, timeout: float | None, *, since_last: bool, metrics: Path | None) -> str:
    """The text of a crontab or a timer. Raises UsageError when it would have a secret in it."""
    from ..load.find import absolute_state
    from ..render.schedule import cron_text, timer_text, unit_name

    if url_secrets(args.state or ""):
        raise UsageError("cannot print a schedule with a password in --state: set HACORE_STATE in it instead")
    words = [*program(), "drift"]
    if args.state is None or args.stack is not None:
        words.append(str(args.file().absolute()))
    words += ["--env", args.env] if args.env else []
    words += ["--state", absolute_state(args.state, Path.cwd())] if args.state else []
    words += ["--quiet", "--timeout", f"{timeout or WITHIN:g}"]
    words += ["--since-last"] if since_last else []
    words += ["--metrics", str(metrics.absolute())] if metrics else []
    text = {"cron": cron_text, "timer": timer_text}[form]
    return text(unit_name(stack_name(args), args.env), words, getuser())


def program() -> list[str]:
    """How to call this hacore from anywhere."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "hacore" and os.access(called, os.X_OK):
        return [str(called)]
    return [sys.executable, "-P", "-m", "hacore.cli"]


def stack_name(args: StackArgs) -> str:
    """The stack's name by its file; that of the state where no stack is named."""
    from .labspec import lab_name

    if args.state is not None and args.stack is None:
        return Path(args.state.partition("?")[0].rpartition("/")[2]).stem
    return lab_name(args)
