"""Restores and triggers as the tasks of a rollback. Pure.

They are ordered, numbered, and marked where they interrupt a service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from ...errors import PlanError
from ...graph import between, topological
from ...model import Op
from ...plan import PlanTask
from .order import Needs, above
from .triggers import PendingTrigger
from .types import Restore


def restore_task(restore: Restore, *, disruptive: bool) -> PlanTask:
    """The task of a restore, its key in place of an id. `disruptive`: its steps interrupt a service."""
    task = restore.live.task
    return replace(
        task,
        id=restore.key,
        op=Op.RESTORE,
        addresses=restore.addresses,
        changes=restore.changes,
        needs=(),
        lane=0,
        disrupts="restart" if disruptive else task.disrupts,
        sources=(),
        trigger="",
        group="",
        guarded=(),
        reload_group="",
        keep_on_failure=False,
        restores=restore.images,
        rows=restore.after,
    )


def trigger_task(due: PendingTrigger) -> PlanTask:
    """The task of a reload or restart, its key in place of an id."""
    return PlanTask(
        due.key,
        Op.TRIGGER,
        due.consumer.kind,
        due.consumer.host,
        (due.consumer,),
        trigger=due.op,
        sources=tuple(sorted(due.sources)),
        disrupts="restart" if due.op == "restart" else "reload",
    )


def with_triggers(needs: Mapping[str, Set[str]], dues: Sequence[PendingTrigger]) -> Needs:
    """The needs of all tasks: those of the restores, those of the triggers, and of what a trigger holds back."""
    found: Needs = {key: set(wanted) for key, wanted in needs.items()}
    found.update({due.key: set(due.needs) for due in dues})
    for due in dues:
        for key in sorted(due.holds):
            if key not in above(due.key, found):
                found[key].add(due.key)
    return found


def ordered_tasks(tasks: Sequence[PlanTask], needs: Mapping[str, set[str]]) -> tuple[PlanTask, ...]:
    """The tasks in their order, with ids and needs; what lies inside a guard block disrupts like its ends.

    `needs`: by key. Raises PlanError for a circle.
    """
    made = {task.id: task for task in tasks}
    hosts = {key: task.host for key, task in made.items()}
    inside = between({key for key, task in made.items() if task.disrupts == "restart"}, hosts, needs)
    order = topological({key: tuple(sorted(needs[key])) for key in made})
    if lost := made.keys() - set(order):
        raise PlanError(
            f"cannot order the rollback: its tasks wait for each other in a circle: {', '.join(sorted(lost))}"
        )
    ids = {key: f"t{number}" for number, key in enumerate(order, 1)}
    return tuple(
        replace(
            made[key],
            id=ids[key],
            needs=tuple(sorted(ids[need] for need in needs[key])),
            disrupts="restart" if key in inside else made[key].disrupts,
        )
        for key in order
    )


__all__ = ["ordered_tasks", "restore_task", "trigger_task", "with_triggers"]
