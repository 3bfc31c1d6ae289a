"""Undoing: the mirror of forward. Images are restored, then the previous rows, in one commit each.

A trigger settles: the daemon loads its restored sources.
"""

from __future__ import annotations

from dataclasses import replace

from ..address import Address
from ..errors import HacoreError, ImageError, StoreError
from ..journal import RunningTask
from ..model import (
    Action,
    Op,
    Row,
    Status,
    has_loaded,
    is_pending,
    last_loaded_mark,
    loaded_mark,
    marked_keys,
    pending_mark,
)
from ..store import DropRow, Move, PutRow, SetLoaded, SetTask, row_from_json
from .context import Context
from .steps import Failed, run_steps
from .undo_steps import settle_steps, undo_steps
from .work import touching


async def undo_task(live: RunningTask, ctx: Context, *, triggered: dict[Address, set[Address]]) -> Failed | None:
    """Undo one task; the failure, if there is one. `triggered`: consumer -> sources that it loaded in this run."""
    try:
        await _intend(live, ctx)
        if live.task.op is Op.TRIGGER:
            await _settle(live, ctx)
        else:
            await _restore(live, ctx)
        await _record(live, ctx, triggered)
    except Failed as error:
        return error
    except ImageError as error:
        return Failed(f"cannot undo {', '.join(str(a) for a in live.task.addresses)}: {error}")
    except StoreError:
        raise
    except (HacoreError, ValueError) as error:
        return Failed(str(error))
    return None


async def _intend(live: RunningTask, ctx: Context) -> None:
    moves: list[Move] = [SetTask(ctx.run, live.id, {"status": Status.UNDOING.value, "error": live.error})]
    for planned in touching(live):
        for consumer in ctx.pending(planned):
            loaded = ctx.pending_mark(consumer, planned.address)
            moves.append(SetLoaded(consumer, loaded))
            ctx.set_loaded(consumer, loaded)
    await ctx.intend(*moves)


async def _restore(live: RunningTask, ctx: Context) -> None:
    """Run the provider's undo with the images; without images nothing was touched."""
    if live.intent:
        what = "cannot undo " + ", ".join(str(a) for a in live.task.addresses)
        await run_steps(live, await undo_steps(live, ctx), ctx, what)


async def _settle(live: RunningTask, ctx: Context) -> None:
    """Reload or restart with the restored sources, by the current rows."""
    if live.intent:
        await run_steps(live, await settle_steps(live, ctx, ctx.rows), ctx, f"cannot {live.task.trigger}")


async def _record(live: RunningTask, ctx: Context, triggered: dict[Address, set[Address]]) -> None:
    """Record the undo, the previous rows, and the marks of consumers."""
    moves: list[Move] = [SetTask(ctx.run, live.id, {"status": Status.UNDONE.value, "ended": ctx.now()})]
    rows: dict[Address, Row | None] = {}
    if live.intent:
        rows = {a: None if data is None else row_from_json(data) for a, data in live.before.items()}
        for planned in touching(live):
            if planned.action is Action.DELETE and (deleted := rows.get(planned.address)) is not None:
                rows[planned.address] = _started(deleted, ctx)
    for address, row in rows.items():
        moves.append(DropRow(address) if row is None else PutRow(row))
    loaded: dict[Address, dict[str, str | None]] = {}
    if live.task.op is Op.TRIGGER:
        consumer = live.task.addresses[0]
        if consumer in ctx.rows:
            loaded[consumer] = ctx.taken_in(consumer, live.task.sources)
    for address in rows:
        for consumer in ctx.consumers(address):
            back = rows[address]
            if back is not None and _has_it_loaded(consumer, address, back, ctx, triggered):
                keys = ctx.sources[consumer][address]
                loaded.setdefault(consumer, {})[str(address)] = loaded_mark(back.attrs, keys)
    moves += [SetLoaded(consumer, values) for consumer, values in loaded.items()]
    await ctx.commit(*moves)
    for address, row in rows.items():
        if row is None:
            ctx.rows.pop(address, None)
        else:
            ctx.rows[address] = row
    for consumer, values in loaded.items():
        ctx.set_loaded(consumer, values)


def _started(row: Row, ctx: Context) -> Row:
    """The row of what was deleted: if it is a daemon, it has just started with its sources as they are now.

    Where these are restored later, it has loaded something else than its row records: its reload or restart is pending.
    """
    loaded = dict(row.loaded)
    for source, mark in row.loaded.items():
        here = ctx.rows.get(Address.parse(source))
        now = loaded_mark(None if here is None else here.attrs, marked_keys(mark))
        if not is_pending(mark) and mark != now:
            loaded[source] = pending_mark(now)
    return replace(row, loaded=loaded)


def _has_it_loaded(
    consumer: Address, source: Address, back: Row, ctx: Context, triggered: dict[Address, set[Address]]
) -> bool:
    """Whether a daemon still has the restored source loaded: it never loaded the new one, nor was it pending."""
    mark = last_loaded_mark(ctx.rows[consumer].loaded.get(str(source)))
    return source not in triggered.get(consumer, set()) and (mark is None or has_loaded(mark, back.attrs))
