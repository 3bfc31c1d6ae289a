"""Apply: plan, ask, lock, plan again from a fresh probe, walk, and look whether it is true.

1 plan           read only, shown to the user
2 approve        the literal yes
3 lock           the state, then each host
4 plan again     equal to what was shown, or it is shown and asked again
5 walk           tasks, each move one transaction
6 look           probe the hosts again: the plan must be empty now
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from ..errors import Cancelled, HacoreError, LockedError, PlanError
from ..events import Event
from ..plan import Selection
from ..store import LockInfo, RunRecord, StateWriter
from ..store.holder import is_dead
from .ownership import check_ownership
from .planning import Session, open_session
from .recover_spill import take_in_at
from .request import Request
from .results import Planned, RunResult
from .resumed_run import Resumed, read_left, shown_left
from .run import Approve, Run, check_applyable, same_plan
from .snapshot import StateSnapshot, last_run, read_state


async def apply(
    request: Request,
    *,
    approve: Approve,
    stop: asyncio.Event | None = None,
) -> RunResult:
    """Make the hosts what the stack says. `approve` is not called when there is nothing to do.

    How to apply is in `request.options`; with its `resume` an interrupted run continues, and stays one run. Raises
    what prevents a run from
    beginning (StackError, PlanError, LockedError, ...); once it has begun its faults are in the
    result.
    """
    began = time.monotonic()
    options = request.options
    if options.resume:
        return await _resume(request, approve, stop, began)
    async with open_session(request, destroy=options.destroy) as session:
        memory = await asyncio.to_thread(read_state, session.stack.state)
        if memory.unfinished is not None:
            raise _unfinished(memory.unfinished, memory.lock)
        made, _ = await session.plan(memory)
        planned = Planned(made, session.stack, last_run(memory), memory.unfinished, session.phases)
        check_ownership(made.ownership, session.command, take_over=options.take_over)
        check_applyable(made, options)
        if made.empty and not made.has_housekeeping:
            return RunResult(None, "nothing", planned, outputs=made.outputs, seconds=time.monotonic() - began)
        if not made.empty and not await approve(planned, ""):
            raise Cancelled("apply cancelled")
        what = "destroy" if options.destroy else "apply"
        async with await StateWriter.open(session.stack.state, who=request.who, what=what) as writer:
            run = Run(session, writer, request, stop)
            return replace(await run.go(planned, approve), seconds=time.monotonic() - began)


async def _resume(
    request: Request,
    approve: Approve,
    stop: asyncio.Event | None,
    began: float,
) -> RunResult:
    options = request.options
    async with open_session(request) as session:
        url = session.stack.state
        await take_in_at(url, request.who, lambda message: request.listener(Event("warning", message)))
        memory = await asyncio.to_thread(read_state, url)
    run = memory.unfinished
    if run is None:
        raise PlanError("cannot resume: no run is unfinished")
    if run.command == "rollback":
        raise PlanError(
            f"cannot resume: run {run.id} is a rollback; finish it with `hacore rollback`, "
            f"or take it back with `hacore rollback {run.id}`"
        )
    request = replace(request, selection=Selection.of_options(run.options))
    async with open_session(request, destroy=run.command == "destroy") as session:
        session.named = None  # it was checked when the run began
        planned, doubt = await _shown(session, memory, run)
        check_ownership(planned.plan.ownership, "resume", take_over=options.take_over)
        check_applyable(planned.plan, options)
        if (doubt or not planned.plan.empty) and not await approve(planned, ""):
            raise Cancelled(f"{run.command} cancelled")
        async with await StateWriter.open(session.stack.state, who=request.who, what=run.command) as writer:
            resumed = Resumed(run, session, writer, request, stop)
            return replace(await resumed.go(planned, approve), seconds=time.monotonic() - began)


async def _shown(session: Session, memory: StateSnapshot, run: RunRecord) -> tuple[Planned, bool]:
    """The plan that goes on with a run, and whether something of it must be taken back first."""
    providers = session.request.providers
    left = await asyncio.to_thread(read_left, session.stack.state, run.id, providers, memory)
    made, _ = await session.plan(memory, left.actions)
    return Planned(made, session.stack, last_run(memory), run, session.phases), shown_left(left, made, providers)


def _unfinished(run: RunRecord, lock: LockInfo | None) -> HacoreError:
    if lock is not None and not is_dead(lock):
        return LockedError(f"cannot apply: run {run.id} is under way, by {lock}; wait for it, or see `hacore unlock`")
    if run.command == "rollback":
        return PlanError(
            f"cannot apply: run {run.id} (rollback by {run.who}) is unfinished; finish it with `hacore rollback`, "
            f"or take it back with `hacore rollback {run.id}`"
        )
    return PlanError(
        f"cannot apply: run {run.id} ({run.command} by {run.who}) is unfinished; go on with it with "
        "`hacore apply --resume`, or take it back with `hacore rollback`"
    )


__all__ = ["apply", "same_plan"]
