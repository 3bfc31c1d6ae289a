"""Roll back: which runs that means, and by which of three ways. Needs no stack and no variable.

undo        runs that ended are undone by a run of its own, which can itself be rolled back
finish      a rollback that was interrupted or failed is finished
undo        an interrupted run is undone by its own journal, as after a failure
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import PlanError, StoreError
from ...journal import cancelled, last_applied, way_back
from ...model import Op
from ...store import UNFINISHED, RunRecord, StateView, StateWriter, TaskRecord
from ..means import Means
from ..recover_spill import record_spilled
from ..results import RollbackResult, WayBack
from .preflight import Approve, RollbackSession
from .undo_finished import finish, undo
from .undo_unfinished import undo_unfinished


async def rollback(
    state_url: str,
    means: Means,
    *,
    approve: Approve,
    run: int | None = None,
    force: bool = False,
    no_irreversible: bool = False,
) -> RollbackResult:
    """Undo the last applied run that is in effect, or all runs down to and including `run`. Raises like `apply`.

    Refuses to overwrite what changed since, unless `force`; with `no_irreversible` also to leave an
    irreversible change behind. An interrupted run is undone, an interrupted rollback is finished
    (or undone, if `run` names it).
    """
    began = time.monotonic()
    async with await StateWriter.open(state_url, who=means.who, what="rollback") as writer:
        await record_spilled(writer, means.warn)
        target = choose(writer, run)
        hosts = means.hosts(whole=True)
        session = RollbackSession(writer, hosts, means, approve, force, no_irreversible)
        try:
            if target.how is WayBack.TAKE_BACK:
                result = await undo_unfinished(target.runs[0], session)
            elif target.how is WayBack.FINISH:
                result = await finish(target.runs[0], session)
            else:
                result = await undo(target.runs, session)
            return replace(result, seconds=time.monotonic() - began)
        finally:
            await hosts.close()


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """What a rollback does, and to which runs, the newest first."""

    how: WayBack
    runs: tuple[RunRecord, ...]


def choose(state: StateView, wanted: int | None) -> RollbackTarget:
    """What to roll back. Raises StoreError when nothing is left, PlanError when another run must be ended first."""
    runs = state.runs()
    if wanted is not None and wanted not in {run.id for run in runs}:
        raise StoreError(f"cannot roll back run {wanted}: it is not recorded; `hacore runs` lists the runs")
    standing = way_back(runs, 0)
    newest = standing[0] if standing else None
    if newest is not None and (newest.status in UNFINISHED or _is_partial(newest, state.tasks(newest.id))):
        if wanted is None and _can_be_finished(newest, state.tasks(newest.id)):
            return RollbackTarget(WayBack.FINISH, (newest,))
        if wanted in (None, newest.id):
            return RollbackTarget(WayBack.TAKE_BACK, (newest,))
        if newest.status in UNFINISHED:
            raise PlanError(
                f"cannot roll back run {wanted}: run {newest.id} ({newest.command}) was interrupted; "
                "end it first with `hacore rollback`"
            )
    last = last_applied(runs)
    before = wanted if wanted is not None else last.id if last is not None else None
    way = way_back(runs, before) if before is not None else []
    if not way:
        raise StoreError(_nothing_left(runs, wanted))
    return RollbackTarget(WayBack.UNDO, tuple(way))


def _nothing_left(runs: Sequence[RunRecord], wanted: int | None) -> str:
    if wanted is None:
        return "cannot roll back: no run is left to undo"
    if any(run.id == wanted and run.command in ("roll", "drill") for run in runs):
        return f"cannot roll back run {wanted}: it is a roll or a drill, which changes nothing that can be undone"
    by = cancelled(runs).get(wanted)
    why = f"run {by} undid it" if by is not None else "it was undone when it failed"
    again = f"; to undo run {by}: `hacore rollback {by}`" if by is not None else ""
    return f"cannot roll back run {wanted}: {why}, and no later run is in effect{again}"


def _can_be_finished(run: RunRecord, tasks: Sequence[TaskRecord]) -> bool:
    """An interrupted rollback is finished, unless it was itself being undone."""
    return run.command == "rollback" and not any(t.status in ("undo", "undoing", "undone") for t in tasks)


def _is_partial(run: RunRecord, tasks: Sequence[TaskRecord]) -> bool:
    """Whether a failed run left a task in error, a host out of service, or a rollback's remaining tasks."""
    if run.status != "failed":
        return False
    if run.command == "rollback":
        return any(t.status != "done" for t in tasks)
    drained = sum(t.op == Op.DRAIN.value and t.status in ("done", "error") for t in tasks)
    back = sum(t.op == Op.UNDRAIN.value and t.status == "done" for t in tasks)
    return drained > back or any(t.status in ("doing", "undo", "undoing", "error") for t in tasks)


__all__ = ["RollbackTarget", "choose", "rollback"]
