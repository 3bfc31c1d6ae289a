"""Resume: an interrupted run continues as the same run, so that it can be rolled back as one.

1 undo     tasks that were being undone, and unfinished tasks that the stack no longer needs
2 plan     again; addresses of unfinished tasks are planned whatever is observed
3 join     the new tasks to those that are done; one that continues an unfinished task gets its images and
           its previous rows, and captures nothing
4 walk     as any run
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Check, Provider, View
from ..errors import PlanError, RunError, StoreError
from ..journal import (
    ResumedRun,
    RunningTask,
    UnfinishedTasks,
    join,
    left_over,
    live_tasks,
    recorded_sources,
    records_of,
    restore_tasks,
    takers,
)
from ..model import Host, Op, Row, Status
from ..plan import Plan, PlanTask, Recorded, recorded_views
from ..plan.types import Sources
from ..probe import HostLink
from ..store import Move, PutRun, PutTask, RunRecord, SetTask, StateReader, StateWriter, host_from_json
from ..urls import shown_url
from ..walk import Board, Context, Walker, nodes_of
from .ownership import check_ownership, replaced_since
from .planning import Session, hosts_of
from .results import Planned, RunResult
from .run import Approve, Run, check_applyable, standing
from .snapshot import StateSnapshot

Providers = Mapping[str, Provider[Any]]


def read_unfinished(url: str, run: int, providers: Providers, snapshot: StateSnapshot) -> UnfinishedTasks:
    """The tasks that an interrupted run left, read only."""
    reader = StateReader.open(url)
    if reader is None:
        raise StoreError(f"cannot resume: there is no state at {shown_url(url)}")
    with reader:
        return left_over(restore_tasks(reader.tasks(run), providers, _known(snapshot)))


def has_leftovers(left: UnfinishedTasks, made: Plan, providers: Providers) -> bool:
    """Whether tasks must be undone before the plan can be applied, or a guard block is open."""
    _, odd = takers(left.doubtful, made.tasks, providers)
    return bool(odd or left.back or _open_drains(left))


def _known(snapshot: StateSnapshot) -> dict[str, Host]:
    return {name: host_from_json(record.host) for name, record in snapshot.hosts.items()}


def _open_drains(left: UnfinishedTasks) -> list[str]:
    """The kept drains that still keep their hosts out of service."""
    lives = [replace(live, status=Status.DONE) for live in left.kept]
    board = Board({node.id: node for node in nodes_of(lives)}, status={live.id: live.status for live in lives})
    return board.out_of_service()


def _both(ctx: Context, rows: Mapping[Address, Row]) -> dict[Address, Sources]:
    """The sources of each consumer for an undo: as recorded, and what the stack adds."""
    old = recorded_sources(rows)
    return {a: {**ctx.sources.get(a, {}), **old.get(a, {})} for a in {**ctx.sources, **old}}


class Resumed(Run):
    """An interrupted run that continues, under the lock of the state."""

    def __init__(self, unfinished: RunRecord, session: Session, writer: StateWriter) -> None:
        super().__init__(session, writer)
        self.unfinished = unfinished
        self._recorded: Mapping[Address, Recorded] = {}
        self._hosts: Mapping[str, Host] = {}
        self._touched: set[str] = set()

    async def go(self, shown: Planned, approve: Approve) -> RunResult:
        """Lock the hosts, undo what cannot be continued, plan again, and walk."""
        if self.unfinished.stack_digest != self.session.stack.digest:
            self.means.warn(
                f"the stack has changed since run {self.unfinished.id} began; resuming with the current stack"
            )
        snapshot = self._remembered(shown, self.unfinished.id)
        self._hosts = {**_known(snapshot), **hosts_of(self.session.stack, snapshot)}
        left = self._left()
        lives = (*left.kept, *left.doubtful, *left.back)
        self._touched = {h for live in lives for p in live.task.changes for h in p.hosts if h in self._hosts}
        self._touched |= {live.task.host for live in lives if live.task.host in self._hosts}
        self.session.hosts.connect({name: self._hosts[name] for name in self._touched})
        return await super().go(shown, approve)

    def _involved(self, shown: Planned) -> set[str]:
        return super()._involved(shown) | self._touched

    async def _links(self, made: Plan) -> dict[str, HostLink]:
        return await self.session.hosts.links({*made.facts, *self._touched})

    def _left(self) -> UnfinishedTasks:
        records = self.writer.tasks(self.unfinished.id)
        return left_over(restore_tasks(records, self.means.providers, self._hosts))

    async def _locked(self, shown: Planned, approve: Approve) -> RunResult:
        while True:
            snapshot = self._remembered(shown, self.unfinished.id)
            left = self._left()
            made, self._recorded = await self.session.plan(snapshot, left.actions)
            self._same_machines(made, snapshot)
            check_ownership(made.ownership, "resume", take_over=self.options.take_over)
            _, odd = takers(left.doubtful, made.tasks, self.means.providers)
            if not odd and not left.back:
                break
            check_applyable(made, replace(self.options, no_irreversible=False))  # the plan shown was checked
            await self._undo_leftovers(left, odd, Planned(made, self.session.stack), snapshot)
        planned = await self._agreed(shown, made, snapshot, approve)
        await self._claim(made, standing(snapshot, made))
        return await self._walk(planned, snapshot)

    def _same_machines(self, made: Plan, snapshot: StateSnapshot) -> None:
        """Raise PlanError when a machine of the run was replaced: its images must not be restored on another one."""
        for machine in replaced_since(self.unfinished, snapshot.hosts, made.facts, self._hosts):
            raise PlanError(
                f"cannot resume run {self.unfinished.id}: {machine.host}@{machine.address} was replaced by another "
                f"machine (machine-id {machine.found}, was {machine.recorded}); `hacore rollback` undoes the run "
                "on the other hosts"
            )

    async def _undo_leftovers(
        self, left: UnfinishedTasks, odd: Sequence[RunningTask], planned: Planned, snapshot: StateSnapshot
    ) -> None:
        """Undo the tasks that were being undone, and the unfinished ones that no new task continues."""
        going = [*left.back, *odd]
        still_open = _open_drains(left)
        lives = [replace(live, status=Status.DONE) for live in left.kept if live.id not in still_open] + going
        links = await self._links(planned.plan)
        ctx = self._context(self.unfinished.id, planned, dict(snapshot.rows), links, {})
        ctx = replace(ctx, views={**ctx.views, **self._views_before(planned)}, sources=_both(ctx, snapshot.rows))
        walker = Walker(lives, ctx, self.options.on_failure)
        walker.board.take_back(live.id for live in going)
        walker.remember(lives)
        await walker.walk()
        wrong = [f"{live.id}: {live.error}" for live in going if live.status is not Status.UNDONE]
        if wrong:
            raise RunError(
                f"cannot resume run {self.unfinished.id}: unfinished tasks cannot be undone: {'; '.join(wrong)}"
            )

    async def _walk(self, planned: Planned, snapshot: StateSnapshot) -> RunResult:
        made, rows, left = planned.plan, standing(snapshot, planned.plan), self._left()
        taken, _ = takers(left.doubtful, made.tasks, self.means.providers)
        times = int(self.unfinished.options.get("resumed", 0)) + 1
        joined = join(
            left,
            live_tasks(made.tasks, rows),
            taken,
            _open_drains(left),
            prefix=f"r{times}.",
            graph=self.session.graph,
            providers=self.means.providers,
            guards=lambda address: self._guard_of(address, made),
        )
        record = replace(
            self.unfinished,
            status="running",
            ended=None,
            stack_digest=self.session.stack.digest,
            on_failure=self.options.on_failure,
            options={**self.unfinished.options, "resumed": times},
        )
        checks = await self.healthy_checks(made)
        await self.writer.commit(PutRun(record), *self._joined(left, joined))
        return await self._go_through(planned, rows, joined.lives, record, checks)

    def _joined(self, left: UnfinishedTasks, joined: ResumedRun) -> list[Move]:
        """What must be recorded before the run continues: one commit."""
        run = self.unfinished.id
        tasks: dict[str, PlanTask] = {live.id: live.task for live in joined.lives}
        moves: list[Move] = [
            SetTask(run, live.id, {"status": Status.HOLD.value}) for live in (*left.again, *left.doubtful)
        ]
        moves += [
            SetTask(run, live.id, {"status": Status.DONE.value, "needs": tasks[live.id].needs}) for live in left.kept
        ]
        first = len(self.writer.tasks(run))
        records = records_of(
            run, joined.fresh, self.session.stack.instances, self.means.providers, self.writer.hmac, first=first
        )
        return [*moves, *[PutTask(record) for record in records]]

    def _guard_of(self, address: Address, made: Plan) -> str | None:
        view = made.views.get(address)
        guard = self.means.providers[address.kind].guard(view) if view is not None and address.host else None
        return guard.group if guard is not None else None

    def _context(
        self,
        number: int,
        planned: Planned,
        rows: dict[Address, Row],
        links: Mapping[str, HostLink],
        checks: Mapping[Address, tuple[Check, ...]],
    ) -> Context:
        """With what is recorded and not in the stack, which an undo may need."""
        ctx = super()._context(number, planned, rows, links, checks)
        return replace(
            ctx,
            views={**self._views_before(planned), **ctx.views},
            sources={**recorded_sources(rows), **ctx.sources},
            hosts={**self._hosts, **ctx.hosts},
        )

    def _views_before(self, planned: Planned) -> dict[Address, View[Any]]:
        """Views of the recorded resources."""
        return recorded_views(self._recorded, self._hosts, planned.plan.facts, self.means.providers)

    def _summary(self, made: Plan, lives: Sequence[RunningTask]) -> dict[str, int]:
        """What the whole run did."""
        done = Counter(
            p.action.word
            for live in lives
            if live.status is Status.DONE and live.task.op is Op.CHANGE
            for p in live.task.changes
        )
        return {word: done.get(word, 0) for word in made.summary() if word != "noop"} | {"noop": made.noop}


__all__ = ["Resumed", "has_leftovers", "read_unfinished"]
