"""What a task of a rollback does: a provider's undo with the images of an older task, forwards.

It is a task like any other around that: captured before, and undone with its own images.
"""

from __future__ import annotations

from dataclasses import replace

from ..address import Address
from ..contract import Step
from ..journal import Live, mirrored
from ..model import Row, waiting
from ..store import row_from_json
from .context import Context
from .work import touching, work_of


async def restoring_steps(live: Live, ctx: Context) -> tuple[Step, ...]:
    """The undo of the task that this one takes back: its changes are the mirror of ours."""
    stored = ctx.writer.images(set(live.task.restores.values()))
    images = {address: stored[number] for address, number in live.task.restores.items()}
    changes = tuple(mirrored(planned).change for planned in touching(live))
    work = replace(work_of(live, ctx, images, undo=True), changes=changes)
    return tuple([await ctx.ready(step) for step in ctx.providers[live.task.kind].undo(work)])


def restored_rows(live: Live, ctx: Context) -> dict[Address, Row | None]:
    """The rows as they were before that task; what a trigger of this run is yet to take in is pending."""
    rows: dict[Address, Row | None] = {}
    for address, data in live.task.rows.items():
        if data is None:
            rows[address] = None
            continue
        row = row_from_json(data)
        waits = {str(s) for s in ctx.sources.get(address, ())} if live.task.host is not None else set()
        here = ctx.rows[address].loaded if address in ctx.rows else {}  # what its daemon has really loaded
        loaded = {s: waiting(here.get(s)) if s in waits else mark for s, mark in row.loaded.items()}
        rows[address] = replace(row, loaded=loaded)
    return rows
