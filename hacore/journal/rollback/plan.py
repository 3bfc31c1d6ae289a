"""The plan of a rollback: from the journals of the runs that are undone to tasks of a run of its own. Pure.

Each task that touched a host is mirrored by one that restores its stored images: the newest
first, so that each finds the host as its own task left it. Such a task captures what it replaces, like
any task: so a rollback can be rolled back itself. Changes of the state alone (adopted, forgotten,
rewritten rows) are undone at the end, in one task that touches no host. Triggers
and guards are not mirrored, they are computed once over the whole (see `triggers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...address import Address
from ...contract import Facts, Provider
from ...model import JSON, Action, Host, Op, Row, Status
from ...plan import Inputs, PlannedChange, PlanTask, Seal, desired_views, recorded_views, revive
from ...plan.guards import add_guards
from ...plan.inputs import Comparison
from ...store import row_from_json, row_to_json
from ..live import RunningTask
from .as_stack import graph_of, stack_of
from .order import Needs, come_back_in_order, edges
from .tasks import ordered_tasks, restore_task, trigger_task, with_triggers
from .triggers import BeforeAfter, PendingTrigger, due_triggers
from .types import Restore, Rows, Undone, touching

_UNTOUCHED = (Status.DO, Status.HOLD, Status.UNDONE)
QUIET = "rows"  # a run's option: the previous rows that it only rewrote


@dataclass(frozen=True, slots=True)
class RollbackInputs:
    """What a rollback is planned from. `disruptive`: whether the steps of an undo interrupt a service."""

    stack: str
    rows: Mapping[Address, Row]
    facts: Mapping[str, Facts]
    hosts: Mapping[str, Host]
    providers: Mapping[str, Provider[Any]]
    seal: Seal
    drifted: frozenset[Address] = frozenset()
    disruptive: Callable[[RunningTask], bool] = lambda _live: False


@dataclass(frozen=True, slots=True)
class RollbackTasks:
    """A rollback's tasks, and the rows when it is done."""

    lives: list[RunningTask]
    target: Mapping[Address, Row]
    touched: frozenset[Address] = frozenset()  # on hosts
    actions: Mapping[Address, Action] = field(default_factory=dict)  # all in all; ADOPT and FORGET: in the state only
    irreversible: Mapping[Address, str] = field(default_factory=dict)


def rows_back(undone: Sequence[Undone], rows: Mapping[Address, Row]) -> dict[Address, Row]:
    """The rows when these runs, the newest first, are undone."""
    return {a: row_from_json(row) for a, row in _fold(undone, rows)[2].items() if row is not None}


def plan_back(undone: Sequence[Undone], given: RollbackInputs) -> RollbackTasks:
    """The rollback of runs, the newest first."""
    restores, actual, target = _fold(undone, given.rows)
    rows = {a: row_from_json(row) for a, row in target.items() if row is not None}
    now, then = inputs_of(given.rows, given.rows, given), inputs_of(rows, given.rows, given)
    changes = _net(restores, given.rows, rows)
    needs = edges(restores, undone, [actual, target, *(r.before for r in restores)])
    come_back_in_order(restores, needs, {a for a in rows if a not in given.rows}, then.graph.needs)
    views = desired_views(then.stack.instances, given.hosts, given.facts, given.providers)
    dues = due_triggers(restores, needs, BeforeAfter(now, then, rows, views, given.drifted, _ops(undone)))
    before = recorded_views(now.recorded, given.hosts, given.facts, given.providers)
    compared = Comparison(changes=changes, views=views, recorded_views=before)
    tasks = add_guards(_tasks(restores, dues, needs, given), compared, then)
    lives = _lives(tasks, restores)
    return RollbackTasks(
        [*lives, *_rows_task(lives, actual, target, dues)],
        rows,
        frozenset(a for r in restores for a in r.addresses),
        {p.address: p.action for p in changes} | _state_only(restores, given.rows, rows),
        {p.address: p.irreversible for r in restores for p in r.changes if p.irreversible},
    )


def _ops(undone: Sequence[Undone]) -> dict[tuple[Address, Address], str]:
    """What the triggers of these runs did."""
    triggers = [live.task for run in undone for live in run.tasks if live.task.op is Op.TRIGGER]
    return {(consumer, source): t.trigger for t in triggers for consumer in t.addresses for source in t.sources}


