"""`hacore version`."""

from __future__ import annotations

import click

from ..runtime import Runtime


@click.command("version")
@click.pass_obj
def command(runtime: Runtime) -> int:
    """Print the version; warn of kinds that cannot be used.

    \b
    Examples:
      hacore version
      hacore --version
    """
    from ... import __version__
    from ..stack_args import providers

    runtime.terminal.say(f"hacore {__version__}")
    for why in getattr(providers(), "refused", {}).values():
        runtime.terminal.tell(f"warning: {why}")
    return 0
