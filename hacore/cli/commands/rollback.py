"""`hacore rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..complete import candidates
from ..options import as_json, ask_become_pass, auto_approve, no_irreversible, parallelism
from ..positionals import stack_and_run
from ..stack_args import StackArgs, stack_options

if TYPE_CHECKING:
    from ...engine import RollbackPlan, RollbackResult


@click.command("rollback")
@click.argument("words", nargs=-1, metavar="[STACK] [RUN]", shell_complete=candidates.run_or_stack)
@stack_options(variables=False, argument=False)
@ask_become_pass
@auto_approve
@click.option("--force", is_flag=True, help="Overwrite changes made outside of hacore since that run.")
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
    """Undo the last applied run, or all runs from RUN on.

    Restores the before-images. With RUN, that run and all later ones are undone; each daemon reloads or
    restarts once, whatever the number of runs. Needs neither the files of the stack
    nor its variables. Shows the steps and asks for a literal `yes`. Changes made
    outside of hacore since are overwritten only with --force.

    A rollback is a run itself: `hacore rollback` with its number undoes it. An
    interrupted run is undone alone; an interrupted rollback is finished.

    \b
    Examples:
      hacore rollback
      hacore rollback 7                 to the state before run 7
      hacore rollback stacks/web --auto-approve --json
      hacore rollback --no-irreversible
                                        refuse steps that cannot be undone
    """
    from dataclasses import replace

    from ...render.result import rollback_result_json, rollback_result_text
    from ...render.rollback import rollback_json, rollback_text, rollback_words
    from ..dialogue import Dialogue

    stack, number = stack_and_run(words)
    args = replace(args, stack=stack)
    dialogue = Dialogue(args.runtime, "rollback", auto_approve=auto_approve, as_json=as_json)
    means = args.means(dialogue.listener, parallelism=parallelism, stop=dialogue.stop)
    url = args.state_url()
    style = args.runtime.terminal.out_style

    async def approve(shown: RollbackPlan) -> bool:
        dialogue.show_plan(lambda: rollback_text(shown, style), lambda: rollback_json(shown))
        hosts = sorted({item.host for item in shown.items if item.host is not None})
        return await dialogue.approve(f"Do you want to {rollback_words(shown)} on {', '.join(hosts) or 'no host'}?")

    async def work() -> RollbackResult:
        from ...engine import rollback

        return await rollback(url, means, approve=approve, run=number, force=force, no_irreversible=no_irreversible)

    result = dialogue.run(work)
    commands = {"rollback": args.again("rollback"), "undo": args.again(f"rollback {result.run}")}
    dialogue.report(
        lambda: rollback_result_text(result, commands=commands, style=style), lambda: rollback_result_json(result)
    )
    return 0 if result.ok else 1
