"""Daemons that an undo starts before all of their files are restored: they load once more. Pure.

A rollback over several runs may restore a file, and then delete the daemon that read it. Undone, it starts the daemon
first, with the file of the rollback. A trigger that joins the run settles after the file is restored; recorded with
the run before anything is undone, it is there as well when the undo itself is interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...address import Address
from ...graph import reach
from ...journal import RollbackInputs, RunningTask, hanging, inputs_of
from ...model import Action, Op, Row, Status
from ...plan import PlanTask

_UNTOUCHED = (Status.DO, Status.HOLD, Status.UNDONE)


def late_loads(lives: Sequence[RunningTask], target: Mapping[Address, Row], given: RollbackInputs) -> list[RunningTask]:
    """The triggers to add to a run that is undone. `target`: the rows after that; `given.rows`: those of now."""
    needs = {live.id: live.task.needs for live in lives}
    standing = [live for live in lives if live.status not in _UNTOUCHED and live.task.op is not Op.TRIGGER]
    now, back = inputs_of(given.rows, given.rows, given), inputs_of(target, given.rows, given)
    pulls: dict[Address, dict[Address, str]] = {}
    for consumer, source, op, _ in hanging(now, back, target):
        # one that is deleted is restored; what others load has triggers of the run's own
        starts = {
            live.id
            for live in standing
            for p in live.task.changes
            if (p.address, p.action) == (consumer, Action.DELETE)
        }
        later = reach(starts, needs)
        if any(source in live.before and live.id in later for live in standing):
            pulls.setdefault(consumer, {})[source] = op
    known = {live.id for live in lives}
    added: list[RunningTask] = []
    for consumer, sources in pulls.items():
        if _has_trigger(lives, consumer, set(sources)):
            continue
        op = "restart" if "restart" in sources.values() else "reload"
        id = next(name for number in range(1, len(known) + 2) if (name := f"load{number}") not in known)
        known.add(id)
        # one after the other: an undo runs against the needs
        above = (added[-1].id,) if added else ()
        task = PlanTask(
            id,
            Op.TRIGGER,
            consumer.kind,
            consumer.host,
            (consumer,),
            trigger=op,
            sources=tuple(sorted(sources)),
            needs=above,
            disrupts="restart" if op == "restart" else "reload",
        )
        added.append(RunningTask(task, status=Status.DONE, intent=True))
    return added


def _has_trigger(lives: Sequence[RunningTask], consumer: Address, sources: set[Address]) -> bool:
    """Whether a task of the run settles it already: one of its own, or of an undo that was interrupted."""
    return any(
        live.task.op is Op.TRIGGER
        and live.status not in (Status.DO, Status.HOLD)
        and live.task.addresses[0] == consumer
        and sources <= set(live.task.sources)
        for live in lives
    )


__all__ = ["late_loads"]
