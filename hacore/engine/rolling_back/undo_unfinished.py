"""Taking back a run that was cut off: the walk over its own journal, backwards, as after a failure.

It stays that run, and ends as one that went back; nothing is captured, its images are the way back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...events import Event
from ...graph import Graph
from ...journal import RunningTask, recorded_sources, restore_tasks
from ...load.stack import Stack
from ...model import Host, Status
from ...store import PutRun, RunRecord
from ...walk import Context, Walker
from ...walk.walker import watched
from ..ownership import replaced_since, skip_replaced_hosts
from ..results import RollbackPlan, RollbackResult, WayBack, summarize
from ..snapshot import StateSnapshot, read_snapshot
from ..sources import fetch
from .preflight import LockedHosts, Means, Preflight, approved, held, known_hosts, look, may_roll_back
from .summary import items_of


async def take_back(record: RunRecord, means: Means) -> RollbackResult:
    """Show, ask, lock, walk backwards."""
    memory = read_snapshot(means.writer)
    known = known_hosts(memory)
    lives = restore_tasks(means.writer.tasks(record.id), means.providers, known)
    standing = [live for live in lives if live.status not in (Status.DO, Status.HOLD, Status.UNDONE)]
    touched = {p.address for live in standing for p in live.task.changes}
    used = {live.task.host for live in standing} | {h for t in standing for p in t.task.changes for h in p.hosts}
    names = sorted(h for h in used if h in known)
    means.hosts.connect({name: known[name] for name in names})
    seen = await look(means, memory, known, names, touched)
    machines = replaced_since(record, memory.hosts, seen.facts, known)
    skip_replaced_hosts(lives, machines)
    gone = {machine.host for machine in machines}
    drifted = tuple(d for d in seen.drifted if d.host not in gone)
    items = items_of([live for live in standing if live.task.host not in gone])
    shown = RollbackPlan(record, tuple(items), drifted, seen.unreachable, tuple(machines), WayBack.TAKE_BACK, (record,))
    may_roll_back(shown, seen, means, strict=False)
    await approved(shown, means)
    links = await means.hosts.links(names)
    async with held(means, memory, seen, record.stack, links) as hold:
        await hold.claim(means, memory, seen, [live.before for live in standing])
        walker = Walker(lives, _context(record, memory, known, seen, hold, means))
        walker.board.roll_back_all()
        walker.remember(lives)
        result = await _walk(walker, lives, record, shown, means)
        hold.kept = result.ok
        return result


async def _walk(
    walker: Walker, lives: Sequence[RunningTask], record: RunRecord, shown: RollbackPlan, means: Means
) -> RollbackResult:
    started = {"run": record.id, "tasks": len(lives), "rollback": True}
    means.request.listener(Event("run_started", data=started))
    await watched(walker, means.stop, undoing=True)
    if walker.board.paused and not all(live.status.final for live in lives):
        status, stored = "interrupted", "interrupted"
    elif any(live.status is Status.ERROR or not live.status.final for live in lives):
        status, stored = "failed", "failed"
    else:
        status, stored = "rolled_back", "rolled_back"
    await means.writer.commit(PutRun(replace(record, status=stored, ended=time.time())))
    means.request.listener(Event("run_finished", status, data={"run": record.id, "status": status}))
    tasks = tuple(summarize(live) for live in reversed(lives))
    return RollbackResult(record.id, status, tasks, plan=shown)  # type: ignore[arg-type]


def _context(
    record: RunRecord,
    memory: StateSnapshot,
    known: Mapping[str, Host],
    seen: Preflight,
    hold: LockedHosts,
    means: Means,
) -> Context:
    rows = dict(memory.rows)
    return Context(
        run=record.id,
        token=hold.token,
        stack=Stack(record.stack, Path(), Path(), "", hosts=known, groups={}, instances={}),
        graph=Graph((), {}, {}),
        providers=means.providers,
        links=hold.links,
        writer=means.writer,
        rows=rows,
        facts=dict(seen.facts),
        views=seen.views,
        sources=recorded_sources(rows),
        hosts=known,
        emit=means.request.listener,
        fetch=fetch,
        parallelism=means.request.parallelism,
        relock=hold.relock,
        others={name: seen.whose.others_have(name) for name in seen.facts},
    )


__all__ = ["take_back"]
