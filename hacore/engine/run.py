"""One run under the lock of the state: lock the hosts, plan again, walk, and check the result."""

from __future__ import annotations

import asyncio
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
from ..plan import Claimant, Plan, marks_of_rows, marks_of_stack
from ..probe import HostLink
from ..secrets import Secrets
from ..store import DropRow, PutRow, PutRun, RunRecord, StateWriter
from ..walk import Context, Walker, ask_all, await_moves, held_before, lost_addresses
from ..walk.walker import watched
from .agreement import check_members
from .confirm_within import confirmed, prolonged, timer_of
from .drained_peers import check_drained_peers
from .host_locks import HeldHosts, held_hosts
from .ownership import Marking, check_ownership, host_moves, options_of
from .plan_changes import changed_words, plan_differences
from .planning import Session
from .request import ApplyOptions
from .results import Planned, RunResult, summarize
from .rows_without_task import metadata_moves, previous_rows
from .snapshot import StateSnapshot, last_run, read_snapshot
from .walk_context import Answers, walk_context

CHECKS_WITHIN = 5.0
"""Seconds for a new check to pass after a run: daemons that have just started need some."""

CHECKS_PAUSE = 0.5
"""Seconds between two tries of them."""

Approve = Callable[[Planned, str], Awaitable[bool]]


def check_applyable(made: Plan, options: ApplyOptions) -> None:
    """Raise UnreachableError for a plan that lacks a host, unless that is allowed and some host answered.

    With `no_irreversible` raise PlanError for one with an irreversible change.
    """
    if options.no_irreversible and (
        final := [f"{c.address}: {c.irreversible}" for c in made.changes if c.irreversible]
    ):
        raise PlanError(f"cannot apply with --no-irreversible: {'; '.join(final)}")
    reasons = "; ".join(made.hosts[name].error for name in made.unreachable)
    if made.unreachable and len(made.unreachable) == len(made.hosts):
        raise UnreachableError(f"{reasons}; no host can be reached")
    if made.unreachable and not options.allow_degraded:
        raise UnreachableError(f"{reasons}; to apply the changes to the other hosts use --allow-degraded")


def standing(snapshot: StateSnapshot, made: Plan) -> dict[Address, Row]:
    """The recorded rows, without those of machines that were replaced."""
    return {address: row for address, row in snapshot.rows.items() if address not in made.ownership.lost}


