"""`hacore status`."""

from __future__ import annotations

import click

from ..options import as_json, ask_become_pass
from ..stack_args import StackArgs, stack_options


@click.command("status")
@stack_options()
@ask_become_pass
@as_json
def command(args: StackArgs, as_json: bool) -> int:
    """Show the virtual addresses, their holders, and the hosts.

    Exit code 1 when a host cannot be reached, when an address has no holder or
    several, or when a check fails.

    \b
    Examples:
      hacore status
      hacore status --json | jq .notes
    """
    from ...engine import plan
    from ...render.progress import Progress
    from ...render.status import status_exit_code, status_json, status_text
    from ..interruptible import quietly, run

    terminal = args.runtime.terminal
    progress = Progress(terminal)
    request = args.request(quietly(progress))
    planned = run(terminal, lambda _: plan(request), progress=progress)
    args.know(planned.stack)
    if as_json:
        terminal.say_json(status_json(planned.plan))
    else:
        terminal.say(status_text(planned.plan, planned.stack.state, terminal.out_style))
    return status_exit_code(planned.plan)
