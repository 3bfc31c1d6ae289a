"""The rule of the holders: what one host held before a run is held by exactly one host after each set of reloads.

A daemon that has loaded a wrong configuration reports nothing: two masters that do not hear each other show only when
the time of the missing advert has passed. So the addresses are observed for that long after a set of reloads of the
kind that serves them, and once after any other. Only two bad looks in a row count.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping

from ..address import Address
from ..contract import Facts
from ..errors import DoubtError, HacoreError, ProbeError, TransportError
from ..journal import RunningTask
from .context import Context
from .held import HeldAddresses
from .steps import Failed
from .work import fresh_view

PAUSE = 1.0
"""Seconds between two looks."""

LONGEST = 60.0
"""Seconds that a run waits for an address to move to where it stays."""

MARGIN = 5.0
"""Seconds that a move may take longer than its timers."""


async def check_held(live: RunningTask, ctx: Context) -> Failed | None:
    """After the last task of a set: the failure, if an address is lost or doubled."""
    if not ctx.must_hold.holders or live.task.host is None:
        return None
    own = any(address.kind == live.task.kind for address in ctx.must_hold.views)
    try:
        wrong = await _wrong(ctx, ctx.must_hold.settle if own else 0.0)
    except HacoreError as error:
        return Failed.of(error)
    return Failed("; ".join(wrong)) if wrong else None


async def lost_addresses(ctx: Context) -> tuple[str, ...]:
    """At the end of a run: the addresses that are not held as before, in words; empty if all are."""
    if not ctx.must_hold.holders:
        return ()
    try:
        return tuple(await _wrong(ctx, 0.0, doubled_for=ctx.must_hold.elect))
    except HacoreError as error:
        return (f"the holders of {', '.join(ctx.must_hold.holders)} are not known: {error}",)


async def await_moves(ctx: Context, changed: Collection[Address]) -> tuple[str, ...]:
    """At the end of a run: wait until the addresses of the changed resources are where their configuration puts them.

    At most LONGEST seconds. What is still on its way, or has not moved, in words.
    """
    resources = {address.at(None) for address in changed}
    moves: dict[str, tuple[str, float]] = {}
    for address, view in ctx.must_hold.views.items():
        held = ctx.providers[address.kind].held(view) if address.at(None) in resources else None
        moves.update(held.moves if held is not None else {})
    late = [f"{name} will move to {to} in about {s:.0f} s" for name, (to, s) in moves.items() if s > LONGEST]
    soon = {name: (to, s) for name, (to, s) in moves.items() if s <= LONGEST}
    end = time.monotonic() + min(LONGEST, 2 * max((s for _, s in soon.values()), default=0.0) + MARGIN)
    while soon:
        found, _ = await _look(ctx)
        soon = {name: (to, s) for name, (to, s) in soon.items() if name not in found.get(to, frozenset())}
        if not soon or time.monotonic() >= end:
            break
        await asyncio.sleep(PAUSE)
    return (*late, *(f"{name} has not moved to {to}, which has the higher priority" for name, (to, _) in soon.items()))


async def _wrong(ctx: Context, span: float, *, doubled_for: float = PAUSE) -> list[str]:
    """Look for `span` seconds. What is lost is waited for as long as an election takes, a double for `doubled_for`.

    At least two looks in a row must be bad.
    """
    began = time.monotonic()
    bad_since: float | None = None
    while True:
        found, silent = await _look(ctx)
        wrong = list(_words(ctx.must_hold, found, silent))
        now = time.monotonic()
        if wrong:
            bad_since = now if bad_since is None else bad_since
            doubled = any(sum(name in on for on in found.values()) > 1 for name in ctx.must_hold.holders)
            if now - bad_since >= max(doubled_for if doubled else ctx.must_hold.elect, PAUSE):
                return wrong
        else:
            bad_since = None
            if now - began >= span:
                for host in silent:
                    ctx.say("warning", f"{host} did not answer: whether it holds an address as well is not known")
                return []
        await asyncio.sleep(PAUSE)


async def _look(ctx: Context) -> tuple[dict[str, frozenset[str]], list[str]]:
    """The addresses of each host, and the hosts that did not answer."""
    hosts = sorted({str(address.host) for address in ctx.must_hold.views})
    answers = await asyncio.gather(*[_ask(ctx, host) for host in hosts])
    found: dict[str, frozenset[str]] = {}
    for host, facts in zip(hosts, answers, strict=True):
        if facts is None:
            continue
        for address, view in ctx.must_hold.views.items():
            fresh = fresh_view(view, {host: facts})
            if address.host == host and fresh is not None:
                held = ctx.providers[address.kind].held(fresh)
                if held is not None:
                    found[host] = held.present
    return found, [host for host in hosts if host not in found]


async def _ask(ctx: Context, host: str) -> Facts | None:
    if host not in ctx.links:
        return None
    own = (view for address, view in ctx.must_hold.views.items() if address.host == host)
    asks = list({ask.id: ask for view in own for ask in ctx.providers[view.address.kind].facts(view.spec)}.values())
    try:
        return await ctx.ask(host, asks)
    except (DoubtError, TransportError, ProbeError):
        return None


def _words(held: HeldAddresses, found: Mapping[str, frozenset[str]], silent: Iterable[str]) -> Iterable[str]:
    unknown = bool(list(silent))
    for name, before in held.holders.items():
        now = [host for host, present in found.items() if name in present]
        if not now and not unknown:
            yield f"{name}, which {before} held before the run, is held by nobody"
        elif len(now) > 1:
            yield f"{name}, which {before} held before the run, is held by {' and '.join(now)}"


__all__ = ["await_moves", "check_held", "lost_addresses"]
