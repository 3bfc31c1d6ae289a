"""`apply --confirm-within`: each host gets the way back of a task before that task touches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..contract import Step
from ..journal import Live
from ..model import Op
from ..probe.revert import arm
from .context import Context
from .mirror import settle_steps, undo_steps


@dataclass
class Timer:
    """The time that a host waits to be confirmed: `within` seconds since we were last heard of.

    `armed`: the hosts that wait for it.
    """

    within: int
    lineage: str
    what: str
    armed: set[str] = field(default_factory=set)
    _laid: int = 0

    def step(self, host: str, id: str, steps: Sequence[Step], kind: Literal["undo", "settle", "serve"]) -> Step:
        """Lay the way back of a task."""
        self._laid += 1
        self.armed.add(host)
        name = f"{self._laid:06d}-{id}.{kind}"
        return arm(tuple(steps), name, lineage=self.lineage, what=self.what, within=self.within)


async def arming(live: Live, ctx: Context) -> tuple[Step, ...]:
    """What goes before the steps of a task."""
    host = live.task.host
    if ctx.timer is None or host is None:
        return ()
    if live.task.op is Op.TRIGGER:
        back = await settle_steps(live, ctx)
        return (ctx.timer.step(host, live.id, back, "settle"),) if back else ()
    back = await undo_steps(live, ctx)
    return (ctx.timer.step(host, live.id, back, "undo"),) if back else ()


def arming_drain(live: Live, undrain: Sequence[Step], ctx: Context) -> tuple[Step, ...]:
    """A host that is put back while it is out of service goes back into it."""
    host = live.task.host
    if ctx.timer is None or host is None:
        return ()
    return (ctx.timer.step(host, live.id, undrain, "serve"),)


__all__ = ["Timer", "arming", "arming_drain"]
