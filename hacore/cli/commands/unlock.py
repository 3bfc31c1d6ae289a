"""`hacore unlock`."""

from __future__ import annotations

import click

from ...render.words import count
from ..stack_args import StackArgs, stack_options


@click.command("unlock")
@stack_options(variables=False)
@click.option("--force", is_flag=True, help="Break the lock even if its owner may still be running.")
@click.option(
    "--run", type=click.IntRange(min=1), metavar="N", help="Break only the lock of run N, of a cancelled job."
)
def command(args: StackArgs, force: bool, run: int | None) -> int:
    """Break the lock of a run that is no longer running.

    Rarely needed: the next run breaks the lock of a dead owner itself. An owner that
    loses its lock while it is running stops at its next step, and the next run locks
    its hosts.

    After a CI job was cancelled on another machine, --run N breaks the lock of its run
    and of no other one. `hacore runs` shows the number.

    \b
    Examples:
      hacore unlock
      hacore unlock stacks/web --run 7
      hacore unlock stacks/web --force
    """
    from ...store import unlock

    terminal = args.runtime.terminal
    holder = unlock(args.state_url(), force=force, run=run)
    if holder is None:
        terminal.say("Nothing to unlock: the state is not locked.")
        return 0
    terminal.say(f"Unlocked: the lock of {holder} was broken.")
    if run is not None:
        terminal.say(_remains(args, run))
    return 0


def _remains(args: StackArgs, run: int) -> str:
    """What a broken lock leaves: the interrupted run, and the next commands."""
    from ..recorded_rows import opened

    with opened(args) as state:
        tasks = [] if state is None else state.tasks(run)
    left = sum(1 for task in tasks if task.status not in ("done", "undone"))
    return (
        f"Run {run} is interrupted: {left} of {count(len(tasks), 'task')} did not end. "
        "`hacore apply --resume` resumes it, `hacore rollback` undoes it.\n"
        "If its process is running after all, it stops at its next step and undoes nothing."
    )
