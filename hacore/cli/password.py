"""sudo's password on the hosts: typed without an echo, or from the environment, never from the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from ..errors import HacoreError, UsageError
from .runtime import BECOME_PASSWORD, Runtime

if TYPE_CHECKING:
    from ..transport import Password


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_object(Runtime).ask_become_pass = True  # type: ignore[union-attr]


ask_become_pass = click.option(
    "-K",
    "--ask-become-pass",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help=f"Ask for sudo's password on the hosts; else {BECOME_PASSWORD}, if there is one.",
)
"""For commands that connect; what was typed is `become_password`'s to give."""


def become_password(runtime: Runtime) -> Password | None:
    """The password, once for the whole command; from now on no child process finds it in its environment.

    Raises HacoreError when there is no terminal to ask on, UsageError for what cannot be a password.
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
        raise HacoreError(
            f"cannot ask for sudo's password: there is no terminal; give it in {BECOME_PASSWORD}"
        ) from None
    try:
        return getpass("sudo's password on the hosts: ")
    except EOFError:
        return ""
