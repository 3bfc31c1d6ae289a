"""`hacore rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..approval import _Approval
from ..complete import candidates
from ..options import as_json, ask_become_pass, auto_approve, no_irreversible, parallelism
from ..positionals import stack_and_run
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...engine import RollbackResult
    from ..interruptible import Stopper


@click.command("rollback")
@click.argument("words", nargs=-1, metavar="[STACK] [RUN]", shell_complete=candidates.run_or_stack)
@stack_options(variables=False, argument=False)
@ask_become_pass
@auto_approve
@click.option("--force", is_flag=True, help="Also overwrite what was changed by hand since that run.")
@no_irreversible
@parallelism
@as_json
def command(
    args: StackArgs,
    words: tuple[str, ...],
    auto_approve: bool,
    force: bool,
    no_irreversible: bool,
    parallelism: int,
    as_json: bool,
) -> int:
    """Undo the last applied run, or go back to before RUN, from the before-images that were kept.

    With RUN that run is undone and all that stands after it; each daemon reloads or restarts once,
    whatever the number of runs. Needs neither the stack's files nor its variables. Shows what it
    would do and asks for a literal `yes`. What somebody changed by hand since is only overwritten
    with --force.

    A rollback is a run itself: `hacore rollback` with its number takes it back. A run that was cut
    off is taken back by itself; a rollback that was cut off goes on.

    \b
    Examples:
      hacore rollback
      hacore rollback 7                     back to before run 7
      hacore rollback stacks/web --auto-approve --json
      hacore rollback --no-irreversible     not at all if something could not be brought back
    """
    from dataclasses import replace

    from ...render.progress import Progress
    from ...render.result import rollback_result_json, rollback_result_text
    from ..interruptible import as_lines, run, stoppable

    if as_json and not auto_approve:
        raise UsageError("cannot ask for approval with --json: use --auto-approve, too")
    stack, number = stack_and_run(words)
    args = replace(args, stack=stack)
    terminal = args.runtime.terminal
    args.runtime.json = as_json
    progress = Progress(terminal)
    means = args.means(as_lines(terminal) if as_json else progress, parallelism=parallelism)
    url = args.state_url()

    async def work(stopper: Stopper) -> RollbackResult:
        from ...engine import rollback

        return await rollback(
            url,
            stoppable(means, stopper),
            approve=_Approval(args, stopper, progress, auto_approve, as_json),
            run=number,
            force=force,
            no_irreversible=no_irreversible,
        )

    result = run(terminal, work, progress=None if as_json else progress)
    if as_json:
        terminal.say_json(rollback_result_json(result), line=True)
    else:
        again = {"rollback": args.again("rollback"), "undo": args.again(f"rollback {result.run}")}
        terminal.say(rollback_result_text(result, commands=again, style=terminal.out_style))
    return 0 if result.ok else 1
