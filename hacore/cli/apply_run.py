"""What `apply` and `destroy` have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UsageError
from .approval import _approval
from .interruptible import stoppable
from .options import Options
from .stack_args import StackArgs

if TYPE_CHECKING:
    from ..engine import Request, RunResult
    from ..render.progress import Progress
    from .interruptible import Stopper


def go(args: StackArgs, options: Options) -> int:
    """Plan, ask, run, and tell; the exit code."""
    from ..render.progress import Progress
    from ..render.result import run_json, run_text
    from .interruptible import as_lines, run

    if options.as_json and not options.auto_approve:
        raise UsageError("cannot ask for approval with --json: use --auto-approve, too")
    terminal = args.runtime.terminal
    args.runtime.json = options.as_json
    progress = Progress(terminal)
    listener = as_lines(terminal) if options.as_json else progress
    request = args.request(listener, parallelism=options.parallelism)
    request = replace(request, options=options.apply())
    if options.selection:
        if options.resume:
            raise UsageError("cannot select with --resume: the run goes on with what it was begun with")
        request = replace(request, selection=options.selection)
    if options.resume:  # no plan is shown before that run goes on, so nothing else tells us what is secret
        args.runtime.learn_secrets()

    async def work(stopper: Stopper) -> RunResult:
        return await _apply(args, options, request, stopper, progress)

    result = run(terminal, work, progress=None if options.as_json else progress)
    args.know(result.planned.stack)
    if options.as_json:
        terminal.say_json(run_json(result, command=options.command), line=True)
    else:
        commands = {name: args.again(name, result.planned.stack) for name in ("plan", "rollback")}
        terminal.say(run_text(result, command=options.command, commands=commands, style=terminal.out_style))
    return 0 if result.ok else 1


async def _apply(
    args: StackArgs, options: Options, request: Request, stopper: Stopper, progress: Progress
) -> RunResult:
    from ..engine import apply

    return await apply(
        replace(request, means=stoppable(request.means, stopper)),
        approve=_approval(args, options, stopper, progress),
        destroy=options.destroy,
        resume=options.resume,
    )