def inputs_of(rows: Mapping[Address, Row], now: Mapping[Address, Row], given: RollbackInputs) -> Inputs:
    """Rows in the shape of a stack; `now`: what is recorded."""
    wanted = revive(rows, given.providers)
    return Inputs(
        stack=stack_of(given.stack, wanted, given.hosts),
        graph=graph_of(wanted, given.providers),
        recorded=revive(now, given.providers),
        facts=given.facts,
        hosts=given.hosts,
        providers=given.providers,
        seal=given.seal,
    )


def _fold(undone: Sequence[Undone], rows: Mapping[Address, Row]) -> tuple[list[Restore], Rows, Rows]:
    """The tasks to undo, newest first; the rows after these, and those when the state is restored as well."""
    actual: Rows = {a: row_to_json(row) for a, row in rows.items()}
    target: Rows = dict(actual)
    restores: list[Restore] = []
    for run in undone:
        target.update({Address.parse(a): row for a, row in run.record.options.get(QUIET, {}).items()})
        for live in reversed(run.tasks):
            if live.status in _UNTOUCHED or live.task.op not in (Op.CHANGE, Op.ENSURE, Op.RESTORE):
                continue
            if _touched_host(live):
                before = {a: actual.get(a) for a in live.before}
                restores.append(Restore(f"{run.record.id} {live.id}", run.record.id, live, before, dict(live.before)))
                actual.update(live.before)
            elif live.task.op is Op.ENSURE:
                continue  # it was in the desired state: nothing was written
            target.update(live.before)
    return restores, actual, target


def _touched_host(live: RunningTask) -> bool:
    """Images and intent are on disk before a host is touched: without any, nothing was."""
    return live.task.host is not None and live.intent and any(p.address in live.image_ids for p in touching(live))


def _net(restores: Sequence[Restore], now: Mapping[Address, Row], then: Mapping[Address, Row]) -> list[PlannedChange]:
    """What happens to each address, all in all."""
    last: dict[Address, PlannedChange] = {p.address: p for r in restores for p in r.changes}
    return [replace(p, action=_action(a in now, a in then)) for a, p in last.items()]


def _action(now: bool, then: bool) -> Action:
    if now and not then:
        return Action.DELETE
    return Action.CREATE if then and not now else Action.UPDATE


def _state_only(
    restores: Sequence[Restore], now: Mapping[Address, Row], then: Mapping[Address, Row]
) -> dict[Address, Action]:
    known = {a for r in restores for a in r.addresses}
    gone = {a: Action.FORGET for a in now if a not in then and a not in known}
    return gone | {a: Action.ADOPT for a in then if a not in now and a not in known}


def _tasks(
    restores: Sequence[Restore], dues: Sequence[PendingTrigger], needs: Needs, given: RollbackInputs
) -> tuple[PlanTask, ...]:
    made = [restore_task(r, disruptive=r.updates and given.disruptive(r.live)) for r in restores]
    return ordered_tasks([*made, *map(trigger_task, dues)], with_triggers(needs, dues))


def _lives(tasks: Sequence[PlanTask], restores: Sequence[Restore]) -> list[RunningTask]:
    """The tasks ready to run, each with the rows that its undo restores."""
    before = {frozenset(r.images.values()): r.before for r in restores}  # an image is of one task only
    return [RunningTask(task, before=dict(before.get(frozenset(task.restores.values()), {}))) for task in tasks]


def _rows_task(
    lives: Sequence[RunningTask], actual: Rows, target: Rows, dues: Sequence[PendingTrigger]
) -> list[RunningTask]:
    """The task that restores rows without a task on a host; none if they are right by then."""
    marks = {due.consumer: due.marks for due in dues}
    here = {a: _marked(row, marks.get(a, {})) for a, row in actual.items()}
    there = {a: _marked(row, marks.get(a, {})) for a, row in target.items()}
    odd = sorted(a for a in {*here, *there} if here.get(a) != there.get(a))
    if not odd:
        return []
    task = PlanTask(
        "rows",
        Op.RESTORE,
        odd[0].kind,
        None,
        tuple(odd),
        needs=tuple(live.id for live in lives),
        rows={a: there.get(a) for a in odd},
    )
    return [RunningTask(task, before={a: here.get(a) for a in odd})]


def _marked(row: JSON | None, marks: Mapping[str, str]) -> JSON | None:
    """A consumer's row once its trigger is done."""
    if row is None or not marks:
        return row
    return {**row, "loaded": {s: marks.get(s, mark) for s, mark in row["loaded"].items()}}


__all__ = ["QUIET", "RollbackInputs", "RollbackTasks", "inputs_of", "plan_back"]
