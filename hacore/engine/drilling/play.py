"""One scenario: act, wait, restore; the host reverts automatically if this process does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

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
    double = one.partition.double.seconds if one.partition is not None else 0.0
    longest = one.budget.seconds + double + (one.back.seconds if one.back is not None else 0.0) + GRACE
    looks: list[Look] = []
    acted = restored = settled = 0.0
    problem = ""
    async with probing(one, order) as (requests, begin):
        watching = asyncio.create_task(watch(site, one.address, looks, begin))
        try:
            await asyncio.sleep(order.baseline)
            await site.steps(one.host, [("arm", _arm(undo, longest))], "arm the watchdog of")
            acted = time.monotonic() - begin
            try:
                await site.steps(one.host, [(one.scenario, act)], one.scenario)
                came = doubled if one.partition is not None else moved
                await until(lambda: came(looks, acted, one.host), longest, stop)
                await asyncio.sleep(HOLD)
            except HacoreError as error:
                problem = str(error)
            finally:
                restored = time.monotonic() - begin
                await asyncio.shield(_restore(site, one, undo))
            if one.back is not None:
                await until(lambda: _over(one, looks, restored), one.back.seconds + 10.0, None)
            settled = time.monotonic() - begin
            await asyncio.sleep(order.baseline)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    return Measured(
        one.scenario, one.address, one.host, order.rate, acted, restored, one.budget, one.back,
        tuple(requests), tuple(looks), problem, settled=settled,
        double=None if one.partition is None else one.partition.double,
    )  # fmt: skip


def _over(one: Rehearsed, looks: Sequence[Look], restored: float) -> bool:
    """Whether the address is where it belongs again."""
    return is_back(looks, restored, one.host) if one.partition is None else single(looks, restored)


_ARM = """
systemctl stop hacore-watch.timer hacore-watch.service 2>/dev/null || :
systemctl reset-failed hacore-watch.timer hacore-watch.service 2>/dev/null || :
cat "$HACORE_WORK/back" >"$HACORE_RUN/watch.sh"; chmod 0700 "$HACORE_RUN/watch.sh"
systemd-run --quiet --collect --unit=hacore-watch --on-active=@seconds@s --timer-property=AccuracySec=500ms \\
  /bin/sh "$HACORE_RUN/watch.sh"
systemctl is-active --quiet hacore-watch.timer
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
