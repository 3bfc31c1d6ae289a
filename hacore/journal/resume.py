"""Resuming an interrupted run: what becomes of its tasks, and how a new plan joins them. Pure.

    done               is kept: an undo of the run undoes it, too
    doing, error       a change with images is tainted: a task of the new plan continues it, or it is
                       undone first; without images nothing was touched, and it is planned again.
                       A trigger may have run: it is kept, so that an undo settles it, and planned again
    undo, undoing      is undone first, and before it each change that depends on it: one that was running when its lane
                       began to roll back may have ended as done just before the interruption
    do, hold           is planned again

The run stays one run: the tasks of the new plan are added to it, so that all of it can be undone together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..address import Address
from ..contract import Provider, Spec
from ..graph import Graph, components, reach
from ..model import Action, Op, Status
from ..plan import PlanTask
from .block import Block, continue_block, needing
from .live import RunningTask

Providers = Mapping[str, Provider[Any]]
Place = frozenset[tuple[Address, bool]]  # the addresses of a task, and whether each is deleted
Guards = Callable[[Address], str | None]  # the group in which an address is guarded


@dataclass(frozen=True, slots=True)
class UnfinishedTasks:
    """The tasks of an interrupted run, by what becomes of them."""

    kept: list[RunningTask] = field(default_factory=list)
    doubtful: list[RunningTask] = field(default_factory=list)
    back: list[RunningTask] = field(default_factory=list)
    again: list[RunningTask] = field(default_factory=list)

    @property
    def actions(self) -> dict[Address, Action]:
        """What the run was doing to the addresses that may be half changed."""
        return {p.address: p.action for live in self.doubtful for p in _touching(live.task)}


def left_over(lives: Iterable[RunningTask]) -> UnfinishedTasks:
    """Sort the tasks of an interrupted run. Undone tasks are left out."""
    found = UnfinishedTasks()
    lives = list(lives)
    resting = _resting_on_undone(lives)
    for live in lives:
        status, op = live.status, live.task.op
        if status in (Status.UNDO, Status.UNDOING):
            group = found.back
        elif status is Status.DONE or (status in (Status.DOING, Status.ERROR) and op in (Op.TRIGGER, Op.DRAIN)):
            group = found.kept
        elif status in (Status.DOING, Status.ERROR) and live.image_ids and _touching(live.task):
            group = found.doubtful
        elif status is not Status.UNDONE:
            group = found.again
        else:
            continue
        stands = group is not found.again and bool(_touching(live.task)) and not live.task.keep_on_failure
        (found.back if stands and live.id in resting else group).append(live)
    return found


def _resting_on_undone(lives: Sequence[RunningTask]) -> set[str]:
    """The tasks that are being undone, and all that depend on them.

    The before-image of such a change is that of a host on which the other one is done: undone later, it would restore
    a state that must not return.
    """
    dependants: dict[str, list[str]] = {}
    for live in lives:
        for need in live.task.needs:
            dependants.setdefault(need, []).append(live.id)
    return reach((live.id for live in lives if live.status in (Status.UNDO, Status.UNDOING)), dependants)


def takers(
    doubtful: Iterable[RunningTask], tasks: Iterable[PlanTask], providers: Providers
) -> tuple[dict[str, RunningTask], list[RunningTask]]:
    """Match the tasks of a plan with those that may be half done; the unmatched ones come second.

    The key of a match is the id of the plan's task. Both must have the same addresses in the same places, since the
    stored images belong to these.
    """
    by_place = {_place(task): task for task in tasks if _touching(task)}
    found: dict[str, RunningTask] = {}
    unmatched: list[RunningTask] = []
    for live in doubtful:
        task = by_place.get(_place(live.task))
        if task is None or _tokens(task, providers) != _tokens(live.task, providers):
            unmatched.append(live)
        else:
            found[task.id] = live
    return found, unmatched


def _touching(task: PlanTask) -> tuple[Any, ...]:
    if task.op not in (Op.CHANGE, Op.ENSURE):
        return ()
    return tuple(p for p in task.changes if p.action not in (Action.ADOPT, Action.FORGET))


def _place(task: PlanTask) -> Place:
    return frozenset((p.address, p.action is Action.DELETE) for p in _touching(task))


def _tokens(task: PlanTask, providers: Providers) -> frozenset[tuple[str | None, str]]:
    return frozenset(
        (p.address.host, token) for p in _touching(task) for token in _owned(providers[p.kind], p.change.spec)
    )


def _owned(provider: Provider[Any], spec: Spec) -> list[str]:
    return [claim.token for claim in provider.claims(spec) if claim.mode != "use"]


@dataclass(frozen=True, slots=True)
class ResumedRun:
    """An interrupted run joined with the plan that resumes it: all tasks, and those that are new."""

    lives: list[RunningTask]
    fresh: list[RunningTask]


def join(
    left: UnfinishedTasks,
    fresh: Sequence[RunningTask],
    taken: Mapping[str, RunningTask],
    open_drains: Sequence[str],
    *,
    prefix: str,
    graph: Graph,
    providers: Providers,
    guards: Guards,
) -> ResumedRun:
    """One graph of the tasks that are done and those to do; `fresh` are the plan's tasks.

    `taken`: from `takers`. `open_drains`: the kept drains that still keep their hosts out of service.
    """
    kept = [replace(live, status=Status.DONE) for live in left.kept]
    new = [_renamed(live, prefix, taken.get(live.id)) for live in fresh]
    before = _Done(kept, graph, providers)
    new = [needing(live, before.of(live.task)) for live in new]
    for number, drain in enumerate(open_drains, 1):
        kept, new = continue_block(Block.of(drain, kept), kept, new, f"{prefix}u{number}")
    lives = [*kept, *new]
    lanes = _lanes(lives, guards)
    lives = [replace(live, task=replace(live.task, lane=lanes[live.id])) for live in lives]
    return ResumedRun(lives, [live for live in lives if live.id not in {k.id for k in kept}])


def _renamed(live: RunningTask, prefix: str, doubt: RunningTask | None) -> RunningTask:
    task = replace(live.task, id=prefix + live.id, needs=tuple(prefix + need for need in live.task.needs))
    if doubt is None:
        return replace(live, task=task)
    # the rows of before the run, and those that only the new task takes over: another address may inherit now
    before = {**live.before, **doubt.before}
    return replace(live, task=task, image_ids=dict(doubt.image_ids), before=before, intent=True)


class _Done:
    """The tasks that are done, and which of them a new task depends on."""

    def __init__(self, kept: Sequence[RunningTask], graph: Graph, providers: Providers) -> None:
        self.graph = graph
        self.providers = providers
        self.at: dict[Address, set[str]] = {}
        self.users: dict[str, set[str]] = {}  # address -> done tasks that depended on it by their previous rows
        self.places: dict[tuple[str | None, str], set[str]] = {}
        for live in kept:
            if live.task.op not in (Op.CHANGE, Op.ENSURE, Op.TRIGGER):
                continue
            for address in {*live.task.addresses, *live.before}:
                self.at.setdefault(address, set()).add(live.id)
            for row in live.before.values():
                for need in row["needs"] if row else ():
                    self.users.setdefault(need, set()).add(live.id)
            for place in _tokens(live.task, providers):
                self.places.setdefault(place, set()).add(live.id)
        self.reach: dict[Address, set[str]] = {}
        for address in graph.order:
            needs = graph.needs[address]
            self.reach[address] = {id for need in needs for id in (self.at.get(need) or self.reach.get(need) or ())}

    def of(self, task: PlanTask) -> set[str]:
        """The tasks that must be undone after this one."""
        found: set[str] = set()
        if task.op in (Op.DRAIN, Op.VERIFY, Op.UNDRAIN):
            return found
        for address in task.addresses:
            found |= self.at.get(address, set()) | self.reach.get(address, set())
        for source in task.sources:
            found |= self.at.get(source, set())
        for planned in _touching(task):
            if planned.action is Action.DELETE:
                found |= self.users.get(str(planned.address), set())
        for place in _tokens(task, self.providers):
            found |= self.places.get(place, set())
        return found


def _lanes(lives: Sequence[RunningTask], guards: Guards) -> dict[str, int]:
    """Connected parts; a guarded group is one lane, so that it is rolled back together."""
    needs = {live.id: list(live.task.needs) for live in lives}
    first: dict[str, str] = {}
    for live in lives:
        for address in (*live.task.addresses, *live.task.guarded):
            group = guards(address)
            if group is not None:
                needs[live.id].append(first.setdefault(group, live.id))
    return {id: lane for lane, part in enumerate(components(needs)) for id in part}


__all__ = ["ResumedRun", "UnfinishedTasks", "join", "left_over", "takers"]
