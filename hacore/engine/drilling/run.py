"""Drill: cause a fail-over of a served address, measure it from outside, and put everything back.

    baseline     requests only: none may be lost
    arm          the host reverts automatically if this process does not (systemd-run, hacore-watch)
    act          drain the holder, stop its daemon, stop what it serves, or drop what the members send each other
    wait         until another host holds the address
    restore      the mirror; then the watchdog is taken away
    wait         until the address is back, where the configuration provides for it
    baseline

Every way out restores: a failure, Ctrl-C, a lost connection (the watchdog does), a killed controller (the watchdog
does). Nothing is begun unless each address is healthy and another member would take over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from ...drill.measured import Measured, measured_json, verdict
from ...drill.timeline import timeline, timeline_json
from ...errors import UsageError
from ...store import RunRecord, StateWriter
from ..drift_check import recorded_hosts
from ..maintenance_site import MaintenanceSite, maintenance_site
from ..means import Means
from ..snapshot import last_run, read_snapshot, read_state
from .fit import check_fit
from .order import DrillOrder, Rehearsed, rehearsed, targets
from .play import NotRestoredError, play

COMMAND = "drill"
"""The command of its run."""

SETTLE = 60.0
"""Seconds for a pair to be healthy again after a scenario."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """A drill. `restored` False: a host could not be put back, `problem` is why, and what to do by hand."""

    run: int
    order: DrillOrder
    scenarios: tuple[Measured, ...]
    findings: tuple[str, ...] = ()
    restored: bool = True
    problem: str = ""
    started: float = 0.0
    stack: str = ""

    @property
    def verdict(self) -> str:
        """passed, failed or void."""
        if self.findings:
            return "failed"
        return verdict(self.scenarios)


Approve = Callable[[Sequence[Rehearsed]], Awaitable[bool]]
Say = Callable[[str], None]


async def drill(
    means: Means, state_url: str, order: DrillOrder, approve: Approve, say: Say, stop: asyncio.Event | None = None
) -> DrillResult | None:
    """Play the scenarios one after the other; None if the user does not approve. Once `stop` is set none is begun.

    Raises UsageError or PlanError where the pair is not fit for a drill; nothing was done then.
    """
    started = time.time()
    known = list(recorded_hosts(await asyncio.to_thread(lambda: read_state(state_url, keyless=True))))
    if not known:
        raise UsageError("cannot drill: no host is recorded yet: `hacore apply` first")
    async with maintenance_site(means, state_url, known[0], COMMAND) as site:
        plan = [rehearsed(site, address, word, order) for address in targets(site, order) for word in order.scenarios]
        await check_fit(site, plan)
    if not await approve(plan):
        return None
    done: list[Measured] = []
    findings = [one.finding for one in plan if one.finding]
    problem = ""
    for host in dict.fromkeys(one.host for one in plan):  # each with the lock of its holder
        async with maintenance_site(means, state_url, host, COMMAND) as site:
            problem = await _played(site, [one for one in plan if one.host == host], order, done, findings, say, stop)
        if problem:
            break
    return await _recorded(
        means, state_url, DrillResult(0, order, tuple(done), tuple(findings), not problem, problem, started)
    )


async def _played(
    site: MaintenanceSite,
    plan: Sequence[Rehearsed],
    order: DrillOrder,
    done: list[Measured],
    findings: list[str],
    say: Say,
    stop: asyncio.Event | None,
) -> str:
    """Play what is planned for one host, and add to `done` and `findings`; why the host could not be put back."""
    for one in plan:
        if one.finding or (stop is not None and stop.is_set()):
            continue
        if any(a.address == one.address and a.holders != (one.host,) for a in site.look.addresses):
            findings.append(f"{one.scenario}: {one.address} is no longer held by {one.host}: drill again")
            continue
        say(f"{one.scenario}: {one.address} is held by {one.host}")
        try:
            done.append(await play(site, one, order, stop))
        except NotRestoredError as error:
            return str(error)
        say(f"{one.scenario}: {_short(done[-1])}")
        await _healthy(site)
    return ""


def _short(one: Measured) -> str:
    failures = [one.void] if one.void else list(one.failures())
    return "; ".join(failures) if failures else f"passed, {len(one.lost)} of {len(one.requests)} requests lost"


async def _healthy(site: MaintenanceSite) -> None:
    """Wait until the pair is healthy again."""
    end = time.monotonic() + SETTLE
    while time.monotonic() < end:
        await site.ask()
        if all(address.verdict == "healthy" for address in site.look.addresses):
            return
        await asyncio.sleep(1.0)


async def _recorded(means: Means, state_url: str, result: DrillResult) -> DrillResult:
    """The result with the number of its run, and the name of its stack."""
    async with await StateWriter.open(state_url, who=means.who, what=COMMAND) as writer:
        last = last_run(read_snapshot(writer, keyless=True))
        record = RunRecord(
            id=0,
            command=COMMAND,
            status="done" if result.verdict == "passed" and result.restored else "failed",
            started=result.started,
            ended=time.time(),
            who=means.who,
            stack=last.stack if last else "",
            stack_digest=last.stack_digest if last else "",
            on_failure="halt",
            options={
                "verdict": result.verdict if result.restored else "not restored",
                "rate": result.order.rate,
                "scenarios": [
                    {**measured_json(one), "timeline": timeline_json(timeline(one))} for one in result.scenarios
                ],
                "findings": list(result.findings),
            },
        )
        return replace(result, run=await writer.new_run(record, []), stack=record.stack)


__all__ = ["COMMAND", "DrillResult", "drill"]
