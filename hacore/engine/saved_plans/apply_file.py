"""Applying a saved plan: once, and only if nothing that it was made from has changed.

1 read       the file and what it was made from: the stack's sources and secret values, the state
2 lock       the state, then each host
3 compare    probe, plan again, compare with the file: any difference refuses it, by address
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
from .authentic import check_authentic
from .read import SavedPlan, seal_of, stack_of

SHOWN = 20  # differences in a message


def state_of(saved: SavedPlan, request: Request) -> str:
    """The URL of the state: as given, else as in the plan, else as in its stack."""
    from ...load.find import absolute_state

    if request.load.state_url is not None:
        return absolute_state(request.load.state_url, Path.cwd())
    return saved.state or state_url_of(request.load.file, env_name=saved.stack["env"])


async def apply_saved(
    saved: SavedPlan, request: Request, *, signers: Path | None = None, unauthenticated: bool = False
) -> RunResult:
    """Apply a saved plan, and nothing else, without approval: the plan was reviewed when it was made.

    `signers`: a file of keys of which one must have signed the plan. `unauthenticated`: the user has accepted that
    it is not known who made it. Raises StalePlanError (with the addresses) when it was applied already or when
    anything that it was made from has changed; PlanError, UnreachableError and what else prevents a run from beginning.
    """
    began = time.monotonic()
    if not unauthenticated:
        doubt = await asyncio.to_thread(check_authentic, saved, state_of(saved, request), signers)
        if doubt:
            raise PlanError(f"cannot apply {saved.path}: {doubt}")
    check_applyable(saved.plan, request.options)
    load = replace(request.load, env_name=saved.stack["env"])
    request = replace(request, load=load, selection=saved.plan.selection)
    url = state_of(saved, request)
    stack, different = await asyncio.to_thread(stack_of, saved, request, url)
    snapshot = await asyncio.to_thread(read_state, url)
    _check_state(saved, snapshot)
    if different:
        raise stale(saved, different)
    without = {name: saved.plan.hosts[name].error for name in saved.plan.unreachable}
    destroy = saved.plan.command == "destroy"
    async with open_session(request, destroy=destroy, stack=stack, without=without) as session:
        planned = Planned(saved.plan, session.stack, last_run(snapshot), None, session.phases, snapshot.rows)
        if saved.plan.empty and not saved.plan.has_housekeeping:
            return RunResult(None, "nothing", planned, outputs=saved.plan.outputs, seconds=time.monotonic() - began)
        session.connect(hosts_of(session.stack, snapshot))
        async with await StateWriter.open(url, who=request.means.who, what=saved.plan.command) as writer:
            run = SavedRun(saved, session, writer)
            return replace(await run.go(planned, _nobody), seconds=time.monotonic() - began)


class SavedRun(Run):
    """A run that applies a saved plan, or refuses."""

    def __init__(self, saved: SavedPlan, session: Session, writer: StateWriter) -> None:
        super().__init__(session, writer)
        self.saved = saved

    def recorded_options(self) -> dict[str, Any]:
        """With the plan's id, so that it is applied only once."""
        return {**super().recorded_options(), "plan": self.saved.id}

    def _remembered(self, shown: Planned, unfinished: int | None) -> StateSnapshot:
        snapshot = super()._remembered(shown, unfinished)
        _check_state(self.saved, snapshot)
        return snapshot

    async def _agreed(self, shown: Planned, made: Plan, snapshot: StateSnapshot, approve: Approve) -> Planned:  # noqa: ARG002
        now = plan_to_json(made, seal_of(self.saved, self.session.stack.state))
        found = differences(self.saved.content["plan"], now)
        if found:
            raise stale(self.saved, found)
        return Planned(made, self.session.stack, last_run(snapshot), None, self.session.phases, snapshot.rows)


async def _nobody(_planned: Planned, _why: str) -> bool:
    raise AssertionError("a saved plan needs no approval")


def _check_state(saved: SavedPlan, snapshot: StateSnapshot) -> None:
    """Raise unless the state is the one that the plan was made from, unchanged."""
    done = next((run for run in snapshot.runs if run.options.get("plan") == saved.id), None)
    if done is not None:
        raise StalePlanError(
            f"cannot apply {saved.path}: it was already applied, as run {done.id}; a plan can be applied only "
            "once: make a new one with `hacore plan --out FILE`",
            [str(c.address) for c in saved.plan.changes],
        )
    if snapshot.unfinished is not None:
        raise PlanError(
            f"cannot apply {saved.path}: run {snapshot.unfinished.id} was interrupted; resume with "
            "`hacore apply --resume`, or undo with `hacore rollback`"
        )
    if saved.plan.lineage not in ("", snapshot.lineage):
        raise stale(
            saved, [Difference(str(c.address), "the state was replaced by another one") for c in saved.plan.changes]
        )
    if saved.plan.serial != snapshot.serial:
        rows = {str(address): digest(row_to_json(row)) for address, row in snapshot.rows.items()}
        raise stale(saved, _rows(saved.content["rows"], rows, saved.plan), _since(saved, snapshot))


def _rows(before: Mapping[str, str], now: Mapping[str, str], plan: Plan) -> list[Difference]:
    """The rows that changed since; all of the plan's changes when the rows are the same again."""
    found = []
    for address in sorted({*before, *now}):
        if address not in now:
            found.append(Difference(address, "is no longer recorded"))
        elif before.get(address) != now[address]:
            found.append(Difference(address, "was recorded again" if address in before else "is now recorded"))
    return found or [Difference(str(c.address), "was changed and restored since") for c in plan.changes]


def _since(saved: SavedPlan, snapshot: StateSnapshot) -> str:
    serials = f"the state is at serial {snapshot.serial}, the plan was made at {saved.plan.serial}"
    runs = [f"run {r.id}, {r.command} by {r.who}" for r in snapshot.runs if r.started >= saved.made]
    return f"{serials} ({'; '.join(runs[-3:])})" if runs else serials


def stale(saved: SavedPlan, found: Sequence[Difference], why: str = "") -> StalePlanError:
    """The refusal, with the differences."""
    lines = [f"  {difference}" for difference in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more")
    head = f"cannot apply {saved.path}: the state, the stack or a host has changed since it was made"
    text = "\n".join([f"{head}{f': {why}' if why else ''}", *lines])
    return StalePlanError(
        f"{text}\nNothing was done. Make a new plan with `hacore plan --out FILE`", [d.address for d in found]
    )


__all__ = ["SavedRun", "apply_saved", "stale", "state_of"]
