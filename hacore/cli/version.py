"""`hacore version`."""

from __future__ import annotations

import click

from .runtime import Runtime


@click.command("version")
@click.pass_obj
def command(runtime: Runtime) -> int:
    """Print the version.

    \b
    Examples:
      hacore version
      hacore --version
    """
    from .. import __version__

    runtime.terminal.say(f"hacore {__version__}")
    return 0
