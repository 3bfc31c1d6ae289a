"""Undoing runs by a run of its own: planned from their journals, recorded, walked forwards.

Its tasks capture what they replace, so it can itself be undone. It halts at a failure: what failed
waits, with what rests on it, until it is finished (`hacore rollback`) or taken back (by its number).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...address import Address
from ...contract import Work
from ...errors import ImageError, PlanError
from ...events import Event
from ...journal import (
    RollbackInputs,
    RollbackTasks,
    RunningTask,
    Undone,
    hanging,
    inputs_of,
    plan_back,
    records_of,
    restore_tasks,
    rows_back,
)
from ...load.stack import Stack
from ...model import Host, Row, Status
from ...plan import Drift, NewMachine, desired_views
from ...store import Move, PutRun, RunRecord, SetTask, row_from_json
from ...walk import Context, Walker
from ...walk.forward import POLL
from ...walk.walker import watched
from ..ownership import claimant_of, options_of, replaced_since, skip_replaced_hosts
from ..results import RollbackPlan, RollbackResult, WayBack, summarize
from ..run import outcome
from ..snapshot import StateSnapshot, read_snapshot
from ..sources import fetch
from .preflight import LockedHosts, Means, Preflight, approved, concerned, held, known_hosts, look, may_roll_back
from .summary import items_back


@dataclass(frozen=True, slots=True)
class _Planned:
    shown: RollbackPlan
    back: RollbackTasks
    seen: Preflight


async def undo(way: Sequence[RunRecord], means: Means) -> RollbackResult:
    """Go back over these runs, the newest first."""
    returning = _Returning(means)
    undone = [Undone(run, restore_tasks(means.writer.tasks(run.id), means.providers, returning.known)) for run in way]
    target = rows_back(undone, returning.memory.rows)
    lives = [live for run in undone for live in run.tasks]
    names = returning.reach(lives, target)
    first = await returning.plan(undone, names, target)
    may_roll_back(first.shown, first.seen, means, strict=True)
    await approved(first.shown, means)
    links = await means.hosts.links(names)
    async with held(means, returning.memory, first.seen, way[-1].stack, links) as hold:
        planned = await returning.plan(undone, names, target)  # what happened while we waited for the yes
        news = {d.address for d in planned.shown.drifted} - {d.address for d in first.shown.drifted}
        if news and not means.request.force:
            what = ", ".join(str(a) for a in sorted(news))
            raise PlanError(f"cannot roll back: {what} changed since the plan was shown; --force overwrites that")
        record = RunRecord(
            id=0,
            command="rollback",
            status="running",
            started=time.time(),
            ended=None,
            who=means.request.who,
            stack=way[-1].stack,
            stack_digest="",
            on_failure="halt",
            undoes=tuple(run.id for run in way),
            options=options_of(claimant_of(returning.memory).env, planned.seen.facts),
        )
        nothing = Stack(record.stack, Path(), Path(), "", hosts={}, groups={}, instances={})
        records = records_of(0, planned.back.lives, nothing, means.providers, means.writer.hmac)
        await hold.claim(means, returning.memory, planned.seen, [live.task.rows for live in planned.back.lives])
        number = await means.writer.new_run(record, records)
        return await returning.walk(replace(record, id=number), planned, hold)


async def finish(record: RunRecord, means: Means) -> RollbackResult:
    """Go on with a rollback: what is done stays, what was begun is done again with the images it has."""
    returning = _Returning(means)
    lives = restore_tasks(means.writer.tasks(record.id), means.providers, returning.known)
    target = dict(returning.memory.rows)
    for live in lives:
        for address, row in live.task.rows.items():
            if row is None:
                target.pop(address, None)
            else:
                target[address] = row_from_json(row)
    names = returning.reach(lives, target)
    seen = await look(means, returning.memory, returning.known, names, (), target)
    machines = replaced_since(record, returning.memory.hosts, seen.facts, returning.known)
    skip_replaced_hosts([live for live in lives if live.status is not Status.DONE], machines)
    for live in lives:
        live.status = Status.DONE if live.status is Status.DONE else Status.DO
        live.error = ""
    rest = [live for live in lives if live.status is Status.DO]
    back = RollbackTasks(lives, target, frozenset(a for live in rest for a in live.task.restores))
    items = tuple(items_back(replace(back, lives=rest)))
    shown = RollbackPlan(record, items, (), returning.silent(seen), tuple(machines), WayBack.FINISH, (record,))
    may_roll_back(shown, seen, means, strict=False)
    await approved(shown, means)
    links = await means.hosts.links(names)
    async with held(means, returning.memory, seen, record.stack, links) as hold:
        await hold.claim(means, returning.memory, seen, [live.task.rows for live in rest])
        moves: list[Move] = [PutRun(replace(record, status="running", ended=None))]
        moves += [SetTask(record.id, live.id, {"status": _begun(live).value, "error": ""}) for live in rest]
        await means.writer.commit(*moves)
        return await returning.walk(record, _Planned(shown, back, seen), hold)


def _begun(live: RunningTask) -> Status:
    return Status.DOING if live.intent else Status.DO


class _Returning:
    """A rollback under the lock of the state."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self.memory: StateSnapshot = read_snapshot(means.writer)
        self.known: dict[str, Host] = known_hosts(self.memory)
        self.used: set[str] = set()

    def reach(self, lives: Sequence[RunningTask], target: Mapping[Address, Row]) -> list[str]:
        """The hosts that are concerned; begins to connect to them."""
        standing = [live for live in lives if live.status not in (Status.HOLD, Status.UNDONE)]
        used = {live.task.host for live in standing} | {h for t in standing for p in t.task.changes for h in p.hosts}
        rows = {**target, **self.memory.rows}
        self.used = {h for h in used if h in self.known}
        names = sorted(concerned(self.used, rows, self.means.providers))
        self.means.hosts.connect({name: self.known[name] for name in names})
        return names

    async def plan(self, undone: Sequence[Undone], names: Sequence[str], target: Mapping[Address, Row]) -> _Planned:
        """Look at the hosts, and plan the way back."""
        means, memory = self.means, self.memory
        touched = {p.address for run in undone for live in run.tasks for p in live.task.changes}
        doubtful = {a for a, row in memory.rows.items() if row.tainted}
        seen = await look(means, memory, self.known, names, touched - doubtful, target, retry_safe=True)
        machines: dict[str, NewMachine] = {}
        for run in undone:
            found = replaced_since(run.record, memory.hosts, seen.facts, self.known)
            skip_replaced_hosts(run.tasks, found)
            machines.update({machine.host: machine for machine in found})
        drifted = tuple(d for d in seen.drifted if d.host not in machines)
        back = plan_back(undone, self._given(seen, drifted, undone[0].record.stack))
        runs = tuple(run.record for run in undone)
        lost = tuple(machines[name] for name in sorted(machines))
        silent = self.silent(seen)
        items = tuple(item for item in items_back(back) if item.host not in machines)
        shown = RollbackPlan(runs[-1], items, drifted, silent, lost, WayBack.UNDO, runs)
        return _Planned(shown, back, seen)

    def _given(self, seen: Preflight, drifted: Sequence[Drift], stack: str) -> RollbackInputs:
        return RollbackInputs(
            stack=stack,
            rows=self.memory.rows,
            facts=seen.facts,
            hosts=self.known,
            providers=self.means.providers,
            seal=self.memory.seal,
            drifted=frozenset(d.address for d in drifted),
            disruptive=self._disruptive,
        )

    def silent(self, seen: Preflight) -> dict[str, str]:
        """The hosts that must answer and do not."""
        return {name: why for name, why in seen.unreachable.items() if name in self.used}

    def _disruptive(self, live: RunningTask) -> bool:
        """Whether taking a task back interrupts a service, as its steps say. Without images it is not begun."""
        try:
            stored = self.means.writer.images(set(live.image_ids.values()))
        except ImageError:
            return False
        images = {address: stored[number] for address, number in live.image_ids.items()}
        changes = tuple(p.change for p in live.task.changes if p.address in images)
        work = Work(changes, images, host=self.known.get(str(live.task.host)))
        return any(step.disrupts == "restart" for step in self.means.providers[live.task.kind].undo(work))

    async def walk(self, record: RunRecord, planned: _Planned, hold: LockedHosts) -> RollbackResult:
        """Go through the tasks of the stored run, and say how it ended."""
        means, lives = self.means, planned.back.lives
        walker = Walker(lives, self._context(record, planned, hold), "halt")
        walker.remember(lives)
        means.request.listener(Event("run_started", data={"run": record.id, "tasks": len(lives), "rollback": True}))
        await watched(walker, means.stop)
        status = outcome(lives)
        counts = Counter(item.do for item in planned.shown.items) if status == "done" else {}
        ended = replace(record, status=status, ended=time.time(), summary=dict(counts))
        await means.writer.commit(PutRun(ended))
        hold.kept = status == "done"
        status = "rolled_back" if status == "done" else status
        means.request.listener(Event("run_finished", status, data={"run": record.id, "status": status}))
        tasks = tuple(summarize(live) for live in lives)
        left = await self._left(planned) if status == "rolled_back" else ()
        return RollbackResult(record.id, status, tasks, plan=planned.shown, leftover=left)  # type: ignore[arg-type]

    async def _left(self, planned: _Planned) -> tuple[Drift, ...]:
        """What is not as it is recorded now: it was not so then either, or somebody is at it."""
        memory = read_snapshot(self.means.writer)
        names = sorted(planned.seen.facts)
        about = {a for a in memory.rows if a in planned.back.touched or a.host is None}
        patience = max((self._patience(a, planned.back.target) for a in about), default=0.0)
        until = time.monotonic() + patience
        while True:
            seen = await look(self.means, memory, self.known, names, about)
            waits = [d for d in seen.drifted if d.address.host is None]
            if not waits or time.monotonic() >= until:
                return seen.drifted
            await asyncio.sleep(POLL)

    def _patience(self, address: Address, rows: Mapping[Address, Row]) -> float:
        provider = self.means.providers[address.kind]
        return provider.patience(provider.spec.model_validate(rows[address].spec)) if address in rows else 0.0

    def _healed(self, address: Address, back: RollbackTasks) -> bool:
        """Whether the runs put right what differed from its row: then what comes back is not what is recorded."""
        now, then = self.memory.rows.get(address), back.target[address]
        return address in back.touched and now is not None and (now.spec, now.attrs) == (then.spec, then.attrs)

    def _context(self, record: RunRecord, planned: _Planned, hold: LockedHosts) -> Context:
        means, seen = self.means, planned.seen
        given = self._given(seen, (), record.stack)
        now = inputs_of(self.memory.rows, self.memory.rows, given)
        then = inputs_of(planned.back.target, self.memory.rows, given)
        views = desired_views(then.stack.instances, self.known, seen.facts, means.providers)
        sources: dict[Address, dict[Address, tuple[str, ...]]] = {}
        due = {(live.task.addresses[0], s) for live in planned.back.lives for s in live.task.sources}
        for consumer, source, _, attrs in hanging(now, then, planned.back.target):
            if (consumer, source) in due:
                sources.setdefault(consumer, {})[source] = attrs
        return Context(
            run=record.id,
            token=hold.token,
            stack=then.stack,
            graph=then.graph,
            providers=means.providers,
            links=hold.links,
            writer=means.writer,
            rows=dict(self.memory.rows),
            facts=dict(seen.facts),
            views={**seen.views, **views},
            sources=sources,
            hosts=self.known,
            emit=means.request.listener,
            fetch=fetch,
            parallelism=means.request.parallelism,
            expected={a: row for a, row in planned.back.target.items() if not self._healed(a, planned.back)},
            relock=hold.relock,
            others={name: seen.whose.others_have(name) for name in seen.facts},
        )
