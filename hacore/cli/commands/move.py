"""`hacore move`."""

from __future__ import annotations

from dataclasses import replace

import click

from ..complete import candidates
from ..options import as_json, ask_become_pass
from ..stack_args import StackArgs, stack_option, stack_options


@click.command("move")
@click.argument("to", metavar="[HOST]", required=False, shell_complete=candidates.host)
@stack_options(variables=False, argument=False)
@ask_become_pass
@stack_option
@as_json
def command(args: StackArgs, to: str | None, folder: str | None, as_json: bool) -> int:
    """Move the addresses to another member, where they stay.

    Without HOST to the member that would take over. Refused where the present
    holder has the higher priority and preempts: the addresses would return.

    \b
    Examples:
      hacore move
      hacore move lb2 --stack stacks/web
    """
    from ...engine.maintenance import move
    from ..maintenance_run import show

    args = replace(args, stack=folder)
    return show(args, lambda means, url, say: move(means, url, to, say), as_json=as_json)
