"""The steps of one task, by themselves: what undoing and guarding have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..contract import Output, Step
from ..errors import DoubtError, FencedError
from ..journal import RunningTask
from ..model import canonical
from ..probe import Frame
from .context import Context

LINES = 12
"""Of the output of a failed step, its last lines are shown."""

_CAUSES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\[(emerg|alert|crit|ALERT)\]",  # nginx, HAProxy
        r"\(.*\bLine \d+\)|Unknown keyword",  # keepalived
        r"^AH\d+: Syntax error",  # Apache
        r"^ \S+ : (Depends|PreDepends|Conflicts|Breaks): ",  # apt, before its last words
        r"^(E|Error): \S|^No match for argument|^ *Problem( \d+)?: ",  # apt, dnf
        r"(?i)^(\S+: )?(fatal|error)\b[^:]*: ",
    )
)
"""How programs mark the line that names the cause; the first pattern that has a line counts."""
WITHHELD = "its output is withheld: the task is about something sensitive"


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
        raise failure(live, out, what, ctx)


class Failed(Exception):  # noqa: N818 - a verdict on one task, not an error of the program
    """A task failed; the message is for the user.

    `fenced`: another run has the host, nothing may be undone. `doubt`: it is not known whether it failed, so
    nothing is undone. `kept`: the message as the state keeps it, if that must not have all of it.
    """

    def __init__(self, message: str, *, fenced: bool = False, doubt: bool = False, kept: str = "") -> None:
        super().__init__(message)
        self.kept = kept or message
        self.fenced = fenced
        self.doubt = doubt

    @classmethod
    def of(cls, error: Exception) -> Failed:
        """The failure that an error of the engine causes."""
        return cls(str(error), fenced=isinstance(error, FencedError), doubt=isinstance(error, DoubtError))


def failure(live: RunningTask, output: Output, what: str, ctx: Context) -> Failed:
    """A failed step in words: the last lines that it wrote to stderr, else to stdout, without secrets.

    The state and its readers get none of the output where the task is about something sensitive: what a program makes
    of a secret (a part of it, its base64) cannot be recognized. Who ran the task sees it, if the secrets are known.
    """
    # before the cut: half a secret is not found
    text = ctx.secrets.scrub((output.stderr or output.stdout).decode("utf-8", "replace")).strip()
    tail = "\n".join(cause_first(text.splitlines()))
    reason = "it did not end within its deadline" if output.rc in (124, 137) else f"exit code {output.rc}"
    if tail and is_sensitive(live, ctx):
        kept = f"{what}: {reason}: {WITHHELD}"
        return Failed(f"{what}: {reason}: {tail}" if ctx.secrets.values else kept, kept=kept)
    return Failed(f"{what}: {reason}" + (f": {tail}" if tail else ""))


def cause_first(lines: Sequence[str]) -> list[str]:
    """The last lines of an output, after the line that names the cause: a program may write much behind it.

    Where no line is known to name it, as the program wrote them.
    """
    cause = next((line for pattern in _CAUSES for line in lines if pattern.search(line)), None)
    tail = list(lines[-LINES:])
    return tail if cause is None else [cause.strip(), *(line for line in tail if line != cause)]


def is_sensitive(live: RunningTask, ctx: Context) -> bool:
    """Whether a task is about something sensitive, now or before the run."""
    for address in live.task.addresses:
        instance, row = ctx.instances.get(address), ctx.rows.get(address)
        before, recorded = live.before.get(address) or {}, live.task.rows.get(address) or {}
        if (instance is not None and instance.sensitive) or (row is not None and row.sensitive):
            return True
        if before.get("sensitive") or any("hmac:" in canonical(known.get("spec")) for known in (before, recorded)):
            return True
    return any(planned.desired is not None and planned.desired.sensitive for planned in live.task.changes)
