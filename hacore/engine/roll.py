"""Roll: the same work on all hosts of a pair, one after the other, each drained meanwhile.

    for each host, the one that serves last:
        drain        refused unless another member serves: nothing has happened to this host then
        act          restart a unit, reboot, or run a command
        verify       its units run, and it would take over again
        undrain

It stops at the first failure, with that host drained: the order lies on the host, and `status` shows it. Between two
hosts no lock is held. What was done is recorded as a run when it ends; a roll changes nothing that a rollback undoes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..contract import Drained, Step, quote
from ..errors import HacoreError, PlanError, RunError, UsageError
from ..store import RunRecord, StateWriter
from .connections import answered
from .drift_check import recorded_hosts
from .maintenance import DrainOrder, drain, undrain
from .maintenance_site import PAUSE, SBIN, MaintenanceSite, maintenance_site
from .means import Means
from .snapshot import last_run, read_snapshot, read_state
from .verdicts import stopped_words

COMMAND = "roll"
"""The command of its run."""

REBOOT = 15 * 60.0
"""Seconds for a host to be up again."""

SETTLE = 90.0
"""Seconds for units to run, and for a member to be able to take over."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done on each host. `text`: the unit, or the command line of the shell."""

    kind: Literal["restart", "reboot", "command"]
    text: str = ""

    def __str__(self) -> str:
        return {"restart": f"restart {self.text}", "reboot": "reboot", "command": self.text}[self.kind]


@dataclass(frozen=True, slots=True)
class Rolled:
    """What became of one host: done, failed, or not begun."""

    host: str
    status: Literal["done", "failed", "hold"]
    error: str = ""


@dataclass(frozen=True, slots=True)
class RollResult:
    """A roll, in the order of the hosts."""

    run: int
    act: Act
    hosts: tuple[Rolled, ...]

    @property
    def ok(self) -> bool:
        """Whether all hosts are done."""
        return all(one.status == "done" for one in self.hosts)


Say = Callable[[str], None]


async def roll(
    means: Means, state_url: str, act: Act, hosts: Sequence[str], say: Say, stop: asyncio.Event | None = None
) -> RollResult:
    """Act on these hosts, in this order (see `order_of`). Once `stop` is set no further host is begun.

    Raises PlanError if the first one must not be drained; nothing was done then.
    """
    started = time.time()
    done: list[Rolled] = []
    for host in hosts:
        if (done and done[-1].status != "done") or (stop is not None and stop.is_set()):
            done.append(Rolled(host, "hold"))
            continue
        try:
            await _one(means, state_url, host, act, say)
        except HacoreError as error:
            if not done and isinstance(error, UsageError | PlanError) and not isinstance(error, _DrainedError):
                raise
            done.append(Rolled(host, "failed", str(error)))
        else:
            done.append(Rolled(host, "done"))
    number = await _record(means, state_url, act, done, started)
    return RollResult(number, act, tuple(done))


def rest_of(state_url: str, run: int) -> tuple[Act, list[str]]:
    """The act of a roll, and the hosts that it did not do. Raises UsageError for another run, or if none is left."""
    found = next((r for r in read_state(state_url, keyless=True).runs if r.id == run), None)
    if found is None or found.command != COMMAND:
        raise UsageError(f"cannot resume run {run}: it is not a roll; `hacore runs` lists the runs")
    kept = found.options
    left = [str(host) for host, status in kept["hosts"] if status != "done"]
    if not left:
        raise UsageError(f"cannot resume run {run}: all of its hosts are done")
    return Act(kept["act"], kept["text"]), left


async def order_of(means: Means, state_url: str, wanted: Sequence[str]) -> list[str]:
    """These hosts (all members, if none is given), those that hold no address first.

    Raises UsageError for an unknown one.
    """
    known = list(recorded_hosts(await asyncio.to_thread(lambda: read_state(state_url, keyless=True))))
    if not known:
        raise UsageError("cannot roll: no host is recorded yet: `hacore apply` first")
    async with maintenance_site(means, state_url, next(iter(wanted), known[0]), COMMAND) as site:
        serving = {host for one in site.look.addresses for host in one.holders}
        members = {m.host for one in site.look.addresses for m in one.members}
    if unknown := [host for host in wanted if host not in known]:
        raise UsageError(f"cannot roll {unknown[0]}: the state has no such host; it has {', '.join(known)}")
    if not members:
        raise UsageError("cannot roll: no address is served by several hosts")
    return sorted(wanted or members, key=lambda host: (host in serving, host))


