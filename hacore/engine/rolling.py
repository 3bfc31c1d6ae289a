"""Roll back: the same walk over the journal of a run, backwards. Needs no stack and no variable."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..address import Address
from ..contract import Provider
from ..errors import Cancelled, PlanError, StoreError, UnreachableError
from ..events import Event, Listener, silent
from ..graph import Graph
from ..journal import Live, restore_tasks
from ..load.stack import Stack
from ..model import Action, Host, Op, Row, Status, marked_keys
from ..plan import Drift, asks_of_recorded, drift_of, marks_of_rows, recorded_views, revive
from ..plan.custody import Marks
from ..store import PutRun, RunRecord, StateWriter, row_from_json
from ..transport import Password, Transport
from ..walk import Context, Walker
from ..walk.work import state_only
from .custody import Marking, claimant_of, custody, may_own, named_by_hosts, replaced_since, spare, with_markers
from .drifting import recorded_hosts
from .hosts import Connect, Hosts, answered
from .locking import held_hosts
from .planning import Recollection, recollect
from .recovering import take_in
from .results import RollbackItem, RollbackPlan, RollbackResult, summarize, whoami
from .sources import fetch

Approve = Callable[[RollbackPlan], Awaitable[bool]]
_UNDOABLE = ("done", "failed", "interrupted", "running")


async def rollback(
    state_url: str,
    *,
    providers: Mapping[str, Provider[Any]],
    approve: Approve,
    run: int | None = None,
    force: bool = False,
    listener: Listener = silent,
    parallelism: int = 10,
    who: str = "",
    connect: Connect | None = None,
    password: Password | None = None,
) -> RollbackResult:
    """Undo the last run. Refuses what changed since, unless `force`. Raises like `apply`."""
    began = time.monotonic()
    who = who or whoami()
    async with await StateWriter.open(state_url, who=who, what="rollback") as writer:
        await take_in(writer, lambda message: listener(Event("warning", message)))
        record = choose(writer.runs(), run)
        hosts = Hosts(Transport(listener=listener, password=password), listener, connect)
        try:
            work = _Rollback(writer, hosts, record, providers, listener, parallelism, who)
            return replace(await work.go(approve, force=force), seconds=time.monotonic() - began)
        finally:
            await hosts.close()


def choose(runs: Sequence[RunRecord], wanted: int | None) -> RunRecord:
    """The run to undo: the newest one that stands. Raises StoreError when there is none or it is not `wanted`."""
    taken = {number for r in runs for number in r.undoes}
    standing = [r for r in runs if r.command != "rollback" and r.status in _UNDOABLE and r.id not in taken]
    if not standing:
        raise StoreError("cannot roll back: no run is left that could be undone")
    last = standing[-1]
    if wanted is not None and wanted != last.id:
        raise StoreError(
            f"cannot roll back run {wanted}: only the last standing run can be undone, that is run {last.id}"
        )
    return last


class _Rollback:
    """One rollback, under the lock of the state."""

    def __init__(
        self,
        writer: StateWriter,
        hosts: Hosts,
        record: RunRecord,
        providers: Mapping[str, Provider[Any]],
        listener: Listener,
        parallelism: int,
        who: str,
    ) -> None:
        self.writer = writer
        self.hosts = hosts
        self.record = record
        self.providers = providers
        self.listener = listener
        self.parallelism = parallelism
        self.who = who

    async def go(self, approve: Approve, *, force: bool) -> RollbackResult:
        """Show, ask, lock, walk."""
        memory = recollect(self.writer)
        known = self._known(memory)
        lives = restore_tasks(self.writer.tasks(self.record.id), self.providers, known)
        standing = [live for live in lives if live.status.value not in ("do", "hold", "undone")]
        touched = {p.address for live in standing for p in live.task.changes}
        used = {live.task.host for live in standing} | {h for t in standing for p in t.task.changes for h in p.hosts}
        names = sorted(h for h in used if h in known)
        self.hosts.connect({name: known[name] for name in names})
        drifted, unreachable = await self._look(memory, known, names, touched)
        whose = custody(claimant_of(memory), memory, self._facts, known)
        may_own(whose, "roll back")
        machines = replaced_since(self.record, memory.hosts, self._facts, known)
        spare(lives, machines)
        gone = {machine.host for machine in machines}
        drifted = tuple(d for d in drifted if d.host not in gone)
        items = items_of([live for live in standing if live.task.host not in gone])
        shown = RollbackPlan(self.record, tuple(items), drifted, unreachable, tuple(machines))
        if unreachable:
            raise UnreachableError("; ".join(unreachable.values()))
        if drifted and not force and self.record.status == "done":
            what = ", ".join(str(d.address) for d in drifted)
            raise PlanError(f"cannot roll back: {what} changed since run {self.record.id}; --force overwrites that")
        if not await approve(shown):
            raise Cancelled("rollback cancelled")
        links = await self.hosts.links(names)
        token = secrets.token_hex(16)
        info = {"who": self.who, "what": "rollback", "stack": self.record.stack, "pid": os.getpid()}
        info |= {"lineage": memory.lineage, "since": time.time()}
        async with held_hosts(links, token, info, self.writer.held, self._warn) as held:
            marking = Marking(named_by_hosts(claimant_of(memory), whose), self.who, token)
            await marking.claim(_claims(standing, memory.rows, names), whose, links)
            ctx = replace(self._context(memory, known, links, token), relock=held.again)
            ctx.others = {name: whose.others_have(name) for name in self._facts}
            result = await self._walk(lives, ctx)
            if result.ok:
                there = marks_of_rows(self.writer.rows())
                mine = replace(marking.claimant, serial=self.writer.serial)
                marking = Marking(mine, self.who, token)
                held.partings.update({h: marking.parting(h, there.get(h, {}), whose) for h in links})
            return result

    def _warn(self, message: str) -> None:
        self.listener(Event("warning", message))

    def _known(self, memory: Recollection) -> dict[str, Host]:
        return {**{n: Host.model_validate(r.host) for n, r in memory.hosts.items()}, **recorded_hosts(memory)}

    async def _look(
        self, memory: Recollection, known: Mapping[str, Host], names: Sequence[str], touched: set[Address]
    ) -> tuple[tuple[Drift, ...], dict[str, str]]:
        recorded = revive({a: r for a, r in memory.rows.items() if set(r.hosts) <= set(names)}, self.providers)
        asks = with_markers(asks_of_recorded(recorded, self.providers), names)
        statuses = await self.hosts.probe(asks, names)
        facts = answered(statuses)
        self._views = recorded_views(recorded, known, facts, self.providers)
        self._facts = facts
        found = [
            drift_of(recorded[a].row, self.providers[a.kind].observe(self._views[a]), memory.seal)
            for a in sorted(recorded)
            if a in touched
        ]
        return tuple(d for d in found if d is not None), {n: s.error for n, s in statuses.items() if s.facts is None}

    def _context(self, memory: Recollection, known: Mapping[str, Host], links: Any, token: str) -> Context:
        empty = Stack(
            name=self.record.stack, folder=Path(), file=Path(), state="", hosts=known, groups={}, instances={}
        )
        rows = dict(memory.rows)
        return Context(
            run=self.record.id,
            token=token,
            stack=empty,
            graph=Graph((), {}, {}),
            providers=self.providers,
            links=links,
            writer=self.writer,
            rows=rows,
            facts=dict(self._facts),
            views=self._views,
            sources={
                a: {Address.parse(s): marked_keys(mark) for s, mark in row.loaded.items()}
                for a, row in rows.items()
                if row.loaded
            },
            hosts=known,
            emit=self.listener,
            fetch=fetch,
            parallelism=self.parallelism,
        )

    async def _walk(self, lives: list[Live], ctx: Context) -> RollbackResult:
        walker = Walker(lives, ctx)
        walker.board.roll_back_all()
        walker.remember(lives)
        self.listener(Event("run_started", data={"run": self.record.id, "tasks": len(lives), "rollback": True}))
        began = time.time()
        await walker.walk()
        failed = any(live.status is Status.ERROR or not live.status.final for live in lives)
        status = "failed" if failed else "rolled_back"
        own = RunRecord(
            id=0,
            command="rollback",
            status="failed" if failed else "done",
            started=began,
            ended=time.time(),
            who=self.who,
            stack=self.record.stack,
            stack_digest="",
            on_failure="halt",
            undoes=() if failed else (self.record.id,),
        )
        await self.writer.commit(PutRun(replace(self.record, status=status, ended=self.record.ended or time.time())))
        number = await self.writer.new_run(own, [])
        self.listener(Event("run_finished", status, data={"run": number, "status": status}))
        tasks = tuple(summarize(live) for live in reversed(lives))
        return RollbackResult(number, status, tasks)  # type: ignore[arg-type]


def _claims(lives: Sequence[Live], rows: Mapping[Address, Row], hosts: Iterable[str]) -> dict[str, Marks]:
    """What will be on the hosts on the way back: what is recorded, and what is brought back."""
    back = [row_from_json(data) for live in lives for data in live.before.values() if data is not None]
    brought, there = marks_of_rows({row.address: row for row in back}), marks_of_rows(rows)
    return {host: {**brought.get(host, {}), **there.get(host, {})} for host in hosts}


def items_of(lives: Sequence[Live]) -> list[RollbackItem]:
    """What the undo of each task does, newest first."""
    items: list[RollbackItem] = []
    for live in reversed(lives):
        if live.task.op is Op.TRIGGER:
            word = "restart again" if live.task.trigger == "restart" else "reload again"
            items += [RollbackItem(str(a), a.host, word) for a in live.task.addresses]  # type: ignore[arg-type]
        for planned in live.task.changes:
            items.append(RollbackItem(str(planned.address), planned.address.host, _word(planned.action, live)))  # type: ignore[arg-type]
    return items


def _word(action: Action, live: Live) -> str:
    if state_only(live) or action is Action.ADOPT:
        return "remember" if action is Action.FORGET else "forget"
    return {Action.CREATE: "delete", Action.DELETE: "bring back"}.get(action, "restore")


__all__ = ["choose", "items_of", "rollback"]
