"""`hacore state`."""

from __future__ import annotations

from dataclasses import replace

import click

from ..address import Address
from .options import StackArgs, as_json, stack_options
from .words import stack_and_address


@click.group("state", no_args_is_help=True)
def command() -> None:
    """Look into the state.

    The state is what hacore recorded of each resource instance when it last saw it.

    \b
    Examples:
      hacore state list
      hacore state show file.nginx.conf@lb1
    """


@command.command("list")
@click.argument("words", nargs=-1, metavar="[STACK] [ADDRESS]")
@stack_options(variables=False, argument=False)
@as_json
def list_(args: StackArgs, words: tuple[str, ...], as_json: bool) -> int:
    """List the addresses that are recorded, one a line.

    \b
    Examples:
      hacore state list
      hacore state list file.nginx.conf     on all of its hosts
      hacore state list --json
    """
    from .stored import selected

    stack, address = stack_and_address(words)
    rows = selected(replace(args, stack=stack), address)
    terminal = args.runtime.terminal
    if as_json:
        terminal.say_json([str(row.address) for row in rows])
    elif rows:
        terminal.say("\n".join(str(row.address) for row in rows))
    return 0


@command.command("show")
@click.argument("address", metavar="ADDRESS")
@stack_options(variables=False)
@as_json
def show_(args: StackArgs, address: str, as_json: bool) -> int:
    """Show what is recorded of one address.

    \b
    Examples:
      hacore state show file.nginx.conf@lb1
      hacore state show vip.front stacks/web --json
    """
    from .stored import show

    return show(args, Address.parse(address), as_json=as_json)