class _DrainedError(PlanError):
    """The host is drained, and something failed then."""


async def _one(means: Means, state_url: str, host: str, act: Act, say: Say) -> None:
    await drain(means, state_url, DrainOrder(host, reason=f"hacore roll: {act}"), say)
    say(f"{host}: drained")
    try:
        await _act(means, state_url, host, act)
        say(f"{host}: {act}: done")
        await _verified(means, state_url, host)
    except HacoreError as error:
        raise _DrainedError(f"{error}; {host} stays drained: `hacore undrain {host}` once it is good") from error
    try:
        await undrain(means, state_url, host)
    except HacoreError as error:
        raise _DrainedError(str(error)) from error
    say(f"{host}: in service")


async def _act(means: Means, state_url: str, host: str, act: Act) -> None:
    if act.kind == "reboot":
        await _reboot(means, state_url, host)
        return
    script = f"systemctl restart -- {quote(act.text)}" if act.kind == "restart" else act.text
    async with maintenance_site(means, state_url, host, COMMAND) as site:
        await site.steps(host, [(str(act), Step(script, what=str(act), deadline=600))], str(act))


async def _reboot(means: Means, state_url: str, host: str) -> None:
    """Reboot, and wait until the host answers with another boot id. Raises RunError if it does not in time."""
    async with maintenance_site(means, state_url, host, COMMAND) as site:
        before = _boot(site, host)
        link = await site.hosts.link(host)
        # in the background: the connection ends first
        await link.shell(f"{SBIN}(sleep 1; systemctl reboot || reboot) >/dev/null 2>&1 </dev/null 3>&- & exit 0")
    until = time.monotonic() + REBOOT
    while time.monotonic() < until:
        await asyncio.sleep(2 * PAUSE)
        try:
            async with maintenance_site(replace(means, listener=lambda _: None), state_url, host, COMMAND) as site:
                if _boot(site, host) not in ("", before):
                    return
        except HacoreError:
            continue
    raise RunError(f"cannot reboot {host}: it did not answer again within {REBOOT / 60:.0f} minutes")


def _boot(site: MaintenanceSite, host: str) -> str:
    facts = answered(site.statuses).get(host)
    return "" if facts is None else facts.host.boot_id


async def _verified(means: Means, state_url: str, host: str) -> None:
    """Wait until the units of a host run, and it would take over but for its drain. Raises RunError if not in time."""
    until = time.monotonic() + SETTLE
    async with maintenance_site(means, state_url, host, COMMAND) as site:
        chosen = site.maintained(host, Drained())
        while True:
            wrong = _wrong(site, host, [str(address.resource) for address in chosen])
            if not wrong:
                return
            if time.monotonic() >= until:
                raise RunError(f"cannot verify {host}: {wrong}")
            await asyncio.sleep(PAUSE)
            await site.ask()


def _wrong(site: MaintenanceSite, host: str, resources: Sequence[str]) -> str:
    if (status := site.statuses[host]).facts is None:
        return status.error
    down = [d.name for d in (site.look.daemons or {}).get(host, ()) if d.wanted and not d.up]
    if down:
        return stopped_words(down)
    for address in site.look.addresses:
        for member in address.members:
            by_drain = member.drained and member.state == "FAULT" and "drained" in member.cause
            if member.host == host and set(resources) & set(address.resources) and not (member.able or by_drain):
                return member.cause or f"it is {member.state}"
    return ""


async def _record(means: Means, state_url: str, act: Act, done: Sequence[Rolled], started: float) -> int:
    async with await StateWriter.open(state_url, who=means.who, what=COMMAND) as writer:
        last = last_run(read_snapshot(writer, keyless=True))
        ok = all(one.status == "done" for one in done)
        record = RunRecord(
            id=0,
            command=COMMAND,
            status="done" if ok else "failed",
            started=started,
            ended=time.time(),
            who=means.who,
            stack=last.stack if last else "",
            stack_digest=last.stack_digest if last else "",
            on_failure="halt",
            options={"act": act.kind, "text": act.text, "hosts": [[one.host, one.status] for one in done]},
        )
        return await writer.new_run(record, [])


__all__ = ["COMMAND", "Act", "RollResult", "Rolled", "order_of", "rest_of", "roll"]
