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
    """Show recorded resources, or a saved plan.

    Shows all resources, or those of an address. An address without a host covers all of its hosts, one without
    a key all of a
    for_each. The state has no secrets to show. A saved plan (a file of `hacore plan
    --out FILE`) is shown unchanged, without a host or a state.

    \b
    Examples:
      hacore show
      hacore show file.nginx.conf
      hacore show stacks/web service.nginx@lb1 --json
      hacore show web.plan              a plan of `hacore plan --out web.plan`
    """
    from ..recorded_rows import show
    from ..saved_plans import show_plan

    if len(words) == 1:
        shown = show_plan(replace(args, stack=words[0]), as_json=as_json)
        if shown is not None:
            return shown
    stack, address = stack_and_address(words)
    return show(replace(args, stack=stack), address, as_json=as_json)
