"""The steps of one task, by themselves: what undoing and guarding have in common."""

from __future__ import annotations

from collections.abc import Sequence

from ..contract import Output, Step
from ..errors import DoubtError, FencedError
from ..journal import RunningTask
from ..probe import Frame
from .context import Context


async def run_steps(live: RunningTask, steps: Sequence[Step], ctx: Context, what: str) -> None:
    """Run them on the task's host; raises Failed that begins with `what` when one of them fails.

    An undo, a settling and a guard's steps may be repeated: they are, for a host that was restarted under them.
    """
    if not steps:
        return
    host = str(live.task.host)

    def started(frame: str, index: int) -> None:
        if steps[index].what:
            ctx.say("task_progress", steps[index].what, host=host, task=frame)

    results = await ctx.steps(host, [Frame(live.id, tuple(steps))], started, retry_safe=True)
    if (out := results[live.id].failed) is not None:
        raise failure(out, what)


class Failed(Exception):  # noqa: N818 - a verdict on one task, not an error of the program
    """A task failed; the message is for the user.

    `fenced`: another run has the host, nothing may be undone. `doubt`: it is not known whether it failed, so
    nothing is undone.
    """

    def __init__(self, message: str, *, fenced: bool = False, doubt: bool = False) -> None:
        super().__init__(message)
        self.fenced = fenced
        self.doubt = doubt

    @classmethod
    def of(cls, error: Exception) -> Failed:
        """The failure that an error of the engine causes."""
        return cls(str(error), fenced=isinstance(error, FencedError), doubt=isinstance(error, DoubtError))


def failure(output: Output, what: str) -> Failed:
    """A failed step in words: the last lines that it wrote to stderr, else to stdout."""
    text = (output.stderr or output.stdout).decode("utf-8", "replace").strip()
    tail = "\n".join(text.splitlines()[-12:])
    reason = "it did not end within its deadline" if output.rc in (124, 137) else f"exit code {output.rc}"
    return Failed(f"{what}: {reason}" + (f": {tail}" if tail else ""))
