"""`hacore runs`."""

from __future__ import annotations

from dataclasses import replace

import click

from ..complete import candidates
from ..options import as_json
from ..positionals import stack_and_run
from ..stack_args import StackArgs, stack_options


class _Listing(click.Group):
    """A group with the default command `list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click.Group."""
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["list", *args])


@click.group("runs", cls=_Listing, subcommand_metavar="[STACK] [RUN] | prune")
def command() -> None:
    """List the recorded runs, show one, or prune old ones.

    \b
    Examples:
      hacore runs
      hacore runs 7                     the tasks of run 7
      hacore runs stacks/web --json
      hacore runs prune --keep 50
    """


@command.command("list")
@click.argument("words", nargs=-1, metavar="[STACK] [RUN]", shell_complete=candidates.run_or_stack)
@stack_options(variables=False, argument=False)
@as_json
def list_(args: StackArgs, words: tuple[str, ...], as_json: bool) -> int:
    """List the recorded runs, or show one with its tasks.

    `hacore runs` is the same.

    \b
    Examples:
      hacore runs list
      hacore runs list 7 --json
    """
    from ...render.state import run_report_json, run_text_of, runs_json, runs_text
    from ..recorded_rows import opened

    stack, number = stack_and_run(words)
    terminal = args.runtime.terminal
    with opened(replace(args, stack=stack)) as state:
        if number is not None:
            if state is None:
                from ...errors import StoreError

                raise StoreError(f"cannot find run {number}: the state is empty")
            run, tasks = state.run(number), state.tasks(number)
            if as_json:
                terminal.say_json(run_report_json(run, tasks))
            else:
                terminal.say(run_text_of(run, tasks, terminal.out_style))
            return 0
        runs = [] if state is None else state.runs()
    if as_json:
        terminal.say_json(runs_json(runs))
    else:
        terminal.say(runs_text(runs, terminal.out_style))
    return 0


@command.command("prune")
@stack_options(variables=False)
@click.option("--keep", type=click.IntRange(min=0), required=True, metavar="N", help="Keep the newest N runs.")
def prune_(args: StackArgs, keep: int) -> int:
    """Delete old runs and their before-images from the state.

    Pruned runs can no longer be rolled back. The original files stay in the state:
    delete and destroy still restore them.

    \b
    Examples:
      hacore runs prune --keep 50
      hacore runs prune stacks/web --keep 10
    """
    import asyncio

    from ...engine import prune_runs
    from ...render.words import count

    pruned = asyncio.run(prune_runs(args.state_url(), keep))
    args.runtime.terminal.say(f"Pruned {count(pruned, 'run')}, kept the newest {keep:,}.")
    return 0
