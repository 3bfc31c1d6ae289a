"""Apply: plan, ask, lock, plan again from a fresh probe, walk, and check the result.

1 plan           read only, shown to the user
2 approve        the literal yes
3 lock           the state, then each host
4 plan again     if it differs from the plan shown, it is shown and approved again
5 walk           tasks, each move one transaction
6 check          probe the hosts again: the plan must be empty now
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from ..errors import Cancelled, HacoreError, LockedError, PlanError
from ..plan import Selection
from ..store import LockInfo, RunRecord, StateWriter
from ..store.session import holder_is_dead
from .agreement import check_members
from .drained_peers import check_drained_peers
from .ownership import check_ownership
from .planning import Session, open_session
from .recover_spill import record_spilled_at
from .request import Request
from .results import Planned, RunResult
from .resumed_run import Resumed, has_leftovers, read_unfinished
from .run import Approve, Run, check_applyable, standing
from .snapshot import StateSnapshot, last_run, read_state


async def apply(request: Request, *, approve: Approve, destroy: bool = False, resume: bool = False) -> RunResult:
    """Bring the hosts to the desired state. `approve` is not called when there is nothing to do.

    `resume` continues an interrupted run, which stays one run. Raises what prevents a run from
    beginning (StackError, PlanError, LockedError, ...); later faults are in the result.
    """
    began = time.monotonic()
    if resume:
        return await _resume(request, approve, began)
    async with open_session(request, destroy=destroy) as session:
        snapshot = await asyncio.to_thread(read_state, session.stack.state)
        if snapshot.unfinished is not None:
            raise await asyncio.to_thread(_unfinished, snapshot.unfinished, snapshot.lock, session.stack.state)
        made, _ = await session.plan(snapshot)
        planned = Planned(made, session.stack, last_run(snapshot), snapshot.unfinished, session.phases)
        check_ownership(made.ownership, session.command, take_over=request.options.take_over)
        check_applyable(made, request.options)
        check_members(made, standing(snapshot, made), session, snapshot.seal)
        check_drained_peers(made, session.request.means.providers)
        if made.empty and not made.has_housekeeping:
            return RunResult(None, "nothing", planned, outputs=made.outputs, seconds=time.monotonic() - began)
        if not made.empty and not await approve(planned, ""):
            raise Cancelled("apply cancelled")
        what = "destroy" if destroy else "apply"
        async with await StateWriter.open(session.stack.state, who=request.means.who, what=what) as writer:
            return replace(await Run(session, writer).go(planned, approve), seconds=time.monotonic() - began)


async def _resume(request: Request, approve: Approve, began: float) -> RunResult:
    me, options = request.means.who, request.options
    async with open_session(request) as session:
        url = session.stack.state
        await record_spilled_at(url, me, request.means.warn)
        snapshot = await asyncio.to_thread(read_state, url)
    run = snapshot.unfinished
    if run is None:
        raise PlanError("cannot resume: no run was interrupted")
    if run.command == "rollback":
        raise PlanError(
            f"cannot resume: run {run.id} is a rollback; finish it with `hacore rollback`, "
            f"or undo it with `hacore rollback {run.id}`"
        )
    request = replace(request, selection=Selection.of_options(run.options))
    async with open_session(request, destroy=run.command == "destroy") as session:
        session.named = None  # the selection was checked when the run began
        session.run = run.id
        planned, leftovers = await _shown(session, snapshot, run)
        check_ownership(planned.plan.ownership, "resume", take_over=options.take_over)
        check_applyable(planned.plan, options)
        if (leftovers or not planned.plan.empty) and not await approve(planned, ""):
            raise Cancelled(f"{run.command} cancelled")
        async with await StateWriter.open(session.stack.state, who=me, what=run.command) as writer:
            resumed = Resumed(run, session, writer)
            return replace(await resumed.go(planned, approve), seconds=time.monotonic() - began)


async def _shown(session: Session, snapshot: StateSnapshot, run: RunRecord) -> tuple[Planned, bool]:
    """The plan that continues a run, and whether some of its tasks must be undone first."""
    providers = session.request.means.providers
    left = await asyncio.to_thread(read_unfinished, session.stack.state, run.id, providers, snapshot)
    made, _ = await session.plan(snapshot, left.actions)
    return Planned(made, session.stack, last_run(snapshot), run, session.phases), has_leftovers(left, made, providers)


def _unfinished(run: RunRecord, lock: LockInfo | None, url: str) -> HacoreError:
    if lock is not None and not holder_is_dead(url, lock):
        return LockedError(f"cannot apply: run {run.id} is in progress, by {lock}; wait for it, or see `hacore unlock`")
    if run.command == "rollback":
        return PlanError(
            f"cannot apply: run {run.id} (rollback by {run.who}) was interrupted; finish it with `hacore rollback`, "
            f"or undo it with `hacore rollback {run.id}`"
        )
    return PlanError(
        f"cannot apply: run {run.id} ({run.command} by {run.who}) was interrupted; resume with "
        "`hacore apply --resume`, or undo with `hacore rollback`"
    )


__all__ = ["apply"]
