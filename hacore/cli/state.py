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


@command.command("rm")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@stack_options(variables=False, argument=False)
@click.option("--stack", "folder", metavar="STACK", help="The stack's folder or file; default: here.")
def rm_(args: StackArgs, addresses: tuple[str, ...], folder: str | None) -> int:
    """Forget resources: they stay on their hosts as they are, and hacore does not watch them any more.

    While the stack still names them, the next plan finds and adopts them.

    \b
    Examples:
      hacore state rm file.motd                 on all of its hosts
      hacore state rm file.motd@lb2 --stack stacks/web
    """
    import asyncio

    from ..engine import forget

    selectors = [Address.parse(text) for text in addresses]
    gone = asyncio.run(forget(replace(args, stack=folder).state_url(), selectors))
    args.runtime.terminal.say("\n".join(f"Forgotten: {address}" for address in gone))
    return 0


@command.command("new-key")
@stack_options(variables=False)
def new_key_(args: StackArgs) -> int:
    """Make a new key for a state that has lost its own.

    The key compares what is sensitive and encrypts before-images of it. With a new one the next
    plan shows all that is sensitive as changed, and apply writes it afresh; the before-images that
    the old key encrypted cannot be read any more.

    \b
    Examples:
      hacore state new-key
      hacore state new-key stacks/web
    """
    import asyncio

    from ..engine import new_key

    asyncio.run(new_key(args.state_url()))
    args.runtime.terminal.say("The state has a new key. The next apply writes what is sensitive afresh.")
    return 0
