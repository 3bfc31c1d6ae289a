"""One scenario: act, wait, restore; the host reverts automatically if this process does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ...contract import Step
from ...drill.measured import Look, Measured
from ...errors import HacoreError, PlanError
from ...probe import steps_script
from ..maintenance_site import MaintenanceSite
from .order import DrillOrder, Rehearsed, acts
from .watch import doubled, is_back, moved, probing, single, until, watch

HOLD = 2.0
"""Seconds that the new holder serves before the cause ends."""

GRACE = 30.0
"""Seconds beyond the budgets after which the host reverts automatically."""


class NotRestoredError(PlanError):
    """A host could not be put back."""


async def play(site: MaintenanceSite, one: Rehearsed, order: DrillOrder, stop: asyncio.Event | None) -> Measured:
    """Play a scenario. Raises NotRestoredError if the host could not be put back."""
    assert one.budget is not None
    act, undo = acts(site, one)
    double = one.double.seconds if one.double is not None else 0.0
    longest = one.budget.seconds + double + (one.back.seconds if one.back is not None else 0.0) + GRACE
    looks: list[Look] = []
    acted = restored = settled = 0.0
    problem = ""
    async with probing(one, order) as (requests, cuts, begin):
        watching = asyncio.create_task(watch(site, one.address, looks, begin))
        try:
            await asyncio.sleep(order.baseline)
            await _armed(site, one.host, _arm(undo, longest))
            acted = time.monotonic() - begin
            try:
                await site.steps(one.host, [(one.scenario, act)], one.scenario)
                came = doubled if one.double is not None else moved
                await until(lambda: came(looks, acted, one.host), longest, stop)
                await asyncio.sleep(HOLD)
            except HacoreError as error:
                problem = str(error)
            finally:
                restored = time.monotonic() - begin
                await asyncio.shield(_restore(site, one, undo))
            if one.back is not None:
                await until(lambda: _over(one, looks, restored), one.back.seconds + 10.0, None)
            elif one.double is not None:
                await until(lambda: single(looks, restored), GRACE, None)
            settled = time.monotonic() - begin
            await asyncio.sleep(order.baseline)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    return Measured(
        one.scenario, one.address, one.host, order.rate, acted, restored, one.budget, one.back,
        tuple(requests), tuple(looks), problem, settled=settled,
        double=one.double, cuts=tuple(cuts),
    )  # fmt: skip


def _over(one: Rehearsed, looks: Sequence[Look], restored: float) -> bool:
    """Whether the address is where it belongs again."""
    return is_back(looks, restored, one.host) if one.partition is None else single(looks, restored)


async def _armed(site: MaintenanceSite, host: str, arm: Step) -> None:
    """Arm the watchdog over a connection of its own, and prove over the other one that it outlives it.

    logind may end what a closed connection began (logind.conf(5), KillUserProcesses). Raises PlanError, and nothing was
    done then.
    """
    first = site.hosts.anew()
    try:
        first.connect({host: site.known[host]})
        await replace(site, hosts=first).steps(host, [("arm", arm)], "arm the watchdog of")
    finally:
        await first.close()
    try:
        await site.steps(host, [("prove", Step(_PROVE))], "drill")
    except PlanError:
        await site.steps(host, [("disarm", Step(_DISARM))], "disarm the watchdog of")
        raise


_ARM = """
systemctl stop hacore-watch.timer hacore-watch.service 2>/dev/null || :
systemctl reset-failed hacore-watch.timer hacore-watch.service 2>/dev/null || :
cat "$HACORE_WORK/back" >"$HACORE_RUN/watch.sh"; chmod 0700 "$HACORE_RUN/watch.sh"
systemd-run --quiet --collect --unit=hacore-watch --on-active=@seconds@s --timer-property=AccuracySec=500ms \\
  /bin/sh "$HACORE_RUN/watch.sh"
systemctl is-active --quiet hacore-watch.timer
"""
_PROVE = """
systemctl is-active --quiet hacore-watch.timer || {
  echo "hacore-watch.timer ended with the connection that began it, so the host could not revert by itself" >&2
  exit 1
}
"""
_DISARM = """
systemctl stop hacore-watch.timer 2>/dev/null || :
rm -f "$HACORE_RUN/watch.sh"
"""


def _arm(undo: Step, seconds: float) -> Step:
    """The host runs `undo` by itself after this time."""
    back = steps_script([("0", (undo,), ())], "watch", "")
    return Step(_ARM.replace("@seconds@", f"{seconds:.0f}"), {"back": back.encode()}, what="arming the watchdog")


async def _restore(site: MaintenanceSite, one: Rehearsed, undo: Step) -> None:
    """Undo, over a new connection if need be. Raises NotRestoredError with what to do by hand."""
    for again in (True, False):
        try:
            await site.steps(one.host, [("restore", undo), ("disarm", Step(_DISARM))], "restore")
        except HacoreError as error:
            if again:
                await asyncio.sleep(1.0)
                continue
            raise NotRestoredError(
                f"cannot restore {one.host}: {error}; hacore-watch.timer reverts it within a minute or so, "
                f"else on {one.host}: systemctl start keepalived, and `hacore undrain {one.host}`"
            ) from error
        return


__all__ = ["NotRestoredError", "play"]
