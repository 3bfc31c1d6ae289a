"""Guard blocks: taking a host out of service, checking it, and putting it back into service.

drain     drain it, wait until it is clear               undo: undrain
verify    check the changes of the block                 undo: nothing
undrain   undrain it                                     undo: drain again
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..address import Address
from ..contract import Facts, Guard, Step, View
from ..diff import same
from ..errors import DoubtError, HacoreError, StoreError, TransportError
from ..journal import RunningTask
from ..model import Op, Row, Status
from ..plan import drift_of
from ..store import SetTask
from .confirm import arming_drain
from .context import Context
from .forward import POLL
from .steps import Failed, run_steps
from .work import fresh_view, recorded_view

Guards = list[tuple[View[Any], Guard]]


async def guard_task(live: RunningTask, ctx: Context, *, undo: bool = False) -> Failed | None:
    """Do or undo one part of a block; the failure, if there is one."""
    begun, over = (Status.UNDOING, Status.UNDONE) if undo else (Status.DOING, Status.DONE)
    try:
        await ctx.intend(SetTask(ctx.run, live.id, {"status": begun.value, "started": ctx.now()}))
        live.intent = True
        if live.task.op is Op.VERIFY:
            if not undo:
                await _verify(live, ctx)
        else:
            guards = guards_of(live, ctx, ctx.rows_before(), ctx.rows)
            if (live.task.op is Op.DRAIN) is not undo:
                await _drain(live, guards, ctx)
            else:
                await _undrain(live, guards, ctx)
        await ctx.commit(SetTask(ctx.run, live.id, {"status": over.value, "ended": ctx.now()}))
    except Failed as error:
        return error
    except StoreError:
        raise
    except (HacoreError, ValueError) as error:
        return Failed.of(error)
    return None


def guards_of(live: RunningTask, ctx: Context, *rows: Mapping[Address, Row]) -> Guards:
    """The guards of a block by each distinct spec: that of `rows`, in their order, and that of the stack.

    A daemon watches what it was last loaded with, which may be any of them while the run changes the guard itself:
    the host is out of service only when all of them are drained, and serves only when all are undrained.
    """
    found: Guards = []
    for address in live.task.guarded or live.task.addresses:
        specs: list[Any] = []
        for view in (*(recorded_view(address, ctx, known) for known in rows), ctx.views.get(address)):
            guard = None if view is None or view.spec in specs else ctx.providers[address.kind].guard(view)
            if view is not None and guard is not None:
                specs.append(view.spec)
                found.append((view, guard))
    return found


async def _drain(live: RunningTask, guards: Guards, ctx: Context) -> None:
    host = str(live.task.host)
    back = arming_drain(live, _undrain_steps(live, ctx), ctx)
    await run_steps(live, [*back, *_distinct(guard.drain for _, guard in guards)], ctx, f"cannot drain {host}")
    until = time.monotonic() + max((guard.patience for _, guard in guards), default=0.0)
    while True:
        facts = await _look(host, guards, ctx)
        held = [v for v, g in guards if not g.clear(fresh_view(v, {host: facts}) or v)]
        if not held:
            return
        if time.monotonic() >= until:
            raise Failed(f"cannot drain {host}: it still serves {', '.join(str(v.address) for v in held)}")
        await asyncio.sleep(POLL)


def _undrain_steps(live: RunningTask, ctx: Context) -> list[Step]:
    """The steps that return a host to service after it reverted automatically while out of service."""
    if ctx.timer is None:
        return []
    return _distinct(guard.undrain for _, guard in guards_of(live, ctx, ctx.rows_before()))


async def _undrain(live: RunningTask, guards: Guards, ctx: Context) -> None:
    steps = _distinct(guard.undrain for _, guard in guards)
    await run_steps(live, steps, ctx, f"cannot undrain {live.task.host}")


def _distinct(steps: Iterable[Step]) -> list[Step]:
    """Each step once: two specs of one guard mostly drain by the same one."""
    found: list[Step] = []
    for step in steps:
        if step not in found:
            found.append(step)
    return found


async def _verify(live: RunningTask, ctx: Context) -> None:
    """The changes of the block must match the desired state before its host serves again."""
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
            names = ", ".join(str(a) for a in wrong)
            raise Failed(f"cannot verify {host}: after the change, {names} does not match the desired state")
        await asyncio.sleep(POLL)


def _as_wanted(view: View[Any], ctx: Context) -> bool:
    provider = ctx.providers[view.address.kind]
    observed = provider.observe(view)
    if ctx.expected is not None:  # a rollback restores rows, over several runs not all of them yet
        row = ctx.expected.get(view.address)
        if row is None:  # not recorded after the rollback: the run created it, or repaired it
            return True
        now = ctx.rows.get(view.address)
        final = now is not None and (now.spec, now.attrs) == (row.spec, row.attrs)
        return not final or drift_of(row, observed, ctx.seal) is None
    if view.address not in ctx.instances:  # deleted in the block, and checked by its delete
        return True
    return same(None if observed is None else observed.attrs, provider.desire(view).attrs)


async def _look(host: str, guards: Guards, ctx: Context) -> Facts:
    asks = [ask for v, _ in guards for ask in ctx.providers[v.address.kind].facts(v.spec)]
    return await ctx.ask(host, asks)


async def serving(live: RunningTask, ctx: Context) -> bool:
    """Whether the host of a drain serves now: the others of its group go first."""
    host = str(live.task.host)
    guards = guards_of(live, ctx, ctx.rows_before(), ctx.rows)
    try:
        facts = await _look(host, guards, ctx)
    except (DoubtError, TransportError):
        return True  # it may; what its drain then finds is that task's
    return any(not g.clear(fresh_view(v, {host: facts}) or v) for v, g in guards)


__all__ = ["guard_task", "serving"]
