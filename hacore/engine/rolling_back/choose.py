"""Roll back: which runs that means, and by which of three ways. Needs no stack and no variable.

undo        runs that ended are undone by a run of its own, which can itself be rolled back
finish      a rollback that was cut off, or failed halfway, goes on
take back   a run that was cut off goes back by its own journal, as a failure does
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import PlanError, StoreError
from ...events import Event
from ...journal import cancelled, last_applied, way_back
from ...model import Op
from ...store import UNFINISHED, RunRecord, StateView, StateWriter, TaskRecord
from ...transport import Transport
from ..connections import Hosts
from ..recover_spill import take_in
from ..request import RollbackRequest
from ..results import RollbackResult, WayBack
from .preflight import Approve, Means
from .undo_finished import finish, undo
from .undo_unfinished import take_back


async def rollback(request: RollbackRequest, *, approve: Approve, stop: asyncio.Event | None = None) -> RollbackResult:
    """Undo the last applied run that stands, or all runs from `request.run` on. Raises like `apply`.

    Refuses when hosts were changed since, unless `force`. An interrupted run is undone by its own journal, an
    interrupted rollback is finished (or undone, if `run` names it).
    """
    listener = request.listener
    began = time.monotonic()
    async with await StateWriter.open(request.state_url, who=request.who, what="rollback") as writer:
        await take_in(writer, lambda message: listener(Event("warning", message)))
        way = choose(writer, request.run)
        hosts = Hosts(Transport(listener=listener, password=request.password), listener, request.connect, whole=True)
        means = Means(request, writer, hosts, approve, stop)
        try:
            if way.how is WayBack.TAKE_BACK:
                result = await take_back(way.runs[0], means)
            elif way.how is WayBack.FINISH:
                result = await finish(way.runs[0], means)
            else:
                result = await undo(way.runs, means)
            return replace(result, seconds=time.monotonic() - began)
        finally:
            await hosts.close()


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """What a rollback does, and to which runs, the newest first."""

    how: WayBack
    runs: tuple[RunRecord, ...]


def choose(state: StateView, wanted: int | None) -> RollbackTarget:
    """The way back. Raises StoreError when there is none, PlanError when another one must be gone first."""
    runs = state.runs()
    if wanted is not None and wanted not in {run.id for run in runs}:
        raise StoreError(f"cannot roll back run {wanted}: it is not in the state; `hacore runs` lists what is")
    standing = way_back(runs, 0)
    newest = standing[0] if standing else None
    if newest is not None and (newest.status in UNFINISHED or _in_pieces(newest, state.tasks(newest.id))):
        if wanted is None and _goes_on(newest, state.tasks(newest.id)):
            return RollbackTarget(WayBack.FINISH, (newest,))
        if wanted in (None, newest.id):
            return RollbackTarget(WayBack.TAKE_BACK, (newest,))
        if newest.status in UNFINISHED:
            raise PlanError(
                f"cannot roll back run {wanted}: run {newest.id} ({newest.command}) is unfinished; "
                "`hacore rollback` ends that first"
            )
    last = last_applied(runs)
    before = wanted if wanted is not None else last.id if last is not None else None
    way = way_back(runs, before) if before is not None else []
    if not way:
        raise StoreError(_nothing_left(runs, wanted))
    return RollbackTarget(WayBack.UNDO, tuple(way))


def _nothing_left(runs: Sequence[RunRecord], wanted: int | None) -> str:
    if wanted is None:
        return "cannot roll back: no run is left that could be undone"
    by = cancelled(runs).get(wanted)
    why = f"run {by} undid it" if by is not None else "it went back by itself"
    again = f"; to take that back: `hacore rollback {by}`" if by is not None else ""
    return f"cannot roll back run {wanted}: {why} already, and nothing after it stands{again}"


def _goes_on(run: RunRecord, tasks: Sequence[TaskRecord]) -> bool:
    """A rollback that was cut off goes on, unless it was being taken back."""
    return run.command == "rollback" and not any(t.status in ("undo", "undoing", "undone") for t in tasks)


def _in_pieces(run: RunRecord, tasks: Sequence[TaskRecord]) -> bool:
    """Whether a run that failed left something halfway: a task in error, a host out of service, a rollback's rest."""
    if run.status != "failed":
        return False
    if run.command == "rollback":
        return any(t.status != "done" for t in tasks)
    drained = sum(t.op == Op.DRAIN.value and t.status in ("done", "error") for t in tasks)
    back = sum(t.op == Op.UNDRAIN.value and t.status == "done" for t in tasks)
    return drained > back or any(t.status in ("doing", "undo", "undoing", "error") for t in tasks)


__all__ = ["RollbackTarget", "choose", "rollback"]
