"""`hacore show`."""

from __future__ import annotations

from dataclasses import replace

import click

from ..complete import candidates
from ..options import as_json
from ..positionals import stack_and_address
from ..stack_args import StackArgs, stack_options


@click.command("show")
@click.argument("words", nargs=-1, metavar="[STACK] [ADDRESS] | PLAN", shell_complete=candidates.recorded_or_stack)
@stack_options(variables=False, argument=False)
@as_json
def command(args: StackArgs, words: tuple[str, ...], as_json: bool) -> int:
    """Show what is recorded: all of it, or what an address covers; or a saved plan.

    An address without a host covers all its hosts, one without a key all of a for_each. Secrets are
    not in the state and cannot be shown. A file of `hacore plan --out` is shown as it was planned;
    no host and no state is asked for that.

    \b
    Examples:
      hacore show
      hacore show file.nginx.conf
      hacore show stacks/web service.nginx@lb1 --json
      hacore show web.plan                  what `hacore plan --out web.plan` saved
    """
    from ..recorded_rows import show
    from ..saved_plans import show_plan

    if len(words) == 1:
        shown = show_plan(replace(args, stack=words[0]), as_json=as_json)
        if shown is not None:
            return shown
    stack, address = stack_and_address(words)
    return show(replace(args, stack=stack), address, as_json=as_json)
