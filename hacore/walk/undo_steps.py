"""The undo of one task, as steps: for the walker, and for a host that reverts automatically."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Image, Step, View
from ..journal import RunningTask, mirrored
from ..model import Row, pending_mark
from ..store import row_from_json
from .context import Context
from .work import recorded_view, touching, trigger_work, work_of


async def undo_steps(live: RunningTask, ctx: Context) -> tuple[Step, ...]:
    """The provider's undo with the task's before-images; none where nothing was captured."""
    images = images_of(live, ctx)
    if not images or not touching(live) or live.task.host is None:
        return ()
    work = replace(work_of(live, ctx, images, undo=True), images=images)
    return tuple([await ctx.ready(step) for step in ctx.providers[live.task.kind].undo(work)])


async def trigger_steps(live: RunningTask, ctx: Context) -> tuple[Step, ...]:
    """The daemon's reload or restart with the desired sources; by its row if this run ends its management."""
    address = live.task.addresses[0]
    return await _steps(live, ctx, ctx.views.get(address) or recorded_view(address, ctx, ctx.rows))


async def settle_steps(live: RunningTask, ctx: Context, rows: Mapping[Address, Row]) -> tuple[Step, ...]:
    """The daemon's reload or restart with the restored sources, by its row in `rows`.

    The stack of the undone run may no longer name what the daemon reads. A consumer that was
    renamed has its row at its former address; one without a row does not exist: there is nothing to settle.
    """
    address = live.task.addresses[0]
    former = ctx.former.get(address, address)
    return await _steps(live, ctx, recorded_view(address if address in rows else former, ctx, rows))


async def _steps(live: RunningTask, ctx: Context, view: View[Any] | None) -> tuple[Step, ...]:
    if view is None:
        return ()
    work = trigger_work(live, ctx, view)
    steps = ctx.providers[live.task.kind].trigger(work, live.task.trigger)  # type: ignore[arg-type]
    return tuple([await ctx.ready(step) for step in steps])


def images_of(live: RunningTask, ctx: Context) -> dict[Address, Image]:
    """The task's before-images: those at hand, else those of the state."""
    if live.images or not live.image_ids:
        return live.images
    stored = ctx.writer.images(set(live.image_ids.values()))
    return {address: stored[number] for address, number in live.image_ids.items()}


async def restoring_steps(live: RunningTask, ctx: Context) -> tuple[Step, ...]:
    """The undo of an earlier task: its changes are the mirror of this one's."""
    stored = ctx.writer.images(set(live.task.restores.values()))
    images = {address: stored[number] for address, number in live.task.restores.items()}
    changes = tuple(mirrored(planned).change for planned in touching(live))
    work = replace(work_of(live, ctx, images, undo=True), changes=changes)
    return tuple([await ctx.ready(step) for step in ctx.providers[live.task.kind].undo(work)])


def restored_rows(live: RunningTask, ctx: Context) -> dict[Address, Row | None]:
    """The rows before that task; what a trigger of this run has yet to load is pending."""
    rows: dict[Address, Row | None] = {}
    for address, data in live.task.rows.items():
        if data is None:
            rows[address] = None
            continue
        row = row_from_json(data)
        waits = {str(s) for s in ctx.sources.get(address, ())} if live.task.host is not None else set()
        here = ctx.rows[address].loaded if address in ctx.rows else {}  # what its daemon has really loaded
        loaded = {s: pending_mark(here.get(s)) if s in waits else mark for s, mark in row.loaded.items()}
        rows[address] = replace(row, loaded=loaded)
    return rows


__all__ = ["images_of", "restored_rows", "restoring_steps", "settle_steps", "trigger_steps", "undo_steps"]