class Run:
    """One apply, under the lock of the state."""

    held: HeldHosts  # while the hosts are locked

    def __init__(self, session: Session, writer: StateWriter) -> None:
        self.session = session
        self.writer = writer
        self.request = session.request
        self.means = session.request.means
        self.options = session.request.options

    async def go(self, shown: Planned, approve: Approve) -> RunResult:
        """Lock the hosts, plan again, and walk."""
        if self.writer.broke is not None:
            self.means.warn(f"the state was locked by {self.writer.broke}, which is dead: its lock was broken")
        if self.writer.upgraded:
            self.means.warn(f"the state's schema was upgraded; the backup from before is {self.writer.upgraded}")
        if self.writer.place_warning:
            self.means.warn(self.writer.place_warning)
        links = await self.session.hosts.links(sorted(self._involved(shown)))
        me, what, stack = self.means.who, self.session.command, self.session.stack.name
        async with held_hosts(links, self.writer, who=me, what=what, stack=stack, warn=self.means.warn) as self.held:
            result = await self._locked(shown, approve)
            self.held.partings.update(self._partings(result, links))
            return result

    def _marking(self) -> Marking:
        mine = Claimant(
            self.session.stack.name, self.request.load.env_name or "", self.writer.lineage, self.writer.serial
        )
        return Marking(mine, self.means.who, self.held.token)

    async def _claim(self, made: Plan, rows: Mapping[Address, Row]) -> None:
        """Mark the hosts that the run will touch, before it is recorded: with recorded and desired claims."""
        touched = {h for c in made.changes for h in c.hosts if h in made.facts}
        recorded, coming = marks_of_rows(rows), marks_of_stack(self.session.stack, self.session.graph)
        wanted = {host: {**recorded.get(host, {}), **coming.get(host, {})} for host in sorted(touched)}
        await self._marking().claim(wanted, made.ownership, await self.session.hosts.links(wanted))

    def _partings(self, result: RunResult, links: Mapping[str, HostLink]) -> dict[str, str]:
        """The markers to leave. A host with a task half done keeps the claims that the run began with."""
        made, recorded, marking = result.planned.plan, marks_of_rows(self.writer.rows()), self._marking()
        half = {task.host for task in result.tasks if task.status in ("doing", "error", "undo", "undoing")}
        hosts = [host for host in links if host in made.facts and host not in half]
        return {host: marking.parting(host, recorded.get(host, {}), made.ownership) for host in hosts}

    def _involved(self, shown: Planned) -> set[str]:
        made = shown.plan
        changing = {h for c in (*made.changes, *made.metadata_only) for h in c.hosts}
        return changing | {machine.host for machine in made.ownership.new_machines} | set(made.ownership.due)

    def _remembered(self, shown: Planned, unfinished: int | None) -> StateSnapshot:
        """The state under the lock; raises StalePlanError when the plan shown was made of another one."""
        snapshot = read_snapshot(self.writer)
        if shown.plan.lineage not in ("", snapshot.lineage):
            raise StalePlanError("cannot apply: the state was replaced since the plan was shown")
        if (None if snapshot.unfinished is None else snapshot.unfinished.id) != unfinished:
            raise StalePlanError("cannot apply: another run began or ended since the plan was shown")
        return snapshot

    async def _agreed(self, shown: Planned, made: Plan, snapshot: StateSnapshot, approve: Approve) -> Planned:
        """The plan made under the lock; if it differs from the one shown, the user is asked again."""
        current = Planned(made, self.session.stack, last_run(snapshot), snapshot.unfinished, self.session.phases)
        changed = plan_differences(shown.plan, made)
        if changed:
            check_applyable(made, self.options)
            if not made.empty and not await approve(current, changed_words(changed)):
                raise Cancelled("apply cancelled")
        return current

    def recorded_options(self) -> dict[str, Any]:
        """What the record of the run keeps of the user's options."""
        return dict(self.session.request.selection.options())

    async def _locked(self, shown: Planned, approve: Approve) -> RunResult:
        snapshot = self._remembered(shown, None)
        made, _ = await self.session.plan(snapshot)
        check_ownership(made.ownership, self.session.command, take_over=self.options.take_over)
        check_members(made, standing(snapshot, made), self.session, snapshot.seal)
        check_drained_peers(made, self.means.providers)
        current = await self._agreed(shown, made, snapshot, approve)
        if made.empty:
            metadata_only = metadata_moves(made, standing(snapshot, made), 0, self.session, self.writer)
            await self.writer.commit(*host_moves(made), *metadata_only)
            return RunResult(None, "nothing", current, outputs=made.outputs)
        await self._claim(made, standing(snapshot, made))
        return await self._walk(current, snapshot)

    async def _walk(self, planned: Planned, snapshot: StateSnapshot) -> RunResult:
        made, rows = planned.plan, standing(snapshot, planned.plan)
        lives = live_tasks(made.tasks, rows)
        record = RunRecord(
            id=0,
            command=self.session.command,
            status="running",
            started=time.time(),
            ended=None,
            who=self.means.who,
            stack=self.session.stack.name,
            stack_digest=self.session.stack.digest,
            on_failure=self.options.on_failure,
            options={**self.recorded_options(), **options_of(self.request.load.env_name or "", made.facts)},
        )
        checks = await self.healthy_checks(made)
        records = records_of(0, lives, self.session.stack.instances, self.means.providers, self.writer.hmac)
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
        """Walk the tasks of a stored run; the result."""
        made, number = planned.plan, record.id
        self.session.run = number
        await self.writer.commit(*host_moves(made))
        ctx = self._context(number, planned, rows, await self._links(made), checks)
        walker = Walker(lives, ctx, self.options.on_failure)
        walker.remember(lives)
        self.means.listener(Event("run_started", data={"run": number, "tasks": len(lives)}))
        async with prolonged(ctx.timer, ctx.links):
            await watched(walker, self.means.stop)
        halted = self.options.on_failure == "halt"
        status = await confirmed(outcome(lives), lives, ctx, self.session.hosts, halted=halted)
        metadata_only = self._metadata_moves(made, ctx.rows, number) if status == "done" else []
        ended = replace(record, status=status, ended=time.time(), summary=self._summary(made, lives))
        if metadata_only:  # no task records these, so the run does: a rollback restores them
            ended = replace(ended, options={**ended.options, QUIET: previous_rows(metadata_only, rows)})
        await self.writer.commit(PutRun(ended), *metadata_only)
        self.means.listener(Event("run_finished", status, data={"run": number, "status": status}))
        if status == "done":
            for words in await await_moves(ctx, [c.address for c in made.changes]):
                self.means.warn(f"{words}: `hacore status` shows the members")
        lost = await lost_addresses(ctx)
        if status == "done":
            await self._warn_of_new_checks(made)
        leftover = await self._remaining() if status == "done" else None
        outputs = made.outputs if status == "done" else {}
        tasks = tuple(summarize(live) for live in lives)
        return RunResult(number, status, planned, tasks, leftover, outputs, lost=lost)  # type: ignore[arg-type]

    def _metadata_moves(self, made: Plan, rows: Mapping[Address, Row], number: int) -> list[PutRow | DropRow]:
        try:
            return metadata_moves(made, rows, number, self.session, self.writer)
        except ProviderError as error:  # the tasks are done: the run ends all the same
            self.means.warn(str(error))
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
        made, stack = planned.plan, self.session.stack
        hosts = {name: status.host for name, status in made.hosts.items()}
        return walk_context(
            number,
            self.means,
            self.writer,
            self.held,
            Answers(hosts, made.facts, made.views, made.ownership),
            rows=rows,
            sources=made.sources,
            links=links,
            secrets=Secrets(stack.secrets),
            instances=stack.instances,
            graph=self.session.graph,
            checks=checks,
            must_hold=held_before(made.views, self.means.providers),
            timer=timer_of(self.request, self.writer.lineage, f"run {number} of {stack.name}"),
        )

    async def healthy_checks(self, made: Plan) -> dict[Address, tuple[Check, ...]]:
        """The checks that pass now; one that fails before the run is a warning, and not a failure of this run."""
        asked = {
            address: tuple(self.means.providers[address.kind].checks(view.spec))
            for address, view in made.views.items()
            if address.host is None
        }
        found: dict[Address, tuple[Check, ...]] = {}
        for address, answers in (await ask_all(asked)).items():
            found[address] = tuple(check for check, why in answers if not why)
            for check, why in answers:
                if why and address not in {c.address for c in made.changes if c.action is Action.CREATE}:
                    self.means.warn(f"{address}: the check {check.http} failed before the run: {why}")
        return found

    async def _warn_of_new_checks(self, made: Plan) -> None:
        """Checks that came with this run: nothing had passed before that could fail it, so a failure is a warning."""
        new = {c.address for c in made.changes if c.action is Action.CREATE and c.address.host is None}
        asked = {a: tuple(self.means.providers[a.kind].checks(made.views[a].spec)) for a in new if a in made.views}
        until = time.monotonic() + CHECKS_WITHIN
        while asked := {address: checks for address, checks in asked.items() if checks}:
            answers = await ask_all(asked)
            failed = {address: [(c, why) for c, why in found if why] for address, found in answers.items()}
            if time.monotonic() >= until or not any(failed.values()):
                for address, found in sorted(failed.items()):
                    for check, why in found:
                        self.means.warn(f"{address}: the check {check.http} fails after the run: {why}")
                return
            asked = {address: tuple(check for check, _ in found) for address, found in failed.items()}
            await asyncio.sleep(CHECKS_PAUSE)

    async def _remaining(self) -> Plan | None:
        """The plan after a successful apply, which is empty by promise 1; None if it is."""
        made, _ = await self.session.plan(read_snapshot(self.writer))
        for name in made.unreachable:
            self.means.warn(f"{name} was not checked after the run: {made.hosts[name].error}")
        return None if made.empty else made


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
