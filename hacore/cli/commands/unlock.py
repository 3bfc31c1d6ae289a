"""`hacore unlock`."""

from __future__ import annotations

import click

from ..stack_args import StackArgs, stack_options


@click.command("unlock")
@stack_options(variables=False)
@click.option("--force", is_flag=True, help="Also take it from a holder that is, or may be, alive.")
def command(args: StackArgs, force: bool) -> int:
    """Take away the lock of a run that is gone.

    Seldom needed: the next run breaks the lock of a holder that is dead by itself. A living holder
    that loses its lock stops at its next step, and the next run takes its hosts from it.

    \b
    Examples:
      hacore unlock
      hacore unlock stacks/web --force
    """
    from ...store import unlock

    terminal = args.runtime.terminal
    holder = unlock(args.state_url(), force=force)
    if holder is None:
        terminal.say("Nothing to unlock: nobody holds the state.")
    else:
        terminal.say(f"Unlocked: the state was held by {holder}.")
    return 0
