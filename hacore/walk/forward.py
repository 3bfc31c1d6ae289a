"""Doing: the tasks of one host that are ready, joined into as few execs as there are phases.

    ensure    skip what matches the desired state  one exec for each task that only ensures
    prepare   long work in scratch space          one exec, only for tasks that have any
    capture   before-images, read only            one exec, then one commit: images and intent
    apply     the steps, each task's facts again   one exec
    judge     observed against desired, for as long as a provider asks for patience
    record    one commit: done, with the rows

Every task ends in `done` or `failed` of the board; nothing here raises for a task's own fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ..address import Address
from ..contract import Facts, Image, Step
from ..errors import DoubtError, HacoreError, ImageError, ProviderError, StoreError
from ..journal import RunningTask
from ..model import Op, Status
from ..probe import Frame, Result
from ..store import Move, SetLoaded, SetTask
from .before_images import protected
from .confirm import arming
from .context import Context
from .record import record
from .steps import Failed, failure
from .undo_steps import restoring_steps, trigger_steps
from .work import Verdict, asks_of, deletes, judge, load_origins, touching, work_of

POLL = 0.5  # seconds between two checks while a provider is patient


@contextmanager
def own_fault(live: RunningTask, failed: dict[str, Failed | None]) -> Iterator[None]:
    """What a kind has wrong fails the task that needed it, and no other one of the same exec."""
    try:
        yield
    except Failed as error:
        failed[live.id] = error
    except (DoubtError, ProviderError) as error:
        failed[live.id] = Failed.of(error)


async def do_batch(lives: Sequence[RunningTask], ctx: Context) -> dict[str, Failed | None]:
    """Run tasks of one host (or state-only ones) to their end; the outcome of each by id."""
    outcome: dict[str, Failed | None] = {}
    going = list(lives)
    for phase in (_ensure, _prepare, _capture, _apply):
        try:
            failed = await phase(going, ctx)
        except ImageError as error:
            failed = {live.id: Failed(str(error)) for live in going}
        except StoreError:
            raise
        except (HacoreError, ValueError) as error:
            failed = {live.id: Failed.of(error) for live in going}
        outcome.update(failed)
        going = [live for live in going if live.id not in outcome]
        if not going:
            break
    outcome.update({live.id: None for live in going})
    return outcome


async def _ensure(lives: Sequence[RunningTask], ctx: Context) -> dict[str, Failed | None]:
    """Skip what is in the desired state.

    A task that only ensures does not change its rows; one that an interrupted run had begun is recorded.
    """
    fine: dict[str, Failed | None] = {}
    for live in lives:
        with own_fault(live, fine):
            if live.task.op is Op.ENSURE and await _is_fine(live, ctx):
                await ctx.commit(SetTask(ctx.run, live.id, {"status": Status.DONE.value, "ended": ctx.now()}))
                fine[live.id] = None
            elif live.intent and live.task.op is Op.CHANGE and not deletes(live) and await _is_fine(live, ctx):
                await record(live, await _verdicts(live, None, ctx), ctx)
                fine[live.id] = None
    return fine


async def _prepare(lives: Sequence[RunningTask], ctx: Context) -> dict[str, Failed | None]:
    frames = []
    failed: dict[str, Failed | None] = {}
    for live in lives:
        if live.task.op in (Op.TRIGGER, Op.RESTORE) or deletes(live) or not touching(live):
            continue
        with own_fault(live, failed):
            steps = ctx.providers[live.task.kind].prepare(work_of(live, ctx, {}))
            if steps:
                frames.append(Frame(live.id, tuple([await ctx.ready(s) for s in steps]), scope=ctx.scope))
    if not frames:
        return failed
    await ctx.intend(*[SetTask(ctx.run, f.id, {"status": Status.DOING.value, "started": ctx.now()}) for f in frames])
    results = await _run(lives, frames, ctx)
    named = {live.id: live for live in lives}
    return failed | {
        f.id: failure(named[f.id], out, "cannot prepare", ctx) for f in frames if (out := results[f.id].failed)
    }


async def _capture(lives: Sequence[RunningTask], ctx: Context) -> dict[str, Failed | None]:
    """Before-images first, then images and intent in one commit: nothing is touched before that."""
    frames, steps = [], {}
    failed: dict[str, Failed | None] = {}
    for live in lives:
        if live.task.op is Op.TRIGGER or not touching(live):
            continue
        if (lost := await _lost_origin(live, ctx)) is not None:
            failed[live.id] = lost
            continue
        with own_fault(live, failed):
            step = ctx.providers[live.task.kind].capture(work_of(live, ctx, {}, undo=True))
            if step is not None and not live.image_ids:  # a stored image is never captured again
                steps[live.id] = step
                frames.append(Frame(live.id, (await ctx.ready(step),)))
    results = await _run(lives, frames, ctx) if frames else {}
    for id, step in steps.items():
        live = next(item for item in lives if item.id == id)
        if (out := results[id].failed) is not None:
            failed[id] = failure(live, out, "cannot capture the current state", ctx)
            continue
        with own_fault(live, failed):
            live.images = protected(step.parse(results[id].outputs[0]), live, ctx) if step.parse else {}
    await _intend([live for live in lives if live.id not in failed], ctx)
    return failed


async def _lost_origin(live: RunningTask, ctx: Context) -> Failed | None:
    """Why the previous state cannot be restored: found before anything is touched, for this task alone."""
    try:
        await load_origins(live, ctx)
        if live.task.restores:
            ctx.writer.images(set(live.task.restores.values()))
    except ImageError as error:
        names = " ".join(str(address) for address in live.task.addresses)
        way = "" if live.task.restores else f"; `hacore state rm {names}` leaves the host unchanged"
        return Failed(f"cannot {_verb(live)}: {error}{way}")
    return None


async def _intend(lives: Sequence[RunningTask], ctx: Context) -> None:
    moves: list[Move] = []
    images: dict[str, Image] = {}
    pending: dict[Address, dict[str, str | None]] = {}
    for live in lives:
        new = {} if live.image_ids else live.images
        tokens = {str(a): f"{live.id} {a}" for a in new}
        images.update({f"{live.id} {a}": image for a, image in new.items()})
        now = {"status": Status.DOING.value, "started": live.started or ctx.now()}
        moves.append(SetTask(ctx.run, live.id, now, image_tokens=tokens))
        for planned in touching(live):
            for consumer in ctx.pending(planned):
                pending.setdefault(consumer, {}).update(ctx.pending_mark(consumer, planned.address))
    moves += [SetLoaded(consumer, loaded) for consumer, loaded in pending.items()]
    if not moves:
        return
    done = await ctx.intend(*moves, images=images)
    for live in lives:
        live.intent = True
        live.image_ids = live.image_ids or {a: done.image_ids[f"{live.id} {a}"] for a in live.images}
    for consumer, loaded in pending.items():
        ctx.set_loaded(consumer, loaded)


async def _apply(lives: Sequence[RunningTask], ctx: Context) -> dict[str, Failed | None]:
    frames = []
    failed: dict[str, Failed | None] = {}
    for live in lives:
        with own_fault(live, failed):
            if live.task.op is Op.TRIGGER:
                frames.append(Frame(live.id, (*await arming(live, ctx), *await trigger_steps(live, ctx))))
            elif touching(live) and live.task.host is not None:
                frames.append(Frame(live.id, (*await arming(live, ctx), *await _steps(live, ctx)), asks_of(live, ctx)))
    results = await _run(lives, frames, ctx) if any(f.steps or f.asks for f in frames) else {}
    for live in (one for one in lives if one.id not in failed):
        result = results.get(live.id, Result(()))
        if (out := result.failed) is not None:
            failed[live.id] = failure(live, out, "cannot " + _verb(live), ctx)
            continue
        with own_fault(live, failed):
            await record(live, await _verdicts(live, result.facts, ctx), ctx)
    return failed


async def _steps(live: RunningTask, ctx: Context) -> tuple[Step, ...]:
    if live.task.op is Op.RESTORE:
        return await restoring_steps(live, ctx)
    provider = ctx.providers[live.task.kind]
    origins = await load_origins(live, ctx)
    work = work_of(live, ctx, origins)
    if not work.changes:
        return ()
    steps = provider.delete(work) if deletes(live) else provider.apply(work)
    return tuple([await ctx.ready(step) for step in steps])


async def _is_fine(live: RunningTask, ctx: Context) -> bool:
    facts = await look(live, ctx)
    return all(judge(p, facts, ctx).fine for p in touching(live))


async def _verdicts(live: RunningTask, facts: Facts | None, ctx: Context) -> list[Verdict]:
    """Check until all is in the desired state, or patience ends."""
    changes = touching(live) if live.task.op not in (Op.TRIGGER, Op.RESTORE) else ()
    if not changes:
        return []
    providers = [ctx.providers[p.kind] for p in changes]
    patience = max(provider.patience(p.change.spec) for provider, p in zip(providers, changes, strict=True))
    until = time.monotonic() + patience
    asks = asks_of(live, ctx)
    answered = facts is not None and not facts.unanswered(asks)
    found = {str(live.task.host): facts} if live.task.host is not None and facts is not None and answered else {}
    while True:
        if not found:
            found = await look(live, ctx)
        verdicts = [judge(p, found, ctx) for p in changes]
        wrong = [v for v in verdicts if not v.fine]
        if not wrong:
            ctx.facts.update({host: f for host, f in found.items() if host not in ctx.facts})
            return verdicts
        if time.monotonic() >= until:
            raise Failed("; ".join(f"{v.planned.address} does not match the desired state: {v.differs}" for v in wrong))
        await asyncio.sleep(POLL)
        found = {}


async def look(live: RunningTask, ctx: Context) -> dict[str, Facts]:
    """Ask the facts of a task again on all of its hosts."""
    asks = asks_of(live, ctx)
    hosts = sorted({h for p in live.task.changes for h in p.hosts if h in ctx.links})
    answers = await asyncio.gather(*[ctx.ask(host, asks) for host in hosts])
    return dict(zip(hosts, answers, strict=True))


async def _run(lives: Sequence[RunningTask], frames: Sequence[Frame], ctx: Context) -> Mapping[str, Result]:
    host = str(lives[0].task.host)
    steps = {frame.id: frame.steps for frame in frames}

    def started(frame: str, index: int) -> None:
        what = steps[frame][index].what
        if what:
            ctx.say("task_progress", what, host=host, task=frame)

    return await ctx.steps(host, frames, started)


def _verb(live: RunningTask) -> str:
    if live.task.op is Op.TRIGGER:
        return f"{live.task.trigger} {live.task.addresses[0].name}"
    if live.task.op is Op.RESTORE:
        return "restore " + ", ".join(str(a) for a in live.task.addresses)
    words = {p.action.word for p in touching(live)}
    return (words.pop() if len(words) == 1 else "change") + " " + ", ".join(str(a) for a in live.task.addresses)


__all__ = ["do_batch", "look"]
