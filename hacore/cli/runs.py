"""`hacore runs`."""

from __future__ import annotations

from dataclasses import replace

import click

from .options import StackArgs, as_json, stack_options
from .words import stack_and_run


@click.command("runs")
@click.argument("words", nargs=-1, metavar="[STACK] [RUN]")
@stack_options(variables=False, argument=False)
@as_json
def command(args: StackArgs, words: tuple[str, ...], as_json: bool) -> int:
    """List the recorded runs, or show one task by task.

    \b
    Examples:
      hacore runs
      hacore runs 7                         run 7, task by task
      hacore runs stacks/web --json
    """
    from ..render.state import run_json_of, run_text_of, runs_text
    from .stored import opened

    stack, number = stack_and_run(words)
    terminal = args.runtime.terminal
    with opened(replace(args, stack=stack)) as state:
        if number is not None:
            if state is None:
                from ..errors import StoreError

                raise StoreError(f"cannot find run {number}: nothing is recorded yet")
            run, tasks = state.run(number), state.tasks(number)
            if as_json:
                terminal.say_json(run_json_of(run, tasks))
            else:
                terminal.say(run_text_of(run, tasks, terminal.out_style))
            return 0
        runs = [] if state is None else state.runs()
    if as_json:
        terminal.say_json([run_json_of(run) for run in runs])
    else:
        terminal.say(runs_text(runs, terminal.out_style))
    return 0
