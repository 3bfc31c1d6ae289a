"""Health: questions that the controller asks around a run.

A check that passed before the run must pass again after it; one that failed before is a warning and
undoes nothing: the fault is not this run's.
"""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException

from ..address import Address
from ..contract import Check
from ..journal import RunningTask
from .context import Context
from .forward import POLL
from .steps import Failed


def ask(check: Check) -> str:
    """Ask once; an empty string when it passes, else the reason, which is never empty."""
    request = urllib.request.Request(check.http, headers={"User-Agent": "hacore"})  # noqa: S310 - the stack's own URL
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a VIP is never behind a proxy
    try:
        try:
            answer = opener.open(request, timeout=check.timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            status, body = answer.status, answer.read(65536)
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or f"no answer ({type(error).__name__})"
    except HTTPException as error:
        return f"no valid HTTP answer ({type(error).__name__})"
    if status != check.status:
        return f"status {status}, not {check.status}"
    if check.body and check.body.encode() not in body:
        return f"the answer does not contain {check.body!r}"
    return ""


async def ask_all(checks: Mapping[Address, Iterable[Check]]) -> dict[Address, list[tuple[Check, str]]]:
    """Ask all checks at once, each in a thread."""
    flat = [(address, check) for address, items in checks.items() for check in items]
    answers = await asyncio.gather(*[asyncio.to_thread(ask, check) for _, check in flat])
    found: dict[Address, list[tuple[Check, str]]] = {}
    for (address, check), answer in zip(flat, answers, strict=True):
        found.setdefault(address, []).append((check, answer))
    return found


async def recheck(live: RunningTask, ctx: Context) -> Failed | None:
    """After a task over all hosts: what passed before the run passes again, within the kind's patience."""
    for planned in live.task.changes:
        checks = ctx.checks.get(planned.address, ())
        patience = ctx.providers[planned.kind].patience(planned.change.spec)
        until = time.monotonic() + patience
        while checks:
            answers = (await ask_all({planned.address: checks}))[planned.address]
            bad = [(check, why) for check, why in answers if why]
            if not bad:
                break
            if time.monotonic() >= until:
                words = "; ".join(f"{check.http}: {why}" for check, why in bad)
                return Failed(f"{planned.address}: a check that passed before fails now: {words}")
            await asyncio.sleep(POLL)
    return None
