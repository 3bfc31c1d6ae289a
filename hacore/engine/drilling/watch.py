"""The two observers of a scenario: the prober, a process of its own, and checks of who holds the address."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ...contract import quote
from ...drill import prober
from ...drill.measured import Cut, Look, Request
from ...errors import HacoreError, PlanError
from ..maintenance_site import SBIN, MaintenanceSite
from .order import DrillOrder, Rehearsed

LOOK = 0.2
"""Seconds between two checks of who holds the address."""

SURE = 5
"""Checks in a row with one holder after which a partition is over."""


@asynccontextmanager
async def probing(one: Rehearsed, order: DrillOrder) -> AsyncIterator[tuple[list[Request], list[Cut], float]]:
    """The prober beside the scenario; its requests are complete after the block."""
    requests: list[Request] = []
    cuts: list[Cut] = []
    check = one.check
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(Path(prober.__file__)), "--open",
        check.http, str(check.status), str(order.rate), check.host,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None and child.stdin is not None
    if await child.stdout.readline() != b'"up"\n':
        raise PlanError("cannot drill: the prober did not start")
    begin = time.monotonic()

    async def read() -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            match json.loads(line):
                case ["cut", at, word, reason]:
                    cuts.append(Cut(at, word, reason))
                case [at, took, lost]:
                    requests.append(Request(at, took, lost))

    reading = asyncio.create_task(read())
    try:
        yield requests, cuts, begin
    finally:
        child.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(reading, 10.0)
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.terminate()
            await child.wait()
        requests.sort(key=lambda request: request.at)


async def watch(site: MaintenanceSite, address: str, looks: list[Look], begin: float) -> None:
    """Who holds the address, again and again, over the connections that are there."""
    hosts = sorted({m.host for a in site.look.addresses if a.address == address for m in a.members})
    script = f"{SBIN}ip -o addr show to {quote(address)} 2>/dev/null | grep -qv ' lo ' && echo held || :"

    async def held(host: str) -> bool:
        try:
            return b"held" in (await (await site.hosts.link(host)).shell(script)).stdout
        except HacoreError:
            return False

    while True:
        answers = await asyncio.gather(*[held(host) for host in hosts])
        looks.append(Look(time.monotonic() - begin, tuple(h for h, yes in zip(hosts, answers, strict=True) if yes)))
        await asyncio.sleep(LOOK)


def moved(looks: Sequence[Look], since: float, holder: str) -> bool:
    """Whether another host alone held the address lately."""
    return any(o.at >= since and len(o.holders) == 1 and o.holders[0] != holder for o in looks[-3:])


def doubled(looks: Sequence[Look], since: float, holder: str) -> bool:
    """Whether another host held the address as well lately."""
    return any(o.at >= since and any(host != holder for host in o.holders) for o in looks[-3:])


def single(looks: Sequence[Look], since: float) -> bool:
    """Whether one host alone held the address in several checks in a row."""
    late = [o for o in looks[-SURE:] if o.at >= since]
    return len(late) == SURE and all(o.holders == late[0].holders and len(o.holders) == 1 for o in late)


def is_back(looks: Sequence[Look], since: float, holder: str) -> bool:
    """Whether the holder of before held it alone lately."""
    return any(o.at >= since and o.holders == (holder,) for o in looks[-3:])


async def until(test: Callable[[], bool], seconds: float, stop: asyncio.Event | None) -> None:
    """Wait for a condition, at most `seconds`; Ctrl-C ends it."""
    end = time.monotonic() + seconds
    while not test() and time.monotonic() < end and not (stop is not None and stop.is_set()):  # noqa: ASYNC110
        await asyncio.sleep(LOOK / 2)


__all__ = ["LOOK", "doubled", "is_back", "moved", "probing", "single", "until", "watch"]
