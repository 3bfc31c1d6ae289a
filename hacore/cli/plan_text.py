"""What a plan's text shows besides the plan: the state, the runs, the command that applies it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from .options import words
from .stack_args import StackArgs, again

if TYPE_CHECKING:
    from ..engine import Planned
    from ..render.plan import PlanText


def about(
    planned: Planned,
    args: StackArgs,
    *,
    destroy: bool = False,
    on_failure: str = "rollback",
    out: Path | None = None,
    verbose: bool = False,
) -> PlanText:
    """The surroundings of a plan. `out`: the file that it was saved to."""
    from ..render.plan import PlanText

    more = words(planned.plan.selection)
    command = args.again("destroy" if destroy else "apply", planned.stack) + (f" {shlex.join(more)}" if more else "")
    return PlanText(
        state=planned.stack.state,
        last_run=planned.last_run,
        unfinished=planned.unfinished,
        next_command=again(args, out) if out is not None else command,
        on_failure=on_failure,
        verbose=verbose,
    )
