"""`hacore state history`, `diff` and `pull`: the state over time, and all of it. Read-only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ..complete import candidates
from ..options import as_json
from ..positionals import stack_and_address, stack_and_serials
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...store import StateReader


@contextmanager
def _recorded(args: StackArgs) -> Iterator[StateReader]:
    """The state. Raises StoreError when it does not exist."""
    from ..recorded_rows import opened

    with opened(args) as state:
        if state is None:
            from ...errors import StoreError

            raise StoreError("cannot read the state: it does not exist yet; `hacore apply` creates it")
        yield state


@click.command("history")
@click.argument("words", nargs=-1, metavar="[STACK] [ADDRESS]", shell_complete=candidates.recorded_or_stack)
@stack_options(variables=False, argument=False)
@as_json
def history(args: StackArgs, words: tuple[str, ...], as_json: bool) -> int:
    """List the changes of the state, newest first.

    Shows serials, run, time, user and resources. With an address only its changes.

    \b
    Examples:
      hacore state history
      hacore state history file.nginx.conf@lb1
      hacore state history stacks/web --json
    """
    from ...address import Address
    from ...render.history import history_json, history_text
    from ...store import episodes, matching

    stack, selector = stack_and_address(words)
    terminal = args.runtime.terminal
    with _recorded(replace(args, stack=stack)) as state:
        rows, deltas = state.rows_json(), state.deltas()
        found = episodes(rows, state.revisions(), deltas)
    if selector is not None:
        matching({Address.parse(text) for text in (*rows, *(delta.address for delta in deltas))}, selector)
        own = [
            replace(e, changes=tuple(c for c in e.changes if selector.selects(Address.parse(c.address)))) for e in found
        ]
        found = [episode for episode in own if episode.changes]
    if as_json:
        terminal.say_json(history_json(found))
    else:
        terminal.say(history_text(found, terminal.out_style))
    return 0


@click.command("diff")
@click.argument("words", nargs=-1, required=True, metavar="[STACK] SERIAL [SERIAL]")
@stack_options(variables=False, argument=False)
@as_json
def diff(args: StackArgs, words: tuple[str, ...], as_json: bool) -> int:
    """Compare the state at two serials.

    With one serial: with the current state.

    \b
    Examples:
      hacore state diff 12                  since serial 12
      hacore state diff 12 15
      hacore state diff stacks/web 12 --json
    """
    from ...render.history import diff_json, diff_text
    from ...store import changes_between

    stack, (first, last) = stack_and_serials(words)
    terminal = args.runtime.terminal
    with _recorded(replace(args, stack=stack)) as state:
        until = state.serial if last is None else last
        changes = changes_between(state.rows_at(first), state.rows_at(until))
    if as_json:
        terminal.say_json(diff_json(changes, first, until))
    else:
        terminal.say(diff_text(changes, first, until, terminal.out_style))
    return 0


@click.command("pull")
@stack_options(variables=False)
def pull(args: StackArgs) -> int:
    """Print the whole state as JSON.

    With resources, hosts, runs with their tasks, and history. Sensitive values are printed as their HMAC;
    before-images are not included.

    \b
    Examples:
      hacore state pull
      hacore state pull stacks/web > web.json
    """
    from ...render.history import state_json

    with _recorded(args) as state:
        value = state_json(state)
    args.runtime.terminal.say_json(value)
    return 0
