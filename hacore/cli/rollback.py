"""`hacore rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import Cancelled
from .options import StackArgs, auto_approve, parallelism, stack_options
from .password import ask_become_pass
from .words import stack_and_run

if TYPE_CHECKING:
    from ..engine import RollbackPlan, RollbackResult
    from ..render.progress import Progress
    from .running import Stopper

_WORDS = "a rollback is better not left halfway: it goes on; once more to leave at once"


@click.command("rollback")
@click.argument("words", nargs=-1, metavar="[STACK] [RUN]")
@stack_options(variables=False, argument=False)
@ask_become_pass
@auto_approve
@click.option("--force", is_flag=True, help="Also overwrite what was changed by hand since that run.")
@parallelism
def command(args: StackArgs, words: tuple[str, ...], auto_approve: bool, force: bool, parallelism: int) -> int:
    """Undo the last run, from the before-images it kept.

    Needs neither the stack's files nor its variables. Shows what it would do and asks for a literal
    `yes`. Also takes back a run that was cut off. What somebody changed by hand since is only
    overwritten with --force.

    \b
    Examples:
      hacore rollback
      hacore rollback 7                     only if run 7 is the one that would be undone
      hacore rollback stacks/web --auto-approve
    """
    from dataclasses import replace

    from ..render.progress import Progress
    from ..render.result import rollback_result_text
    from .running import run

    stack, number = stack_and_run(words)
    args = replace(args, stack=stack)
    terminal = args.runtime.terminal
    progress = Progress(terminal)
    url = args.state_url()
    args.password()  # asked for before the progress begins

    async def work(stopper: Stopper) -> RollbackResult:
        return await _rollback(args, url, number, stopper, progress, auto_approve, force, parallelism)

    result = run(terminal, work, progress=progress, words=_WORDS)
    commands = {"rollback": args.again("rollback")}
    terminal.say(rollback_result_text(result, commands=commands, style=terminal.out_style))
    return 0 if result.ok else 1


async def _rollback(
    args: StackArgs,
    url: str,
    number: int | None,
    stopper: Stopper,
    progress: Progress,
    auto_approve: bool,
    force: bool,
    parallelism: int,
) -> RollbackResult:
    from ..engine import rollback
    from ..render.rollback import rollback_text
    from .asking import ask_yes
    from .options import providers

    terminal = args.runtime.terminal

    async def approve(shown: RollbackPlan) -> bool:
        progress.paused = True
        terminal.live("")
        terminal.say(rollback_text(shown, terminal.out_style))
        terminal.say("")
        hosts = sorted({item.host for item in shown.items if item.host is not None})
        question = f"Do you want to roll back run {shown.run.id} on {', '.join(hosts) or 'no host'}?"
        if not auto_approve and not await ask_yes(terminal, question):
            raise Cancelled("rollback cancelled")
        progress.paused = False
        stopper.touching = True
        return True

    return await rollback(
        url,
        providers=providers(),
        approve=approve,
        run=number,
        force=force,
        listener=progress,
        parallelism=parallelism,
        password=args.password(),
    )
