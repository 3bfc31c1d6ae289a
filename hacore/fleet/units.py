"""One unit of work: a verb on one stack, over the engine. Never raises for a fault of a stack or a host.

An apply that was interrupted is resumed, so a unit that begins a second time finishes what the first one began.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path

from ..engine import LoadRequest, Means, Planned, Request, RollbackPlan, apply, drift, load_stack, plan, rollback
from ..errors import HacoreError, LockedError, UnreachableError
from ..plan import Plan, plan_json
from ..secrets import Secrets
from ..store import UNFINISHED, RunRecord, StateReader
from ..urls import url_secrets
from .values import Member, Outcome, Unit

LATER = 2.0  # seconds until a stack or host that another run has locked is tried again
TRIES = 150


async def perform(unit: Unit, means: Means) -> Outcome:
    """Do a unit; what another run has locked is tried again for five minutes."""
    began = time.monotonic()
    verbs = {"plan": _plan, "apply": _apply, "drift": _drift, "rollback": _rollback}
    for left in reversed(range(TRIES)):
        try:
            outcome = await verbs[unit.verb](unit, means)
        except LockedError as error:
            if left:
                await asyncio.sleep(LATER)
                continue
            outcome = Outcome("failed", error=_shown(error, unit, means))
        except UnreachableError as error:
            outcome = Outcome("unreachable", error=_shown(error, unit, means))
        except HacoreError as error:
            outcome = Outcome("failed", error=_shown(error, unit, means))
        break
    return replace(outcome, seconds=time.monotonic() - began)


def request_of(member: Member, means: Means, *, closed: bool = False) -> Request:
    """The stack of a member with its values. `closed`: see LoadRequest."""
    load = LoadRequest(
        Path(member.file), variables=member.variables, env_name=member.env, state_url=member.state, closed=closed
    )
    return Request(load, means)


async def _state_of(unit: Unit, means: Means) -> str:
    if unit.member.state is not None:
        return unit.member.state
    return (await asyncio.to_thread(load_stack, request_of(unit.member, means))).state


async def _plan(unit: Unit, means: Means) -> Outcome:
    made = (await plan(request_of(unit.member, means))).plan
    counts = {name: n for name, n in made.summary().items() if n and name != "noop"}
    if made.unreachable:
        return Outcome("unreachable", counts=counts, error=f"no answer from {', '.join(made.unreachable)}")
    if made.empty:
        return Outcome("unchanged")
    return Outcome("differs", counts=counts, digest=_shape(made))


def _shape(made: Plan) -> str:
    """Equal for plans that do the same, whatever the hosts are called: kinds, names and actions."""
    changes = sorted((f"{one['kind']}.{one['name']}", one["action"]) for one in plan_json(made)["changes"])
    return hashlib.sha256(json.dumps(changes).encode()).hexdigest()[:12]


async def _apply(unit: Unit, means: Means) -> Outcome:
    async def yes(_planned: Planned, _why: str) -> bool:
        return True

    url = await _state_of(unit, means)
    before = await asyncio.to_thread(_newest, url)
    resume = before is not None and before.status in UNFINISHED and before.command == "apply"
    result = await apply(request_of(unit.member, means), approve=yes, resume=resume)
    counts = {name: n for name, n in result.planned.plan.summary().items() if n and name != "noop"}
    if result.ok:
        run = result.run if result.run is not None else _of_this_unit(unit, before)
        return Outcome("unchanged" if run is None else "changed", run, counts)
    errors = [task.error for task in result.tasks if task.error]
    why = "; ".join([f"run {result.run}: {result.status}", *errors[:3], *result.lost])
    return Outcome("failed", result.run, counts, error=_masked(why, unit, means))


def _of_this_unit(unit: Unit, newest: RunRecord | None) -> int | None:
    """The run in which this unit changed the stack before its coordinator ended; None if there is none."""
    if newest is None or unit.since is None or newest.started < unit.since:
        return None
    return newest.id if newest.command == "apply" and newest.status == "done" else None


def _newest(url: str) -> RunRecord | None:
    reader = StateReader.open(url)
    if reader is None:
        return None
    with reader:
        runs = reader.runs()
    return runs[-1] if runs else None


async def _drift(unit: Unit, means: Means) -> Outcome:
    report = await drift(await _state_of(unit, means), means)
    counts = {"drift": len(report.drift), "outage": len(report.outages)}
    counts = {name: n for name, n in counts.items() if n}
    if not report.complete:
        return Outcome("unreachable", counts=counts, error=f"no answer from {', '.join(sorted(report.unreachable))}")
    if not report.differs:
        return Outcome("unchanged")
    named = [str(found.address) for found in report.drift] + [str(found.address) for found in report.outages]
    return Outcome("differs", counts=counts, error=", ".join(named[:5]))


async def _rollback(unit: Unit, means: Means) -> Outcome:
    """Undo the run of a stack, only if it is the last one in effect."""

    async def yes(_plan: RollbackPlan) -> bool:
        return True

    url = await _state_of(unit, means)
    newest = await asyncio.to_thread(_newest, url)
    if newest is None:
        return Outcome("refused", error=f"run {unit.run} was not rolled back: it is not recorded")
    undone = newest.command == "rollback" and unit.run in newest.undoes
    if newest.status == "rolled_back" or (undone and newest.status == "done"):
        return Outcome("unchanged", newest.id)
    if newest.id != unit.run and not undone:
        return Outcome("refused", error=f"run {unit.run} was not rolled back: changed since by run {newest.id}")
    result = await rollback(url, means, approve=yes)
    if result.ok and not result.leftover:
        return Outcome("changed", result.run)
    errors = [task.error for task in result.tasks if task.error]
    why = "; ".join([f"rollback {result.status}", *errors[:3]])
    return Outcome("failed", result.run, error=_masked(why, unit, means))


def _shown(error: HacoreError, unit: Unit, means: Means) -> str:
    return _masked(str(error), unit, means)


def _masked(text: str, unit: Unit, means: Means) -> str:
    """Without the secrets of the stack; if it does not load, without all values that it was given."""
    secrets = Secrets(url_secrets(unit.member.state or ""))
    try:
        secrets.add(load_stack(request_of(unit.member, means)).secrets)
    except HacoreError:
        given = [value for name, value in os.environ.items() if name.startswith("HACORE_VAR_")]
        secrets.add([*given, *unit.member.variables.values()])
    return secrets.scrub(text)
