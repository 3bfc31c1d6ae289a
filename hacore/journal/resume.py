"""Going on with an unfinished run: what becomes of its tasks, and how a new plan joins them. Pure.

    done               stays: it is undone with the run
    doing, error       a change with images is in doubt: a task of the new plan goes on with it, or it
                       is undone first; without images nothing was touched, and it is planned again.
                       A trigger may have run: it stays, so that an undo settles it, and is planned again
    undo, undoing      is undone first
    do, hold           is planned again

The run stays one run: the new plan's tasks are added to it, so that it can be undone as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..address import Address
from ..contract import Provider, Spec
from ..graph import Graph, components
from ..model import Action, Op, Status
from ..plan import PlanTask
from .live import RunningTask

Providers = Mapping[str, Provider[Any]]
Place = frozenset[tuple[Address, bool]]  # the addresses of a task, and whether each goes away
Guards = Callable[[Address], str | None]  # the group in which an address is guarded


@dataclass(frozen=True, slots=True)
class UnfinishedTasks:
    """The tasks of an unfinished run, by what becomes of them."""

    kept: list[RunningTask] = field(default_factory=list)
    doubtful: list[RunningTask] = field(default_factory=list)
    back: list[RunningTask] = field(default_factory=list)
    again: list[RunningTask] = field(default_factory=list)

    @property
    def actions(self) -> dict[Address, Action]:
        """What was being done to the addresses in doubt."""
        return {p.address: p.action for live in self.doubtful for p in _touching(live.task)}


def left_over(lives: Iterable[RunningTask]) -> UnfinishedTasks:
    """Sort the tasks of an unfinished run. What is undone already plays no part any more."""
    found = UnfinishedTasks()
    for live in lives:
        status, op = live.status, live.task.op
        if status in (Status.UNDO, Status.UNDOING):
            found.back.append(live)
        elif status is Status.DONE or (status in (Status.DOING, Status.ERROR) and op in (Op.TRIGGER, Op.DRAIN)):
            found.kept.append(live)
        elif status in (Status.DOING, Status.ERROR) and live.image_ids and _touching(live.task):
            found.doubtful.append(live)
        elif status is not Status.UNDONE:
            found.again.append(live)
    return found


def takers(
    doubtful: Iterable[RunningTask], tasks: Iterable[PlanTask], providers: Providers
) -> tuple[dict[str, RunningTask], list[RunningTask]]:
    """Which task of a plan (by id) goes on with which one in doubt, and those that none goes on with.

    It must be about the same addresses in the same places: the images are of those.
    """
    by_place = {_place(task): task for task in tasks if _touching(task)}
    found: dict[str, RunningTask] = {}
    odd: list[RunningTask] = []
    for live in doubtful:
        task = by_place.get(_place(live.task))
        if task is None or _tokens(task, providers) != _tokens(live.task, providers):
            odd.append(live)
        else:
            found[task.id] = live
    return found, odd


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
    """An unfinished run and the plan that goes on with it, as one: all tasks, and those that are new."""

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
    """One graph of what was done and what is to be done; `fresh` are the plan's tasks.

    `taken`: from `takers`. `open_drains`: the kept drains whose hosts are out of service.
    """
    kept = [replace(live, status=Status.DONE) for live in left.kept]
    new = [_renamed(live, prefix, taken.get(live.id)) for live in fresh]
    before = _Done(kept, graph, providers)
    new = [_needing(live, before.of(live.task)) for live in new]
    for number, drain in enumerate(open_drains, 1):
        kept, new = _go_on_with_block(drain, kept, new, f"{prefix}u{number}")
    lives = [*kept, *new]
    lanes = _lanes(lives, guards)
    lives = [replace(live, task=replace(live.task, lane=lanes[live.id])) for live in lives]
    return ResumedRun(lives, [live for live in lives if live.id not in {k.id for k in kept}])


def _renamed(live: RunningTask, prefix: str, doubt: RunningTask | None) -> RunningTask:
    task = replace(live.task, id=prefix + live.id, needs=tuple(prefix + need for need in live.task.needs))
    if doubt is None:
        return replace(live, task=task)
    return replace(live, task=task, image_ids=dict(doubt.image_ids), before=dict(doubt.before), intent=True)


def _needing(live: RunningTask, more: Iterable[str]) -> RunningTask:
    return replace(live, task=replace(live.task, needs=tuple(sorted({*live.task.needs, *more}))))


class _Done:
    """What was done before, and which of it a new task rests on."""

    def __init__(self, kept: Sequence[RunningTask], graph: Graph, providers: Providers) -> None:
        self.graph = graph
        self.providers = providers
        self.at: dict[Address, set[str]] = {}
        self.users: dict[str, set[str]] = {}  # address -> who was done and needed it before
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


def _go_on_with_block(
    drain: str, kept: list[RunningTask], new: list[RunningTask], name: str
) -> tuple[list[RunningTask], list[RunningTask]]:
    """A host that was left out of service: its next block begins where it is, or it is taken back first.

    It is taken back when nothing more is to be done to it, when that waits for another host of its
    group (the two would wait for each other), or for something that comes after what the block has
    done: the drain would come after that, and before it.
    """
    old = next(live for live in kept if live.id == drain)
    inside = {live.id for live in kept if drain in live.task.needs}
    group = old.task.group
    drains = [live for live in new if live.task.op is Op.DRAIN and live.task.group == group]
    mine = next((live for live in drains if live.task.host == old.task.host), None)
    if mine is None or _comes_later(mine, {drain, *inside}, drains, kept, new):
        needs = tuple(sorted({drain, *inside}))
        task = replace(old.task, id=name, op=Op.UNDRAIN, needs=needs)
        return kept, [RunningTask(task), *[_needing(live, [name]) if live in drains else live for live in new]]
    needs = tuple(sorted({*old.task.needs, *mine.task.needs}))
    task = replace(old.task, addresses=mine.task.addresses, needs=needs)
    again = replace(old, task=task, status=Status.DO, intent=True)
    swapped = [_swapped(live, mine.id, drain) for live in new if live is not mine]
    closing = _verify_of(drain, swapped)
    return (
        [again if live is old else live for live in kept],
        [_needing(live, inside) if live.id in closing else live for live in swapped],
    )


def _comes_later(
    mine: RunningTask,
    done: set[str],
    drains: Sequence[RunningTask],
    kept: Sequence[RunningTask],
    new: Sequence[RunningTask],
) -> bool:
    """Whether a block waits for another one of its group, or for what rests on the tasks in `done`."""
    everything = [*kept, *new]
    return any(_rests_on(_undrain(mine, new), other.id, new) for other in drains if other is not mine) or any(
        _rests_on(need, id, everything) for need in mine.task.needs for id in done
    )


def _swapped(live: RunningTask, old: str, new: str) -> RunningTask:
    needs = tuple(sorted(new if need == old else need for need in live.task.needs))
    return replace(live, task=replace(live.task, needs=needs))


def _verify_of(drain: str, lives: Sequence[RunningTask]) -> set[str]:
    inside = {live.id for live in lives if drain in live.task.needs}
    return {live.id for live in lives if live.task.op is Op.VERIFY and inside & set(live.task.needs)}


def _undrain(drain: RunningTask, lives: Sequence[RunningTask]) -> str:
    verify = _verify_of(drain.id, lives)
    return next(live.id for live in lives if live.task.op is Op.UNDRAIN and verify & set(live.task.needs))


def _rests_on(id: str, other: str, lives: Sequence[RunningTask]) -> bool:
    needs = {live.id: live.task.needs for live in lives}
    seen: set[str] = set()
    queue = [id]
    while queue:
        found = queue.pop()
        if found == other:
            return True
        if found not in seen:
            seen.add(found)
            queue.extend(needs.get(found, ()))
    return False


def _lanes(lives: Sequence[RunningTask], guards: Guards) -> dict[str, int]:
    """Connected parts; what guards each other stands and falls together."""
    needs = {live.id: list(live.task.needs) for live in lives}
    first: dict[str, str] = {}
    for live in lives:
        for address in (*live.task.addresses, *live.task.guarded):
            group = guards(address)
            if group is not None:
                needs[live.id].append(first.setdefault(group, live.id))
    return {id: lane for lane, part in enumerate(components(needs)) for id in part}


__all__ = ["ResumedRun", "UnfinishedTasks", "join", "left_over", "takers"]
