"""`hacore state`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ...address import Address
from ...errors import UsageError
from ..complete import candidates
from ..options import as_json
from ..positionals import stack_and_address
from ..stack_args import StackArgs, stack_option, stack_options
from .state_history import diff, history, pull

if TYPE_CHECKING:
    from ...engine import StateEditResult

_host = click.option(
    "--host",
    "hosts",
    metavar="NAME",
    multiple=True,
    shell_complete=candidates.host,
    help="Forget this host and all on it; can be repeated.",
)


@click.group("state", no_args_is_help=True)
def command() -> None:
    """Look into the state, and change what is recorded.

    The state is what hacore recorded of each resource instance when it last saw it. `rm`, `mv` and
    `new-key` take its lock, and leave a copy of an SQLite state as it was before.

    \b
    Examples:
      hacore state list
      hacore state show file.nginx.conf@lb1
      hacore state history
      hacore state mv file.motd file.banner
    """


@command.command("list")
@click.argument("words", nargs=-1, metavar="[STACK] [ADDRESS]", shell_complete=candidates.recorded_or_stack)
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
    from ..recorded_rows import selected

    stack, address = stack_and_address(words)
    rows = selected(replace(args, stack=stack), address)
    terminal = args.runtime.terminal
    if as_json:
        terminal.say_json([str(row.address) for row in rows])
    elif rows:
        terminal.say("\n".join(str(row.address) for row in rows))
    return 0


@command.command("show")
@click.argument("address", metavar="ADDRESS", shell_complete=candidates.recorded)
@stack_options(variables=False)
@as_json
def show_(args: StackArgs, address: str, as_json: bool) -> int:
    """Show what is recorded of one address.

    \b
    Examples:
      hacore state show file.nginx.conf@lb1
      hacore state show vip.front stacks/web --json
    """
    from ..recorded_rows import show

    return show(args, Address.parse(address), as_json=as_json)


@command.command("rm")
@click.argument("addresses", nargs=-1, metavar="ADDRESS...", shell_complete=candidates.recorded)
@_host
@stack_option
@stack_options(variables=False, argument=False)
def rm_(args: StackArgs, addresses: tuple[str, ...], hosts: tuple[str, ...], folder: str | None) -> int:
    """Forget resources: they stay on their hosts as they are, and hacore does not watch them any more.

    While the stack still names them, the next plan finds and adopts them. With --host forget a
    machine that is gone, and all that is recorded on it.

    \b
    Examples:
      hacore state rm file.motd                 on all of its hosts
      hacore state rm file.motd@lb2 --stack stacks/web
      hacore state rm --host lb2                a machine that burned down
    """
    from ...engine import forget

    if not addresses and not hosts:
        raise UsageError("cannot forget anything: give addresses, or --host NAME")
    selectors = [Address.parse(text) for text in addresses]
    kept = asyncio.run(forget(replace(args, stack=folder).state_url(), selectors, hosts=hosts))
    lines = [f"Forgotten: {address}" for address in kept.gone]
    lines += [f"Forgotten: {address} on {', '.join(hosts)}" for address in kept.without]
    _tell(args, kept, [*lines, *(f"Forgotten: host {name}" for name in hosts)])
    return 0


@command.command("mv")
@click.argument("source", metavar="FROM", shell_complete=candidates.recorded)
@click.argument("target", metavar="TO", shell_complete=candidates.address)
@click.option("--host", "host", is_flag=True, help="FROM and TO are names of hosts.")
@stack_option
@stack_options(variables=False, argument=False)
def mv_(args: StackArgs, source: str, target: str, host: bool, folder: str | None) -> int:
    """Record under another address what is on the hosts already, as after a rename in the stack.

    Nothing on a host is touched. Origins, before-images, what daemons have loaded, edges and the
    runs that can be rolled back follow.

    \b
    Examples:
      hacore state mv file.motd file.banner                on all of its hosts
      hacore state mv 'file.site["a"]' 'file.site["b"]'
      hacore state mv file.motd 'file.motd["en"]'          after a for_each was added
      hacore state mv --host lb1 web1 --stack stacks/web
    """
    from ...engine import move, rename_host
    from ..stack_args import providers

    url = replace(args, stack=folder).state_url()
    if host:
        kept = asyncio.run(rename_host(url, source, target, providers=providers()))
        lines = [f"Renamed: host {source} to {target}"]
    else:
        kept = asyncio.run(move(url, Address.parse(source), Address.parse(target), providers=providers()))
        lines = []
    lines += [f"Moved: {old} to {new}" for old, new in (kept.moved or {}).items()]
    _tell(args, kept, lines)
    return 0


@command.command("new-key")
@stack_options(variables=False)
def new_key_(args: StackArgs) -> int:
    """Make a new key for a state that has lost its own.

    The key compares what is sensitive and encrypts before-images of it. With a new one the next
    plan shows all that is sensitive as changed, and apply writes it afresh; the before-images that
    the old key encrypted cannot be read any more. A state whose key is at hand keeps it.

    \b
    Examples:
      hacore state new-key
      hacore state new-key stacks/web
    """
    from ...engine import new_key

    kept = asyncio.run(new_key(args.state_url()))
    if kept is None:
        args.runtime.terminal.say("The state has its key: nothing was changed.")
    else:
        _tell(args, kept, ["The state has a new key. The next apply writes what is sensitive afresh."])
    return 0


def _tell(args: StackArgs, kept: StateEditResult, lines: Sequence[str]) -> None:
    """What was done, and beside it where the state as it was before can be found."""
    terminal = args.runtime.terminal
    if kept.broke is not None:
        terminal.tell(f"the state was locked by {kept.broke}, which is gone: its lock was broken")
    if kept.upgraded:
        terminal.tell(f"the state's schema was upgraded; as it was before it is in {kept.upgraded}")
    terminal.say("\n".join(lines))
    if kept.backup:
        terminal.tell(f"The state as it was before: {kept.backup}")


command.add_command(history)
command.add_command(diff)
command.add_command(pull)
