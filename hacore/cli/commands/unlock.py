"""`hacore unlock`."""

from __future__ import annotations

import click

from ..stack_args import StackArgs, stack_options


@click.command("unlock")
@stack_options(variables=False)
@click.option("--force", is_flag=True, help="Break the lock even if its owner may still be running.")
def command(args: StackArgs, force: bool) -> int:
    """Break the lock of a run that is no longer running.

    Rarely needed: the next run breaks the lock of a dead owner itself. An owner that
    loses its lock while it is running stops at its next step, and the next run locks
    its hosts.

    \b
    Examples:
      hacore unlock
      hacore unlock stacks/web --force
    """
    from ...store import unlock

    terminal = args.runtime.terminal
    holder = unlock(args.state_url(), force=force)
    if holder is None:
        terminal.say("Nothing to unlock: the state is not locked.")
    else:
        terminal.say(f"Unlocked: the lock of {holder} was broken.")
    return 0
