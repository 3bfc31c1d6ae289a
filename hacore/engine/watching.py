"""A walk that a wish to stop reaches while it waits."""

from __future__ import annotations

import asyncio

from ..walk import Walker


async def watched(walker: Walker, stop: asyncio.Event | None, *, undoing: bool = False) -> None:
    """Walk to the end. When `stop` is set nothing new starts; `undoing`: not even an undo."""
    if stop is None:
        await walker.walk()
        return
    watcher = asyncio.create_task(stop.wait())
    watcher.add_done_callback(lambda task: walker.stop(undoing=undoing) if not task.cancelled() else None)
    try:
        await walker.walk()
    finally:
        watcher.cancel()
