"""One run under the lock of the state: lock the hosts, plan again, walk, and look whether it is true."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Check
from ..errors import Cancelled, PlanError, ProviderError, StalePlanError, UnreachableError
from ..events import Event
from ..journal import QUIET, RunningTask, live_tasks, records_of
from ..model import Action, Row
from ..plan import Claimant, Plan, marks_of_rows, marks_of_stack, plan_json
from ..probe import HostLink
from ..store import DropRow, PutRow, PutRun, RunRecord, StateWriter
from ..walk import Context, OnFailure, Relock, Walker, ask_all, never
from ..walk.walker import watched
from .confirm_within import confirmed, prolonged, timer_of
from .host_locks import held_hosts
from .ownership import Marking, check_ownership, host_moves, options_of
from .planning import Session
from .request import Request
from .results import Planned, RunResult, summarize
from .rows_without_task import as_they_were, quiet_moves
from .snapshot import StateSnapshot, last_run, read_snapshot
from .sources import fetch

Approve = Callable[[Planned, str], Awaitable[bool]]


def check_applyable(made: Plan, *, allow_degraded: bool, no_irreversible: bool = False) -> None:
    """Raise UnreachableError for a plan that lacks a host, unless that is allowed and another one is there.

    With `no_irreversible` raise PlanError for one with a change that could not be undone.
    """
    if no_irreversible and (final := [f"{c.address}: {c.irreversible}" for c in made.changes if c.irreversible]):
        raise PlanError(f"cannot apply with --no-irreversible what cannot be undone: {'; '.join(final)}")
    reasons = "; ".join(made.hosts[name].error for name in made.unreachable)
    if made.unreachable and len(made.unreachable) == len(made.hosts):
        raise UnreachableError(f"{reasons}; no host can be reached")
    if made.unreachable and not allow_degraded:
        raise UnreachableError(f"{reasons}; to apply what concerns the other hosts use --allow-degraded")


def same_plan(one: Plan, other: Plan) -> bool:
    """Whether two plans do the same; what is volatile (notes, serial, warnings) does not count."""
    return _essence(one) == _essence(other)


def _essence(made: Plan) -> dict[str, Any]:
    data = plan_json(made)
    return {key: data[key] for key in ("changes", "tasks", "unreachable", "lineage")}


def standing(memory: StateSnapshot, made: Plan) -> dict[Address, Row]:
    """The recorded rows whose machines are still there."""
    return {address: row for address, row in memory.rows.items() if address not in made.ownership.lost}


class Run:
    """One apply, under the lock of the state."""

    def __init__(
        self,
        session: Session,
        writer: StateWriter,
        request: Request,
        on_failure: OnFailure,
        allow_degraded: bool,
        stop: asyncio.Event | None,
    ) -> None:
        self.session = session
        self.writer = writer
        self.request = request
        self.on_failure: OnFailure = on_failure
        self.allow_degraded = allow_degraded
        self.stop = stop
        self.token = secrets.token_hex(16)
        self.relock: Relock = never

    async def go(self, shown: Planned, approve: Approve) -> RunResult:
        """Lock the hosts, plan again, and walk."""
        if self.writer.broke is not None:
            self.warn(f"the state was locked by {self.writer.broke}, which is gone: its lock was broken")
        if self.writer.upgraded:
            self.warn(f"the state's schema was upgraded; as it was before it is in {self.writer.upgraded}")
        if self.writer.place_warning:
            self.warn(self.writer.place_warning)
        links = await self.session.hosts.links(sorted(self._involved(shown)))
        info = {
            "who": self.request.who,
            "what": self.session.command,
            "stack": self.session.stack.name,
            "lineage": self.writer.lineage,
            "pid": os.getpid(),
            "since": time.time(),
        }
        async with held_hosts(links, self.token, info, self.writer.held, self.warn) as held:
            self.relock = held.again
            result = await self._locked(shown, approve)
            held.partings.update(self._partings(result, links))
            return result

    def _marking(self) -> Marking:
        mine = Claimant(self.session.stack.name, self.request.env_name or "", self.writer.lineage, self.writer.serial)
        return Marking(mine, self.request.who, self.token)

    async def _claim(self, made: Plan, rows: Mapping[Address, Row]) -> None:
        """Mark the hosts that the run will touch, before it is recorded: with what is there and what will be."""
        touched = {h for c in made.changes for h in c.hosts if h in made.facts}
        there, coming = marks_of_rows(rows), marks_of_stack(self.session.stack, self.session.graph)
        wanted = {host: {**there.get(host, {}), **coming.get(host, {})} for host in sorted(touched)}
        await self._marking().claim(wanted, made.ownership, await self.session.hosts.links(wanted))

    def _partings(self, result: RunResult, links: Mapping[str, HostLink]) -> dict[str, str]:
        """The markers as they are left. A host with something half done keeps the claims that the run began with."""
        made, there, marking = result.planned.plan, marks_of_rows(self.writer.rows()), self._marking()
        half = {task.host for task in result.tasks if task.status in ("doing", "error", "undo", "undoing")}
        hosts = [host for host in links if host in made.facts and host not in half]
        return {host: marking.parting(host, there.get(host, {}), made.ownership) for host in hosts}

    def _involved(self, shown: Planned) -> set[str]:
        made = shown.plan
        changing = {h for c in (*made.changes, *made.metadata_only) for h in c.hosts}
        return changing | {machine.host for machine in made.ownership.new_machines} | set(made.ownership.due)

    def _remembered(self, shown: Planned, unfinished: int | None) -> StateSnapshot:
        """What the state says under the lock; raises StalePlanError when the plan shown is of another time."""
        memory = read_snapshot(self.writer)
        if shown.plan.lineage not in ("", memory.lineage):
            raise StalePlanError("cannot apply: the state was replaced by another one since the plan was shown")
        if (None if memory.unfinished is None else memory.unfinished.id) != unfinished:
            raise StalePlanError("cannot apply: another run was begun or ended since the plan was shown")
        return memory

    async def _agreed(self, shown: Planned, made: Plan, memory: StateSnapshot, approve: Approve) -> Planned:
        """The plan made under the lock; it is asked for again when it is not the one shown."""
        compared = replace(made, lineage="") if shown.plan.lineage == "" else made
        current = Planned(made, self.session.stack, last_run(memory), memory.unfinished, self.session.phases)
        if not same_plan(shown.plan, compared):
            check_applyable(made, allow_degraded=self.allow_degraded, no_irreversible=self.request.no_irreversible)
            if not made.empty and not await approve(current, "the hosts or the state changed since the plan was shown"):
                raise Cancelled("apply cancelled")
        return current

    def options(self) -> dict[str, Any]:
        """What the record of the run keeps of how it was asked for."""
        return dict(self.session.request.selection.options())

    async def _locked(self, shown: Planned, approve: Approve) -> RunResult:
        memory = self._remembered(shown, None)
        made, _ = await self.session.plan(memory)
        check_ownership(made.ownership, self.session.command, take_over=self.request.take_over)
        current = await self._agreed(shown, made, memory, approve)
        if made.empty:
            metadata_only = quiet_moves(made, standing(memory, made), 0, self.session, self.writer)
            await self.writer.commit(*host_moves(made), *metadata_only)
            return RunResult(None, "nothing", current, outputs=made.outputs)
        await self._claim(made, standing(memory, made))
        return await self._walk(current, memory)

    async def _walk(self, planned: Planned, memory: StateSnapshot) -> RunResult:
        made, rows = planned.plan, standing(memory, planned.plan)
        lives = live_tasks(made.tasks, rows)
        record = RunRecord(
            id=0,
            command=self.session.command,
            status="running",
            started=time.time(),
            ended=None,
            who=self.request.who,
            stack=self.session.stack.name,
            stack_digest=self.session.stack.digest,
            on_failure=self.on_failure,
            options={**self.options(), **options_of(self.request.env_name or "", made.facts)},
        )
        checks = await self.healthy_checks(made)
        records = records_of(0, lives, self.session.stack, self.request.providers, self.writer.hmac)
        number = await self.writer.new_run(record, records)
        return await self._go_through(planned, rows, lives, replace(record, id=number), checks)

    async def _go_through(
        self,
        planned: Planned,
        rows: dict[Address, Row],
        lives: list[RunningTask],
        record: RunRecord,
        checks: Mapping[Address, tuple[Check, ...]],
    ) -> RunResult:
        """Walk the tasks of a stored run, and say how it ended."""
        made, number, before = planned.plan, record.id, dict(rows)
        await self.writer.commit(*host_moves(made))
        ctx = self._context(number, planned, rows, await self._links(made), checks)
        walker = Walker(lives, ctx, self.on_failure)
        walker.remember(lives)
        self.request.listener(Event("run_started", data={"run": number, "tasks": len(lives)}))
        async with prolonged(ctx.timer, ctx.links):
            await watched(walker, self.stop)
        status = await confirmed(outcome(lives), lives, ctx, self.session.hosts, halted=self.on_failure == "halt")
        metadata_only = self._quiet(made, rows, number) if status == "done" else []
        ended = replace(record, status=status, ended=time.time(), summary=self._summary(made, lives))
        if metadata_only:  # no task tells of these, so the run itself does: a rollback brings them back
            ended = replace(ended, options={**ended.options, QUIET: as_they_were(metadata_only, before)})
        await self.writer.commit(PutRun(ended), *metadata_only)
        self.request.listener(Event("run_finished", status, data={"run": number, "status": status}))
        leftover = await self._look() if status == "done" else None
        outputs = made.outputs if status == "done" else {}
        tasks = tuple(summarize(live) for live in lives)
        return RunResult(number, status, planned, tasks, leftover, outputs)  # type: ignore[arg-type]

    def _quiet(self, made: Plan, rows: Mapping[Address, Row], number: int) -> list[PutRow | DropRow]:
        try:
            return quiet_moves(made, rows, number, self.session, self.writer)
        except ProviderError as error:  # the run has done what it was for, and ends
            self.warn(str(error))
            return []

    async def _links(self, made: Plan) -> dict[str, HostLink]:
        return await self.session.hosts.links(made.facts)

    def _summary(self, made: Plan, _lives: Sequence[RunningTask]) -> dict[str, int]:
        return made.summary()

    def _context(
        self,
        number: int,
        planned: Planned,
        rows: dict[Address, Row],
        links: Mapping[str, HostLink],
        checks: Mapping[Address, tuple[Check, ...]],
    ) -> Context:
        made = planned.plan
        return Context(
            run=number,
            token=self.token,
            stack=self.session.stack,
            graph=self.session.graph,
            providers=self.request.providers,
            links=links,
            writer=self.writer,
            rows=rows,
            facts=dict(made.facts),
            views=made.views,
            sources=made.sources,
            hosts={name: status.host for name, status in made.hosts.items()},
            emit=self.request.listener,
            fetch=fetch,
            parallelism=self.request.parallelism,
            checks=checks,
            relock=self.relock,
            timer=timer_of(self.request, self.writer.lineage, f"run {number} of {self.session.stack.name}"),
            others={host: made.ownership.others_have(host) for host in made.facts},
        )

    async def healthy_checks(self, made: Plan) -> dict[Address, tuple[Check, ...]]:
        """The checks that pass now; one that fails already is a warning, not this run's fault."""
        asked = {
            address: tuple(self.request.providers[address.kind].checks(view.spec))
            for address, view in made.views.items()
            if address.host is None
        }
        found: dict[Address, tuple[Check, ...]] = {}
        for address, answers in (await ask_all(asked)).items():
            found[address] = tuple(check for check, why in answers if not why)
            for check, why in answers:
                if why and address not in {c.address for c in made.changes if c.action is Action.CREATE}:
                    self.warn(f"{address}: the check {check.http} failed before the run: {why}")
        return found

    async def _look(self) -> Plan | None:
        """Promise 1: after a successful apply the plan is empty."""
        made, _ = await self.session.plan(read_snapshot(self.writer))
        for name in made.unreachable:
            self.warn(f"{name} could not be looked at after the run: {made.hosts[name].error}")
        return None if made.empty else made

    def warn(self, message: str) -> None:
        """Tell the user."""
        self.request.listener(Event("warning", message))


def outcome(lives: Sequence[RunningTask]) -> str:
    """How a run ended, by its tasks."""
    statuses = {live.status.value for live in lives}
    if statuses <= {"done"}:
        return "done"
    if "do" in statuses or "doing" in statuses:
        return "interrupted"
    if "error" in statuses:
        return "failed"
    return "rolled_back" if "undone" in statuses and "done" not in statuses else "failed"
