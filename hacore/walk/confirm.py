"""`apply --confirm-within`: each host gets the undo of a task before that task touches it."""

from __future__ import annotations

from collections.abc import Sequence

from ..contract import Step
from ..journal import RunningTask
from ..model import Op
from .context import Context
from .undo_steps import settle_steps, undo_steps


async def arming(live: RunningTask, ctx: Context) -> tuple[Step, ...]:
    """The steps before those of a task."""
    host = live.task.host
    if ctx.timer is None or host is None:
        return ()
    if live.task.op is Op.TRIGGER:
        back = await settle_steps(live, ctx, ctx.rows_before())
        return (ctx.timer.step(host, live.id, back, "settle"),) if back else ()
    back = await undo_steps(live, ctx)
    return (ctx.timer.step(host, live.id, back, "undo"),) if back else ()


def arming_drain(live: RunningTask, undrain: Sequence[Step], ctx: Context) -> tuple[Step, ...]:
    """A host that reverts while it is out of service is put back into service."""
    host = live.task.host
    if ctx.timer is None or host is None:
        return ()
    return (ctx.timer.step(host, live.id, undrain, "serve"),)


__all__ = ["arming", "arming_drain"]
