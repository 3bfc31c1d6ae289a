"""The steps of one task, by themselves: what undoing and guarding have in common."""

from __future__ import annotations

from collections.abc import Sequence

from ..contract import Step
from ..journal import Live
from ..probe import Frame
from .context import Context
from .forward import failure


async def run_steps(live: Live, steps: Sequence[Step], ctx: Context, what: str) -> None:
    """Run them on the task's host; raises Failed that begins with `what` when one of them fails.

    An undo, a settling and a guard's steps may be repeated: they are, for a host that was restarted under them.
    """
    if not steps:
        return
    host = str(live.task.host)

    def started(frame: str, index: int) -> None:
        if steps[index].what:
            ctx.say("task_progress", steps[index].what, host=host, task=frame)

    results = await ctx.steps(host, [Frame(live.id, tuple(steps))], started, twice=True)
    if (out := results[live.id].failed) is not None:
        raise failure(out, what)
