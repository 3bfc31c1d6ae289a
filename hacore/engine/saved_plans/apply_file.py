"""Applying a saved plan: once, and only if all that it rests on is still so.

1 read       the file; what it was made of: the stack's sources and secret values, the state
2 lock       the state, then each host
3 look       probe, plan again, compare with the file: any difference refuses it, by address
4 walk       as any run
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import PlanError, StalePlanError
from ...model import digest
from ...plan import Plan
from ...plan.differences import Difference, differences
from ...plan.saved_format import plan_to_json
from ...store import StateWriter, row_to_json
from ..planning import Session, hosts_of, open_session
from ..request import Request, state_url_of
from ..results import Planned, RunResult
from ..run import Approve, Run, check_applyable
from ..snapshot import StateSnapshot, last_run, read_state
from .read import SavedPlan, seal_of, stack_of

SHOWN = 20  # differences in a message


def state_of(saved: SavedPlan, request: Request) -> str:
    """Where the state lies: as told, else as the plan says, else as its stack says."""
    from ...load.find import absolute_state

    if request.state_url is not None:
        return absolute_state(request.state_url, Path.cwd())
    return saved.state or state_url_of(request.file, env_name=saved.stack["env"])


async def apply_saved(
    saved: SavedPlan,
    request: Request,
    *,
    stop: asyncio.Event | None = None,
) -> RunResult:
    """Do what a saved plan says, and nothing else. Nobody is asked: that was done when it was made.

    Raises StalePlanError (with the addresses) when it was applied already or when anything it rests
    on is not so any more; PlanError, UnreachableError and what else prevents a run from beginning.
    """
    began = time.monotonic()
    options = request.options
    check_applyable(saved.plan, options)
    request = replace(request, selection=saved.plan.selection, env_name=saved.stack["env"])
    url = state_of(saved, request)
    stack, different = await asyncio.to_thread(stack_of, saved, request, url)
    memory = await asyncio.to_thread(read_state, url)
    _check_state(saved, memory)
    if different:
        raise stale(saved, different)
    without = {name: saved.plan.hosts[name].error for name in saved.plan.unreachable}
    destroy = saved.plan.command == "destroy"
    async with open_session(request, destroy=destroy, stack=stack, without=without) as session:
        planned = Planned(saved.plan, session.stack, last_run(memory), None, session.phases, memory.rows)
        if saved.plan.empty and not saved.plan.has_housekeeping:
            return RunResult(None, "nothing", planned, outputs=saved.plan.outputs, seconds=time.monotonic() - began)
        session.connect(hosts_of(session.stack, memory))
        async with await StateWriter.open(url, who=request.who, what=saved.plan.command) as writer:
            run = SavedRun(saved, session, writer, request, stop)
            return replace(await run.go(planned, _nobody), seconds=time.monotonic() - began)


class SavedRun(Run):
    """A run that does what a saved plan says, or refuses."""

    def __init__(self, saved: SavedPlan, session: Session, *given: Any) -> None:
        super().__init__(session, *given)
        self.saved = saved

    def recorded_options(self) -> dict[str, Any]:
        """That this plan was applied."""
        return {**super().recorded_options(), "plan": self.saved.id}

    def _remembered(self, shown: Planned, unfinished: int | None) -> StateSnapshot:
        memory = super()._remembered(shown, unfinished)
        _check_state(self.saved, memory)
        return memory

    async def _agreed(self, shown: Planned, made: Plan, memory: StateSnapshot, approve: Approve) -> Planned:  # noqa: ARG002
        now = plan_to_json(made, seal_of(self.saved, self.session.stack.state))
        found = differences(self.saved.content["plan"], now)
        if found:
            raise stale(self.saved, found)
        return Planned(made, self.session.stack, last_run(memory), None, self.session.phases, memory.rows)


async def _nobody(_planned: Planned, _why: str) -> bool:
    raise AssertionError("a saved plan is not asked about")


def _check_state(saved: SavedPlan, memory: StateSnapshot) -> None:
    """Whether the state is the one that the plan was made of, as it was then."""
    done = next((run for run in memory.runs if run.options.get("plan") == saved.id), None)
    if done is not None:
        raise StalePlanError(
            f"cannot apply {saved.path}: it was applied already, as run {done.id}; a plan is applied once: "
            "make a new one with `hacore plan --out FILE`",
            [str(c.address) for c in saved.plan.changes],
        )
    if memory.unfinished is not None:
        raise PlanError(
            f"cannot apply {saved.path}: run {memory.unfinished.id} is unfinished; go on with it with "
            "`hacore apply --resume`, or take it back with `hacore rollback`"
        )
    if saved.plan.lineage not in ("", memory.lineage):
        raise stale(saved, [Difference(str(c.address), "the state is another one now") for c in saved.plan.changes])
    if saved.plan.serial != memory.serial:
        rows = {str(address): digest(row_to_json(row)) for address, row in memory.rows.items()}
        raise stale(saved, _rows(saved.content["rows"], rows, saved.plan), _since(saved, memory))


def _rows(before: Mapping[str, str], now: Mapping[str, str], plan: Plan) -> list[Difference]:
    """The rows that were written since; when all are as they were, whatever the plan is about."""
    found = []
    for address in sorted({*before, *now}):
        if address not in now:
            found.append(Difference(address, "is not recorded any more"))
        elif before.get(address) != now[address]:
            found.append(Difference(address, "was recorded afresh" if address in before else "is recorded now"))
    return found or [Difference(str(c.address), "was changed and brought back since") for c in plan.changes]


def _since(saved: SavedPlan, memory: StateSnapshot) -> str:
    serials = f"the state has serial {memory.serial} now, the plan is of {saved.plan.serial}"
    runs = [f"run {r.id}, {r.command} by {r.who}" for r in memory.runs if r.started >= saved.made]
    return f"{serials} ({'; '.join(runs[-3:])})" if runs else serials


def stale(saved: SavedPlan, found: Sequence[Difference], why: str = "") -> StalePlanError:
    """The refusal, naming what is not as it was."""
    lines = [f"  {difference}" for difference in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more")
    head = f"cannot apply {saved.path}: it rests on something that has changed"
    told = "\n".join([f"{head}{f': {why}' if why else ''}", *lines])
    return StalePlanError(
        f"{told}\nNothing was done. Make a new plan with `hacore plan --out FILE`", [d.address for d in found]
    )


__all__ = ["SavedRun", "apply_saved", "stale", "state_of"]
