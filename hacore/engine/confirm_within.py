"""`apply --confirm-within`: changes are kept only if each changed host accepts a new connection.

A change of a firewall, of sshd or of the network can lock us out of a host, which an older connection
does not show. So each touched host runs a timer (probe/revert.py), and this module confirms the change
over a connection that was opened after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from ..errors import HacoreError
from ..journal import RunningTask
from ..model import Host, Status
from ..probe import HostLink
from ..probe.revert import ARMED, PUT_BACK, confirm_script, look_script, prolong_script
from ..walk import Context, Timer
from .connections import Hosts
from .request import Request

PAUSE = 1.0  # seconds between two attempts to connect
_BACK = (Status.UNDONE, Status.HOLD, Status.DO)


def timer_of(request: Request, lineage: str, what: str) -> Timer | None:
    """The timer of a run, if one is requested; `what` names the run in messages."""
    within = request.options.confirm_within
    return Timer(within, lineage, f"{what} by {request.means.who}") if within else None


@asynccontextmanager
async def prolonged(timer: Timer | None, links: Mapping[str, HostLink]) -> AsyncIterator[None]:
    """Prolong the timers of hosts that have finished their tasks while other hosts still run."""
    if timer is None:
        yield
        return
    beat = asyncio.create_task(_beat(timer, links))
    try:
        yield
    finally:
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)


async def _beat(timer: Timer, links: Mapping[str, HostLink]) -> None:
    while True:
        await asyncio.sleep(timer.within / 3)
        await _prolong(timer, links)


async def _prolong(timer: Timer, links: Mapping[str, HostLink]) -> None:
    """Prolong over the connections of the run; a host that cannot be reached reverts."""

    async def one(link: HostLink) -> None:
        with contextlib.suppress(HacoreError, TimeoutError):
            async with asyncio.timeout(timer.within / 3):
                await link.shell(prolong_script(timer.within))

    await asyncio.gather(*[one(links[name]) for name in timer.armed & links.keys()])


async def confirmed(status: str, lives: Sequence[RunningTask], ctx: Context, hosts: Hosts, *, halted: bool) -> str:
    """The status of a run, once its hosts have the confirmation. `halted`: a failure leaves all changes in place."""
    timer = ctx.timer
    if timer is None or not timer.armed:
        return status
    if status == "done" or (status == "failed" and halted):
        await _prolong(timer, ctx.links)
        reasons = await _confirm(timer, ctx.hosts, hosts.anew)
        if not reasons:
            return status
        found = "; ".join(f"{name}: {why}" for name, why in sorted(reasons.items()))
        why, left, status = f"{timer.what} is not confirmed: {found}", sorted(timer.armed), "interrupted"
    else:
        left = await _disarm_undone(timer, lives, ctx.links)
        if not left:
            return status
        why = f"{timer.what} could not be undone everywhere"
    verb = "reverts" if len(left) == 1 else "revert"
    ctx.say(
        "warning",
        f"{why}; {' and '.join(left)} {verb} automatically within {timer.within}s; run `hacore rollback` afterwards "
        "to undo the run in the state and on all other hosts",
    )
    return status


async def _confirm(timer: Timer, known: Mapping[str, Host], fresh: Callable[[], Hosts]) -> dict[str, str]:
    """Open new connections to all armed hosts, and confirm only when all of them answered.

    Gives the reasons why not, by host. Tries for as long as the hosts wait.
    """
    over = time.monotonic() + timer.within - 2 * PAUSE  # before the first host gives up
    links: dict[str, HostLink] = {}
    pools: list[Hosts] = []
    try:
        while True:
            pools.append(fresh())
            missing = {name: known[name] for name in sorted(timer.armed - links.keys())}
            found, reasons = await _reach(pools[-1], missing, max(1.0, over - time.monotonic()))
            links.update(found)
            if not reasons or time.monotonic() + PAUSE >= over:
                break
            await asyncio.sleep(PAUSE)
        for script in (look_script(), confirm_script()):
            reasons = reasons or await _ask_all(links, script)
        return reasons
    finally:
        await asyncio.gather(*[pool.close() for pool in pools])


async def _ask_all(links: Mapping[str, HostLink], script: str) -> dict[str, str]:
    answers = await asyncio.gather(*[_ask(link, script) for link in links.values()])
    return {name: why for name, why in zip(links, answers, strict=True) if why}


async def _reach(pool: Hosts, hosts: Mapping[str, Host], seconds: float) -> tuple[dict[str, HostLink], dict[str, str]]:
    pool.connect(hosts)
    found: dict[str, HostLink] = {}
    reasons: dict[str, str] = {}

    async def one(name: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                found[name] = await pool.link(name)
        except TimeoutError:
            reasons[name] = "no new connection in time"
        except HacoreError as error:
            reasons[name] = str(error)

    await asyncio.gather(*[one(name) for name in hosts])
    return found, reasons


async def _ask(link: HostLink, script: str) -> str:
    """Why a host does not keep the change; empty if it does."""
    try:
        output = await link.shell(script)
    except HacoreError as error:
        return str(error)
    if output.rc == ARMED:
        return ""
    if output.rc == PUT_BACK:
        return f"its timer expired: {output.text.strip() or 'reverted automatically'}"
    return "no pending confirmation on this host (was it rebooted?)"


async def _disarm_undone(timer: Timer, lives: Sequence[RunningTask], links: Mapping[str, HostLink]) -> list[str]:
    """Stop the timers of hosts where all was undone over the old connections. The names of the others."""
    half = {str(live.task.host) for live in lives if live.status not in _BACK}
    whole = {name: links[name] for name in timer.armed - half if name in links}
    left = await _ask_all(whole, confirm_script())
    return sorted(timer.armed - whole.keys() | left.keys())


__all__ = ["confirmed", "timer_of"]
