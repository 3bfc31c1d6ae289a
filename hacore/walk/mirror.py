"""The way back of one task, as steps: for the walker that undoes it, and for a host that does it by itself."""

from __future__ import annotations

from dataclasses import replace

from ..address import Address
from ..contract import Image, Step
from ..journal import Live
from .context import Context
from .work import touching, trigger_work, work_of


async def undo_steps(live: Live, ctx: Context) -> tuple[Step, ...]:
    """The provider's undo with the task's before-images; none where nothing was captured."""
    images = images_of(live, ctx)
    if not images or not touching(live) or live.task.host is None:
        return ()
    work = replace(work_of(live, ctx, images, undo=True), images=images)
    return tuple([await ctx.ready(step) for step in ctx.providers[live.task.kind].undo(work)])


async def settle_steps(live: Live, ctx: Context) -> tuple[Step, ...]:
    """The daemon's reload or restart; a consumer that is not there any more has nothing to take in."""
    try:
        work = trigger_work(live, ctx)
    except KeyError:
        return ()
    steps = ctx.providers[live.task.kind].trigger(work, live.task.trigger)  # type: ignore[arg-type]
    return tuple([await ctx.ready(step) for step in steps])


def images_of(live: Live, ctx: Context) -> dict[Address, Image]:
    """The task's before-images: those at hand, else those of the state."""
    if live.images or not live.image_ids:
        return live.images
    stored = ctx.writer.images(set(live.image_ids.values()))
    return {address: stored[number] for address, number in live.image_ids.items()}


__all__ = ["images_of", "settle_steps", "undo_steps"]
