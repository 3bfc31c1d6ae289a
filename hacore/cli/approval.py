"""The plan that is shown before a run, and the question whether to go on."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Cancelled
from .options import Options, words
from .stack_args import StackArgs, again

if TYPE_CHECKING:
    from ..engine import Planned, RollbackPlan
    from ..render.plan import PlanText
    from ..render.progress import Progress
    from .interruptible import Stopper


def about(
    planned: Planned, args: StackArgs, *, destroy: bool = False, on_failure: str = "rollback", out: Path | None = None
) -> PlanText:
    """What the renderer tells besides the plan: the state, the runs, the command that would do it."""
    from ..render.plan import PlanText

    more = words(planned.plan.selection)
    told = args.again("destroy" if destroy else "apply", planned.stack) + (f" {shlex.join(more)}" if more else "")
    return PlanText(
        state=planned.stack.state,
        last_run=planned.last_run,
        unfinished=planned.unfinished,
        next_command=again(args, out) if out is not None else told,
        on_failure=on_failure,
    )


def _approval(
    args: StackArgs, options: Options, stopper: Stopper, progress: Progress
) -> Callable[[Planned, str], Awaitable[bool]]:
    from ..plan import plan_json
    from ..render.plan import plan_text

    terminal = args.runtime.terminal

    async def approve(planned: Planned, why: str) -> bool:
        stopper.touching = False
        args.know(planned.stack)
        progress.paused = True
        terminal.live("")
        if why:
            terminal.tell(terminal.err_style("yellow", why))
        if options.as_json:
            terminal.say_json({"type": "plan", **plan_json(planned.plan)}, line=True)
        else:
            shown = replace(about(planned, args, on_failure=options.on_failure), next_command="")
            terminal.say(plan_text(planned.plan, shown, terminal.out_style))
            terminal.say("")
        if not options.auto_approve and not await _ask(args, options, planned):
            raise Cancelled(f"{options.command} cancelled")
        progress.paused = False
        stopper.touching = True
        return True

    return approve


async def _ask(args: StackArgs, options: Options, planned: Planned) -> bool:
    from .prompts import ask_yes

    hosts = ", ".join(sorted({host for change in planned.plan.changes for host in change.hosts}))
    if options.destroy:
        question = f"Do you really want to take back all of this on {hosts}?"
        details = "What hacore made goes, what it found and changed comes back as it was."
        return await ask_yes(args.runtime.terminal, question, details)
    return await ask_yes(args.runtime.terminal, f"Do you want to perform these actions on {hosts}?")


class _Approval:
    """Shows the way back, and asks."""

    def __init__(self, args: StackArgs, stopper: Stopper, progress: Progress, approved: bool, as_json: bool) -> None:
        self._args = args
        self._stopper = stopper
        self._progress = progress
        self._approved = approved
        self._as_json = as_json

    async def __call__(self, shown: RollbackPlan) -> bool:
        from ..render.rollback import rollback_json, rollback_text, rollback_words
        from .prompts import ask_yes

        terminal = self._args.runtime.terminal
        self._progress.paused = True
        terminal.live("")
        if self._as_json:
            terminal.say_json({"type": "plan", **rollback_json(shown)}, line=True)
        else:
            terminal.say(rollback_text(shown, terminal.out_style))
            terminal.say("")
        hosts = sorted({item.host for item in shown.items if item.host is not None})
        question = f"Do you want to {rollback_words(shown)} on {', '.join(hosts) or 'no host'}?"
        if not self._approved and not await ask_yes(terminal, question):
            raise Cancelled("rollback cancelled")
        self._progress.paused = False
        self._stopper.touching = True
        return True
