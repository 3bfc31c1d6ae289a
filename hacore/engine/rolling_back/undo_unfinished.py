"""Undoing an interrupted run: the walk over its own journal, backwards, as after a failure.

It stays that run and ends as rolled back. Nothing is captured: the run's own images are restored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...address import Address
from ...events import Event
from ...journal import RollbackInputs, RunningTask, recorded_sources, records_of, restore_tasks
from ...model import Row, Status
from ...plan import recorded_views, revive
from ...store import PutRun, PutTask, RunRecord, row_from_json
from ...walk import HeldAddresses, Walker, held_before, lost_addresses
from ...walk.walker import watched
from ..ownership import replaced_since, skip_replaced_hosts
from ..results import RollbackPlan, RollbackResult, WayBack, summarize
from ..snapshot import StateSnapshot, read_snapshot
from ..walk_context import walk_context
from .late_loads import late_loads
from .preflight import (
    Preflight,
    RollbackSession,
    ask_approval,
    check_rollback,
    concerned,
    known_hosts,
    locked_hosts,
    probe,
)
from .summary import items_of


async def undo_unfinished(record: RunRecord, session: RollbackSession) -> RollbackResult:
    """Show, ask, lock, walk backwards."""
    snapshot = read_snapshot(session.writer)
    known = known_hosts(snapshot)
    lives = restore_tasks(session.writer.tasks(record.id), session.means.providers, known)
    standing = [live for live in lives if live.status not in (Status.DO, Status.HOLD, Status.UNDONE)]
    touched = {p.address for live in standing for p in live.task.changes}
    used = {live.task.host for live in standing} | {h for t in standing for p in t.task.changes for h in p.hosts}
    used &= known.keys()
    target = _before(standing, snapshot.rows)
    names = sorted(concerned({str(h) for h in used}, target, session.means.providers) & known.keys())
    session.hosts.connect({name: known[name] for name in names})
    seen = await probe(session, snapshot, known, names, touched, target)
    unreachable = {name: why for name, why in seen.unreachable.items() if name in used}
    machines = replaced_since(record, snapshot.hosts, seen.answers.facts, known)
    skip_replaced_hosts(lives, machines)
    replaced = {machine.host for machine in machines}
    drifted = tuple(d for d in seen.drifted if d.host not in replaced)
    items = items_of([live for live in standing if live.task.host not in replaced])
    shown = RollbackPlan(record, tuple(items), drifted, unreachable, tuple(machines), WayBack.TAKE_BACK, (record,))
    check_rollback(shown, seen, session, strict=False)
    await ask_approval(shown, session)
    links = await session.hosts.links(names)
    async with locked_hosts(session, snapshot, seen, record.stack, links) as locked:
        await locked.claim(session, snapshot, seen, [live.before for live in standing])
        ctx = walk_context(
            record.id,
            session.means,
            session.writer,
            locked.held,
            seen.answers,
            rows=snapshot.rows,
            # what the run deleted may read what it has yet to restore
            sources=recorded_sources(target) | recorded_sources(snapshot.rows),
            must_hold=_must_hold(target, seen, session),
        )
        added = late_loads(lives, target, _given(record, snapshot, seen, session))
        if added:
            positions = len(session.writer.tasks(record.id))
            records = records_of(record.id, added, {}, session.means.providers, snapshot.seal, first=positions)
            await session.writer.commit(*map(PutTask, records))
            lives = [*lives, *added]
        walker = Walker(lives, ctx)
        walker.board.roll_back_all()
        walker.remember(lives)
        result = await _walk(walker, lives, record, shown, session)
        locked.settled = result.status == "rolled_back"
        return result


def _before(standing: Sequence[RunningTask], rows: Mapping[Address, Row]) -> dict[Address, Row]:
    """The rows of before the run: of each address, what its first task found."""
    found = dict(rows)
    for live in reversed(standing):
        for address, row in live.before.items():
            found.pop(address, None)
            if row is not None:
                found[address] = row_from_json(row)
    return found


def _given(record: RunRecord, snapshot: StateSnapshot, seen: Preflight, session: RollbackSession) -> RollbackInputs:
    return RollbackInputs(
        stack=record.stack,
        rows=snapshot.rows,
        facts=seen.answers.facts,
        hosts=seen.answers.hosts,
        providers=session.means.providers,
        seal=snapshot.seal,
    )


def _must_hold(target: Mapping[Address, Row], seen: Preflight, session: RollbackSession) -> HeldAddresses:
    facts, providers = seen.answers.facts, session.means.providers
    here = {a: row for a, row in target.items() if set(row.hosts) <= facts.keys()}
    return held_before(recorded_views(revive(here, providers), seen.answers.hosts, facts, providers), providers)


async def _walk(
    walker: Walker, lives: Sequence[RunningTask], record: RunRecord, shown: RollbackPlan, session: RollbackSession
) -> RollbackResult:
    emit = session.means.listener
    emit(Event("run_started", data={"run": record.id, "tasks": len(lives), "rollback": True}))
    await watched(walker, session.means.stop, undoing=True)
    if walker.board.paused and not all(live.status.final for live in lives):
        status = "interrupted"
    elif any(live.status is Status.ERROR or not live.status.final for live in lives):
        status = "failed"
    else:
        status = "rolled_back"
    await session.writer.commit(PutRun(replace(record, status=status, ended=time.time())))
    emit(Event("run_finished", status, data={"run": record.id, "status": status}))
    tasks = tuple(summarize(live) for live in reversed(lives))
    lost = await lost_addresses(walker.ctx)
    return RollbackResult(record.id, status, tasks, plan=shown, lost=lost)  # type: ignore[arg-type]


__all__ = ["undo_unfinished"]
