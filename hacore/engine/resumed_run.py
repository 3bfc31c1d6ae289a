"""Resume: an unfinished run goes on as the same run, so that it can be rolled back as one.

1 take back   what was on its way back, and what is in doubt but is not wanted any more or elsewhere
2 plan        afresh; what is in doubt is planned whatever it looks like
3 join        the new tasks to those that are done; one that goes on with a task in doubt gets its
              images and its rows as they were, and captures nothing
4 walk        as any run
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
from ..store import Move, PutRun, PutTask, RunRecord, SetTask, StateReader, host_from_json
from ..walk import Board, Context, Walker, nodes_of
from .ownership import check_ownership, replaced_since
from .planning import hosts_of
from .results import Planned, RunResult
from .run import Approve, Run, check_applyable, standing
from .snapshot import StateSnapshot

Providers = Mapping[str, Provider[Any]]


def read_left(url: str, run: int, providers: Providers, memory: StateSnapshot) -> UnfinishedTasks:
    """What an unfinished run left, read only."""
    reader = StateReader.open(url)
    if reader is None:
        raise StoreError(f"cannot resume: there is no state at {url}")
    with reader:
        return left_over(restore_tasks(reader.tasks(run), providers, _known(memory)))


def shown_left(left: UnfinishedTasks, made: Plan, providers: Providers) -> bool:
    """Whether something must be taken back before the plan can be gone through, or a block is open."""
    _, odd = takers(left.doubtful, made.tasks, providers)
    return bool(odd or left.back or _open_drains(left))


def _known(memory: StateSnapshot) -> dict[str, Host]:
    return {name: host_from_json(record.host) for name, record in memory.hosts.items()}


def _open_drains(left: UnfinishedTasks) -> list[str]:
    """The kept drains whose hosts are out of service."""
    lives = [replace(live, status=Status.DONE) for live in left.kept]
    board = Board({node.id: node for node in nodes_of(lives)}, status={live.id: live.status for live in lives})
    return board.out_of_service()


def _both(ctx: Context, rows: Mapping[Address, Row]) -> dict[Address, Sources]:
    """What hangs on what on the way back: as it is recorded, and what the stack adds."""
    old = recorded_sources(rows)
    return {a: {**ctx.sources.get(a, {}), **old.get(a, {})} for a in {**ctx.sources, **old}}


class Resumed(Run):
    """An unfinished run that goes on, under the lock of the state."""

    def __init__(self, unfinished: RunRecord, *given: Any) -> None:
        super().__init__(*given)
        self.unfinished = unfinished
        self._recorded: Mapping[Address, Recorded] = {}
        self._hosts: Mapping[str, Host] = {}
        self._touched: set[str] = set()

    async def go(self, shown: Planned, approve: Approve) -> RunResult:
        """Lock the hosts, take back what cannot go on, plan again, and walk."""
        if self.unfinished.stack_digest != self.session.stack.digest:
            self.warn(
                f"the stack is not the one that run {self.unfinished.id} was begun with; it goes on with this one"
            )
        memory = self._remembered(shown, self.unfinished.id)
        self._hosts = {**_known(memory), **hosts_of(self.session.stack, memory)}
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
        return left_over(restore_tasks(records, self.request.providers, self._hosts))

    async def _locked(self, shown: Planned, approve: Approve) -> RunResult:
        while True:
            memory = self._remembered(shown, self.unfinished.id)
            left = self._left()
            made, self._recorded = await self.session.plan(memory, left.actions)
            self._same_machines(made, memory)
            check_ownership(made.ownership, "resume", take_over=self.options.take_over)
            _, odd = takers(left.doubtful, made.tasks, self.request.providers)
            if not odd and not left.back:
                break
            check_applyable(made, replace(self.options, no_irreversible=False))
            await self._take_back(left, odd, Planned(made, self.session.stack), memory)
        planned = await self._agreed(shown, made, memory, approve)
        await self._claim(made, standing(memory, made))
        return await self._walk(planned, memory)

    def _same_machines(self, made: Plan, memory: StateSnapshot) -> None:
        """Raise PlanError when a machine that the run worked on is gone: its images must not come to another one."""
        for machine in replaced_since(self.unfinished, memory.hosts, made.facts, self._hosts):
            raise PlanError(
                f"cannot resume run {self.unfinished.id}: {machine.host}@{machine.address} is another machine "
                f"than the one it worked on (machine-id {machine.found}, then {machine.recorded}); `hacore rollback` "
                "takes back what it did to the other hosts"
            )

    async def _take_back(
        self, left: UnfinishedTasks, odd: Sequence[RunningTask], planned: Planned, memory: StateSnapshot
    ) -> None:
        """Undo what was on its way back, and what is in doubt and nothing goes on with."""
        going = [*left.back, *odd]
        still_open = _open_drains(left)
        lives = [replace(live, status=Status.DONE) for live in left.kept if live.id not in still_open] + going
        links = await self._links(planned.plan)
        ctx = self._context(self.unfinished.id, planned, dict(memory.rows), links, {})
        ctx = replace(ctx, views={**ctx.views, **self._views_before(planned)}, sources=_both(ctx, memory.rows))
        walker = Walker(lives, ctx, self.options.on_failure)
        walker.board.take_back(live.id for live in going)
        walker.remember(lives)
        await walker.walk()
        wrong = [f"{live.id}: {live.error}" for live in going if live.status is not Status.UNDONE]
        if wrong:
            raise RunError(
                f"cannot resume run {self.unfinished.id}: what was in doubt cannot be undone: {'; '.join(wrong)}"
            )

    async def _walk(self, planned: Planned, memory: StateSnapshot) -> RunResult:
        made, rows, left = planned.plan, standing(memory, planned.plan), self._left()
        taken, _ = takers(left.doubtful, made.tasks, self.request.providers)
        times = int(self.unfinished.options.get("resumed", 0)) + 1
        journey = join(
            left,
            live_tasks(made.tasks, rows),
            taken,
            _open_drains(left),
            prefix=f"r{times}.",
            graph=self.session.graph,
            providers=self.request.providers,
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
        await self.writer.commit(PutRun(record), *self._joined(left, journey))
        return await self._go_through(planned, rows, journey.lives, record, checks)

    def _joined(self, left: UnfinishedTasks, journey: ResumedRun) -> list[Move]:
        """What the state must know before the run goes on: one commit."""
        run = self.unfinished.id
        tasks: dict[str, PlanTask] = {live.id: live.task for live in journey.lives}
        moves: list[Move] = [
            SetTask(run, live.id, {"status": Status.HOLD.value}) for live in (*left.again, *left.doubtful)
        ]
        moves += [
            SetTask(run, live.id, {"status": Status.DONE.value, "needs": tasks[live.id].needs}) for live in left.kept
        ]
        first = len(self.writer.tasks(run))
        records = records_of(
            run, journey.fresh, self.session.stack, self.request.providers, self.writer.hmac, first=first
        )
        return [*moves, *[PutTask(record) for record in records]]

    def _guard_of(self, address: Address, made: Plan) -> str | None:
        view = made.views.get(address)
        guard = self.request.providers[address.kind].guard(view) if view is not None and address.host else None
        return guard.group if guard is not None else None

    def _context(
        self,
        number: int,
        planned: Planned,
        rows: dict[Address, Row],
        links: Mapping[str, HostLink],
        checks: Mapping[Address, tuple[Check, ...]],
    ) -> Context:
        """With what is recorded and not in the stack: an undo may need it."""
        ctx = super()._context(number, planned, rows, links, checks)
        return replace(
            ctx,
            views={**self._views_before(planned), **ctx.views},
            sources={**recorded_sources(rows), **ctx.sources},
            hosts={**self._hosts, **ctx.hosts},
        )

    def _views_before(self, planned: Planned) -> dict[Address, View[Any]]:
        """Views of what is recorded."""
        return recorded_views(self._recorded, self._hosts, planned.plan.facts, self.request.providers)

    def _summary(self, made: Plan, lives: Sequence[RunningTask]) -> dict[str, int]:
        """What the run did, all in all."""
        done = Counter(
            p.action.word
            for live in lives
            if live.status is Status.DONE and live.task.op is Op.CHANGE
            for p in live.task.changes
        )
        return {word: done.get(word, 0) for word in made.summary() if word != "noop"} | {"noop": made.noop}


__all__ = ["Resumed", "read_left", "shown_left"]
