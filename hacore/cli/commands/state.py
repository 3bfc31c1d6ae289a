"""`hacore state`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
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
    help="Forget this host and all of its resources (repeatable).",
)


@click.group("state", no_args_is_help=True)
def command() -> None:
    """Show the state, and edit it.

    The state has every resource as hacore last saw it. `rm`, `mv` and `new-key`
    lock it, and leave a backup of an SQLite state.

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
@click.option("--all", "all_", is_flag=True, help="List all states of the database instead.")
@as_json
def list_(args: StackArgs, words: tuple[str, ...], all_: bool, as_json: bool) -> int:
    """List the recorded addresses, one per line.

    A PostgreSQL database has one state or many: `?state=NAME` of the URL selects one,
    and --all lists them.

    \b
    Examples:
      hacore state list
      hacore state list file.nginx.conf     on all of its hosts
      hacore state list --json
      hacore state list --all --state postgresql://ops@db.example.com/hacore
    """
    from ...render.state import addresses_json
    from ..recorded_rows import selected

    stack, address = stack_and_address(words)
    if all_:
        return _list_all(replace(args, stack=stack), address, as_json=as_json)
    rows = selected(replace(args, stack=stack), address)
    terminal = args.runtime.terminal
    if as_json:
        terminal.say_json(addresses_json(rows))
    elif rows:
        terminal.say("\n".join(str(row.address) for row in rows))
    return 0


def _list_all(args: StackArgs, address: Address | None, *, as_json: bool) -> int:
    from ...render.states import states_json, states_text
    from ...store import states

    if address is not None:
        raise UsageError(f"cannot list {address}: --all lists states, not addresses")
    found = states(args.state_url())
    terminal = args.runtime.terminal
    if as_json:
        terminal.say_json(states_json(found))
    elif found:
        terminal.say(states_text(found))
    return 0


@command.command("show")
@click.argument("address", metavar="ADDRESS", shell_complete=candidates.recorded)
@stack_options(variables=False)
@as_json
def show_(args: StackArgs, address: str, as_json: bool) -> int:
    """Show the recorded attributes of one address.

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
    """Forget resources, which stay on their hosts.

    They are no longer managed. While the stack has them, the next plan adopts them again. With --host forget a
    machine that no longer exists, and all of its resources.

    \b
    Examples:
      hacore state rm file.motd                 on all of its hosts
      hacore state rm file.motd@lb2 --stack stacks/web
      hacore state rm --host lb2                a machine that no longer exists
    """
    from ...engine import forget

    if not addresses and not hosts:
        raise UsageError("cannot forget resources: give addresses, or --host NAME")
    selectors = [Address.parse(text) for text in addresses]
    kept = asyncio.run(forget(replace(args, stack=folder).state_url(), selectors, hosts=hosts))
    lines = [f"Forgotten: {address}" for address in kept.gone]
    lines += [f"Forgotten: {address} on {', '.join(hosts)}" for address in kept.without]
    _report(args, kept, [*lines, *(f"Forgotten: host {name}" for name in hosts)])
    return 0


@command.command("mv")
@click.argument("source", metavar="FROM", shell_complete=candidates.recorded)
@click.argument("target", metavar="TO", shell_complete=candidates.address)
@click.option("--host", "host", is_flag=True, help="Rename a host: FROM and TO are names of hosts.")
@stack_option
@stack_options(variables=False, argument=False)
def mv_(args: StackArgs, source: str, target: str, host: bool, folder: str | None) -> int:
    """Record a resource under another address.

    For a resource that was renamed in the stack. No host is changed. Original files, before-images, pending
    reloads, dependencies
    and the runs that can be rolled back follow.

    \b
    Examples:
      hacore state mv file.motd file.banner
      hacore state mv 'file.site["a"]' 'file.site["b"]'
      hacore state mv file.motd 'file.motd["en"]'   after for_each was added
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
    _report(args, kept, lines)
    return 0


@command.command("migrate")
@click.argument("url", metavar="TO-URL")
@stack_options(variables=False)
def migrate_(args: StackArgs, url: str) -> int:
    """Move the state to another database.

    Runs, before-images, original files and the history move along, from SQLite to
    PostgreSQL or back. The copy is compared with the state, row by row; then the
    state here is refused, by this and by earlier versions of hacore. No host is
    changed. A state on a server has its key in HACORE_KEY.

    \b
    Examples:
      hacore state migrate postgresql://ops@db/hacore?state=web
      hacore state migrate sqlite:///web.db --state postgresql://ops@db/hacore
    """
    from ...engine.means import whoami
    from ...load.find import absolute_state
    from ...render.words import count
    from ...store import relocate
    from ...urls import url_secrets

    target = absolute_state(url, Path.cwd())
    args.runtime.terminal.redactor.add(url_secrets(target))
    done = relocate(args.state_url(), target, who=whoami())
    rows = done.rows
    moved = [
        count(rows["resource"], "resource"),
        count(rows["run"], "run"),
        count(rows["image"], "before-image"),
    ]
    args.runtime.terminal.say(
        f"Moved and verified: {', '.join(moved)} (lineage {done.lineage}, serial {done.serial}).\n"
        f"The state is now at {done.target}: set `state:` in the stack, or HACORE_STATE, to that."
    )
    return 0


@command.command("new-key")
@stack_options(variables=False)
def new_key_(args: StackArgs) -> int:
    """Create a new key for a state that has lost its own.

    The key compares sensitive values and encrypts their before-images. With a new
    key the next plan shows all sensitive values as changed, and apply writes them
    again; before-images of the old key can no longer be read. A state that still
    has its key keeps it.

    \b
    Examples:
      hacore state new-key
      hacore state new-key stacks/web
    """
    from ...engine import new_key

    kept = asyncio.run(new_key(args.state_url()))
    if kept is None:
        args.runtime.terminal.say("The state has its key: no change.")
    else:
        _report(args, kept, ["The state has a new key. The next apply writes all sensitive values again."])
    return 0


def _report(args: StackArgs, kept: StateEditResult, lines: Sequence[str]) -> None:
    """Print the edits, and the path of the backup."""
    terminal = args.runtime.terminal
    if kept.broke is not None:
        terminal.tell(f"warning: the lock of {kept.broke} was broken: that process has ended")
    if kept.upgraded:
        terminal.tell(f"The schema of the state was upgraded. Backup: {kept.upgraded}")
    terminal.say("\n".join(lines))
    if kept.backup:
        terminal.tell(f"Backup of the previous state: {kept.backup}")


command.add_command(history)
command.add_command(diff)
command.add_command(pull)
