"""Guard blocks: taking a host out of service, looking at it, and taking it back.

drain     ask it to let go, wait until it is clear       undo: let it back
verify    what the block changed is as wanted            undo: nothing
undrain   let it back                                    undo: drain again
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ..contract import Facts, Guard, View
from ..diff import same
from ..errors import DoubtError, HacoreError, StoreError, TransportError
from ..journal import Live
from ..model import Op, Status
from ..plan import drift_of
from ..store import SetTask
from .arming import arming_drain
from .context import Context
from .forward import POLL, Failed
from .steps import run_steps
from .work import fresh_view


async def guard_task(live: Live, ctx: Context, *, undo: bool = False) -> Failed | None:
    """Do or undo one part of a block; the failure, if there is one."""
    begun, over = (Status.UNDOING, Status.UNDONE) if undo else (Status.DOING, Status.DONE)
    try:
        await ctx.intend(SetTask(ctx.run, live.id, {"status": begun.value, "started": ctx.now()}))
        live.intent = True
        if live.task.op is Op.VERIFY:
            if not undo:
                await _verify(live, ctx)
        elif (live.task.op is Op.DRAIN) is not undo:
            await _drain(live, ctx)
        else:
            await _undrain(live, ctx)
        await ctx.commit(SetTask(ctx.run, live.id, {"status": over.value, "ended": ctx.now()}))
    except Failed as error:
        return error
    except StoreError:
        raise
    except (HacoreError, ValueError) as error:
        return Failed.of(error)
    return None


def _guards(live: Live, ctx: Context) -> list[tuple[View[Any], Guard]]:
    found = []
    for address in live.task.guarded or live.task.addresses:
        view = ctx.views.get(address)
        guard = ctx.providers[address.kind].guard(view) if view is not None else None
        if view is not None and guard is not None:
            found.append((view, guard))
    return found


async def _drain(live: Live, ctx: Context) -> None:
    host = str(live.task.host)
    guards = _guards(live, ctx)
    back = arming_drain(live, [guard.undrain for _, guard in guards], ctx)
    await run_steps(live, [*back, *(guard.drain for _, guard in guards)], ctx, f"cannot drain {host}")
    until = time.monotonic() + max((guard.patience for _, guard in guards), default=0.0)
    while True:
        facts = await _look(host, guards, ctx)
        held = [v for v, g in guards if not g.clear(fresh_view(v, {host: facts}) or v)]
        if not held:
            return
        if time.monotonic() >= until:
            raise Failed(f"cannot drain {host}: it still serves {', '.join(str(v.address) for v in held)}")
        await asyncio.sleep(POLL)


async def _undrain(live: Live, ctx: Context) -> None:
    await run_steps(live, [guard.undrain for _, guard in _guards(live, ctx)], ctx, f"cannot undrain {live.task.host}")


async def _verify(live: Live, ctx: Context) -> None:
    """What the block touched must be as wanted before its host serves again."""
    host = str(live.task.host)
    views = [ctx.views[a] for a in live.task.addresses if a in ctx.views]
    asks = [ask for v in views for ask in ctx.providers[v.address.kind].facts(v.spec)]
    patience = max((ctx.providers[v.address.kind].patience(v.spec) for v in views), default=0.0)
    until = time.monotonic() + patience
    while True:
        facts = await ctx.ask(host, asks)
        wrong = [v.address for v in views if not _as_wanted(fresh_view(v, {host: facts}) or v, ctx)]
        if not wrong:
            return
        if time.monotonic() >= until:
            raise Failed(f"cannot verify {host}: {', '.join(str(a) for a in wrong)} not as wanted after the change")
        await asyncio.sleep(POLL)


def _as_wanted(view: View[Any], ctx: Context) -> bool:
    provider = ctx.providers[view.address.kind]
    observed = provider.observe(view)
    if ctx.expected is not None:  # nothing is desired, rows come back; on a way over several runs not all of them yet
        row = ctx.expected.get(view.address)
        if row is None:  # nothing is known of what comes back: the run made it, or healed it
            return True
        now = ctx.rows.get(view.address)
        final = now is not None and (now.spec, now.attrs) == (row.spec, row.attrs)
        return not final or drift_of(row, observed, ctx.seal) is None
    if view.address not in ctx.stack.instances:  # it was deleted in the block; its delete has looked
        return True
    return same(None if observed is None else observed.attrs, provider.desire(view).attrs)


async def _look(host: str, guards: list[tuple[View[Any], Guard]], ctx: Context) -> Facts:
    asks = [ask for v, _ in guards for ask in ctx.providers[v.address.kind].facts(v.spec)]
    return await ctx.ask(host, asks)


async def serving(live: Live, ctx: Context) -> bool:
    """Whether the host of a drain serves now: the other ones of its group go first."""
    host = str(live.task.host)
    guards = _guards(live, ctx)
    try:
        facts = await _look(host, guards, ctx)
    except (DoubtError, TransportError):
        return True  # it may; what its drain then finds is that task's
    return any(not g.clear(fresh_view(v, {host: facts}) or v) for v, g in guards)


__all__ = ["guard_task", "serving"]
