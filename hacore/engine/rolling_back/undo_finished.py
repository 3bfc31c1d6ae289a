"""Undoing runs by a run of its own: planned from their journals, recorded, walked forwards.

Its tasks capture what they replace, so it can itself be undone. It halts at a failure: the failed task
and its dependents wait until the rollback is finished (`hacore rollback`) or undone (by its number).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
from ...model import Host, Op, Row, Status
from ...plan import Drift, NewMachine, desired_views
from ...store import Move, PutRun, RunRecord, SetTask, row_from_json
from ...walk import Context, Walker, held_before, lost_addresses
from ...walk.forward import POLL
from ...walk.walker import watched
from ..agreement import check_members_restored
from ..ownership import check_ownership, claimant_of, options_of, replaced_since, skip_replaced_hosts
from ..results import RollbackPlan, RollbackResult, WayBack, summarize
from ..run import outcome
from ..snapshot import StateSnapshot, read_snapshot
from ..walk_context import Answers, walk_context
from .preflight import (
    LockedHosts,
    Preflight,
    RollbackSession,
    ask_approval,
    check_rollback,
    concerned,
    known_hosts,
    locked_hosts,
    probe,
)
from .summary import items_back


@dataclass(frozen=True, slots=True)
class _Planned:
    shown: RollbackPlan
    back: RollbackTasks
    seen: Preflight


async def undo(runs: Sequence[RunRecord], session: RollbackSession) -> RollbackResult:
    """Undo these runs, the newest first."""
    rollback = _Rollback(session)
    writer, providers = session.writer, session.means.providers
    undone = [Undone(run, restore_tasks(writer.tasks(run.id), providers, rollback.known)) for run in runs]
    target = rows_back(undone, rollback.snapshot.rows)
    lives = [live for run in undone for live in run.tasks]
    names = rollback.reach(lives, target)
    first = await rollback.plan(undone, names, target)
    check_rollback(first.shown, first.seen, session, strict=True)
    check_members_restored(rollback.snapshot.rows, target, providers)
    await ask_approval(first.shown, session)
    links = await session.hosts.links(names)
    async with locked_hosts(session, rollback.snapshot, first.seen, runs[-1].stack, links) as locked:
        planned = await rollback.plan(undone, names, target)  # what changed while the user read the plan
        check_ownership(planned.seen.answers.ownership, "roll back")
        changed = {d.address for d in planned.shown.drifted} - {d.address for d in first.shown.drifted}
        if changed and not session.force:
            what = ", ".join(str(a) for a in sorted(changed))
            raise PlanError(f"cannot roll back: {what} changed since the plan was shown; --force overwrites the change")
        record = RunRecord(
            id=0,
            command="rollback",
            status="running",
            started=time.time(),
            ended=None,
            who=session.means.who,
            stack=runs[-1].stack,
            stack_digest="",
            on_failure="halt",
            undoes=tuple(run.id for run in runs),
            options=options_of(claimant_of(rollback.snapshot).env, planned.seen.answers.facts),
        )
        records = records_of(0, planned.back.lives, {}, session.means.providers, session.writer.hmac)
        await locked.claim(session, rollback.snapshot, planned.seen, [live.task.rows for live in planned.back.lives])
        number = await session.writer.new_run(record, records)
        return await rollback.walk(replace(record, id=number), planned, locked)


async def finish(record: RunRecord, session: RollbackSession) -> RollbackResult:
    """Finish an interrupted rollback: tasks that are done stay, those begun are repeated with the images they have."""
    rollback = _Rollback(session)
    lives = restore_tasks(session.writer.tasks(record.id), session.means.providers, rollback.known)
    target = dict(rollback.snapshot.rows)
    for live in lives:
        for address, row in live.task.rows.items():
            if row is None:
                target.pop(address, None)
            else:
                target[address] = row_from_json(row)
    names = rollback.reach(lives, target)
    seen = await probe(session, rollback.snapshot, rollback.known, names, (), target)
    machines = replaced_since(record, rollback.snapshot.hosts, seen.answers.facts, rollback.known)
    skipped = _skip_replaced(lives, machines)
    for live in lives:
        live.status = Status.DONE if live.status is Status.DONE else Status.DO
        live.error = ""
    rest = [live for live in lives if live.status is Status.DO]
    back = RollbackTasks(lives, target, frozenset(a for live in rest for a in live.task.restores))
    replaced = {machine.host for machine in machines}
    items = tuple(item for item in items_back(replace(back, lives=rest)) if item.host not in replaced)
    shown = RollbackPlan(record, items, (), rollback.unreachable(seen), tuple(machines), WayBack.FINISH, (record,))
    check_rollback(shown, seen, session, strict=False)
    await ask_approval(shown, session)
    links = await session.hosts.links(names)
    async with locked_hosts(session, rollback.snapshot, seen, record.stack, links) as locked:
        await locked.claim(session, rollback.snapshot, seen, [live.task.rows for live in rest])
        moves: list[Move] = [PutRun(replace(record, status="running", ended=None))]
        moves += [SetTask(record.id, live.id, {"status": _begun(live).value, "error": ""}) for live in rest]
        moves += [SetTask(record.id, live.id, {"status": live.status.value, "error": ""}) for live in skipped]
        await session.writer.commit(*moves)
        return await rollback.walk(record, _Planned(shown, back, seen), locked)


def _skip_replaced(lives: Sequence[RunningTask], machines: Sequence[NewMachine]) -> list[RunningTask]:
    """Restore only the rows of replaced machines: the images are of the old ones. Gives the tasks that are dropped."""
    replaced = {machine.host for machine in machines}
    skipped: list[RunningTask] = []
    for live in lives:
        if live.status is Status.DONE or live.task.host not in replaced:
            continue
        live.intent, live.image_ids = False, {}
        live.task = replace(live.task, changes=(), restores={})
        if live.task.op is not Op.RESTORE:  # a reload or a drain, of which nothing is left
            live.status = Status.DONE
            skipped.append(live)
    return skipped


def _begun(live: RunningTask) -> Status:
    return Status.DOING if live.intent else Status.DO


class _Rollback:
    """A rollback under the lock of the state."""

    def __init__(self, session: RollbackSession) -> None:
        self.session = session
        self.snapshot: StateSnapshot = read_snapshot(session.writer)
        self.known: dict[str, Host] = known_hosts(self.snapshot)
        self.used: set[str] = set()

    def reach(self, lives: Sequence[RunningTask], target: Mapping[Address, Row]) -> list[str]:
        """The hosts that are concerned; begins to connect to them."""
        standing = [live for live in lives if live.status not in (Status.HOLD, Status.UNDONE)]
        used = {live.task.host for live in standing} | {h for t in standing for p in t.task.changes for h in p.hosts}
        rows = {**target, **self.snapshot.rows}
        self.used = {h for h in used if h in self.known}
        names = sorted(concerned(self.used, rows, self.session.means.providers))
        self.session.hosts.connect({name: self.known[name] for name in names})
        return names

    async def plan(self, undone: Sequence[Undone], names: Sequence[str], target: Mapping[Address, Row]) -> _Planned:
        """Probe the hosts, and plan the rollback."""
        session, snapshot = self.session, self.snapshot
        touched = {p.address for run in undone for live in run.tasks for p in live.task.changes}
        doubtful = {a for a, row in snapshot.rows.items() if row.tainted}
        seen = await probe(session, snapshot, self.known, names, touched - doubtful, target, twice=True)
        machines: dict[str, NewMachine] = {}
        for run in undone:
            found = replaced_since(run.record, snapshot.hosts, seen.answers.facts, self.known)
            skip_replaced_hosts(run.tasks, found)
            machines.update({machine.host: machine for machine in found})
        drifted = tuple(d for d in seen.drifted if d.host not in machines)
        back = plan_back(undone, self._given(seen, drifted, undone[0].record.stack))
        runs = tuple(run.record for run in undone)
        lost = tuple(machines[name] for name in sorted(machines))
        unreachable = self.unreachable(seen)
        items = tuple(item for item in items_back(back) if item.host not in machines)
        shown = RollbackPlan(runs[-1], items, drifted, unreachable, lost, WayBack.UNDO, runs)
        return _Planned(shown, back, seen)

    def _given(self, seen: Preflight, drifted: Sequence[Drift], stack: str) -> RollbackInputs:
        return RollbackInputs(
            stack=stack,
            rows=self.snapshot.rows,
            facts=seen.answers.facts,
            hosts=self.known,
            providers=self.session.means.providers,
            seal=self.snapshot.seal,
            drifted=frozenset(d.address for d in drifted),
            disruptive=self._disruptive,
        )

    def unreachable(self, seen: Preflight) -> dict[str, str]:
        """The hosts that must answer and did not."""
        return {name: why for name, why in seen.unreachable.items() if name in self.used}

    def _disruptive(self, live: RunningTask) -> bool:
        """Whether undoing a task interrupts a service, by its steps. A task with lost images is never begun."""
        try:
            stored = self.session.writer.images(set(live.image_ids.values()))
        except ImageError:
            return False
        images = {address: stored[number] for address, number in live.image_ids.items()}
        changes = tuple(p.change for p in live.task.changes if p.address in images)
        work = Work(changes, images, host=self.known.get(str(live.task.host)))
        return any(step.disrupts == "restart" for step in self.session.means.providers[live.task.kind].undo(work))

    async def walk(self, record: RunRecord, planned: _Planned, locked: LockedHosts) -> RollbackResult:
        """Walk the tasks of the stored run; the result."""
        session, lives = self.session, planned.back.lives
        ctx = self._context(record, planned, locked)
        walker = Walker(lives, ctx, "halt")
        walker.remember(lives)
        session.means.listener(Event("run_started", data={"run": record.id, "tasks": len(lives), "rollback": True}))
        await watched(walker, session.means.stop)
        status = outcome(lives)
        counts = Counter(item.do for item in planned.shown.items) if status == "done" else {}
        ended = replace(record, status=status, ended=time.time(), summary=dict(counts))
        await session.writer.commit(PutRun(ended))
        locked.settled = status == "done"
        status = "rolled_back" if status == "done" else status
        session.means.listener(Event("run_finished", status, data={"run": record.id, "status": status}))
        tasks = tuple(summarize(live) for live in lives)
        lost = await lost_addresses(ctx)
        left = await self._left(planned) if status == "rolled_back" else ()
        return RollbackResult(
            record.id,
            status,  # type: ignore[arg-type]
            tasks,
            plan=planned.shown,
            leftover=left,
            lost=lost,
        )

    async def _left(self, planned: _Planned) -> tuple[Drift, ...]:
        """What differs from the recorded state after the rollback: it differed then, too, or somebody changed it."""
        snapshot = read_snapshot(self.session.writer)
        names = sorted(planned.seen.answers.facts)
        about = {a for a in snapshot.rows if a in planned.back.touched or a.host is None}
        patience = max((self._patience(a, planned.back.target) for a in about), default=0.0)
        until = time.monotonic() + patience
        while True:
            seen = await probe(self.session, snapshot, self.known, names, about)
            waits = [d for d in seen.drifted if d.address.host is None]
            if not waits or time.monotonic() >= until:
                return seen.drifted
            await asyncio.sleep(POLL)

    def _patience(self, address: Address, rows: Mapping[Address, Row]) -> float:
        provider = self.session.means.providers[address.kind]
        return provider.patience(provider.spec.model_validate(rows[address].spec)) if address in rows else 0.0

    def _healed(self, address: Address, back: RollbackTasks) -> bool:
        """Whether the undone runs repaired drift: then the restored state differs from the recorded one."""
        now, then = self.snapshot.rows.get(address), back.target[address]
        return address in back.touched and now is not None and (now.spec, now.attrs) == (then.spec, then.attrs)

    def _context(self, record: RunRecord, planned: _Planned, locked: LockedHosts) -> Context:
        session, seen = self.session, planned.seen
        given = self._given(seen, (), record.stack)
        now = inputs_of(self.snapshot.rows, self.snapshot.rows, given)
        then = inputs_of(planned.back.target, self.snapshot.rows, given)
        views = desired_views(then.stack.instances, self.known, seen.answers.facts, session.means.providers)
        sources: dict[Address, dict[Address, tuple[str, ...]]] = {}
        due = {(live.task.addresses[0], s) for live in planned.back.lives for s in live.task.sources}
        for consumer, source, _, attrs in hanging(now, then, planned.back.target):
            if (consumer, source) in due:
                sources.setdefault(consumer, {})[source] = attrs
        return walk_context(
            record.id,
            session.means,
            session.writer,
            locked.held,
            Answers(self.known, seen.answers.facts, {**seen.answers.views, **views}, seen.answers.ownership),
            rows=self.snapshot.rows,
            sources=sources,
            instances=then.stack.instances,
            graph=then.graph,
            expected={a: row for a, row in planned.back.target.items() if not self._healed(a, planned.back)},
            must_hold=held_before(views, session.means.providers),
        )
