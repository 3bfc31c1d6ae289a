"""The coordinator: begins units as `decide` allows, and records each step before and after it.

When it ends early, by a signal or kill -9, units that run end, nothing new begins, and `--resume` continues from the
record: units with an outcome are never repeated, those without one begin again and find what they did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ..errors import HacoreError, StoreError
from .codec import outcome_to_json
from .engines import Engine
from .record import Book, FleetRun, digest_of
from .rollout import decide
from .spec import Fleet
from .values import GOOD, Member, Outcome, Unit, Verb

Tell = Callable[[str, Mapping[str, object]], None]
"""Progress: what happened, with values: begun, ended, soaking, checked, unclean, end."""


@dataclass
class Coordinator:
    """One rollout at work. Once `stop` is set nothing new begins."""

    book: Book
    engine: Engine
    members: Mapping[str, Member]
    tell: Tell
    stop: asyncio.Event
    _running: dict[str, asyncio.Task[Outcome]] = field(default_factory=dict)

    async def go(self, run: FleetRun) -> FleetRun:
        """Continue a run until it ends or is stopped; the run as recorded then."""
        try:
            while True:
                progress = replace(run.progress, running=frozenset(self._running))
                next_ = decide(run.waves, run.labels, run.policy, progress)
                if self.stop.is_set() and not self._running:
                    return run
                if self.stop.is_set() or next_.do == "wait":
                    run = await self._ended(run)
                elif next_.do == "begin":
                    run = self._begin(run, next_.stacks, next_.wave)
                elif next_.do == "check":
                    run = await self._check(run, next_.wave)
                else:
                    return self._end(run, next_.why)
        finally:
            for name, task in list(self._running.items()):
                with suppress(HacoreError):
                    self._record(run, name, await task)

    def _begin(self, run: FleetRun, stacks: Iterable[str], wave: int) -> FleetRun:
        begun = {}
        for name in stacks:
            begun[name] = self.book.add(run.id, "begun", stack=name)
            unit = Unit(run.verb, self.members[name], run.runs.get(name), run.begun.get(name))
            self._running[name] = asyncio.create_task(self.engine.perform(unit))
            self.tell("begun", {"stack": name, "wave": wave + 1})
        return replace(run, begun={**begun, **run.begun})

    async def _ended(self, run: FleetRun) -> FleetRun:
        await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)
        for name, task in list(self._running.items()):
            if task.done():
                del self._running[name]
                run = self._record(run, name, task.result())
        return run

    def _record(self, run: FleetRun, name: str, outcome: Outcome) -> FleetRun:
        self.book.add(run.id, "ended", stack=name, outcome=outcome_to_json(outcome))
        self.tell("ended", {"stack": name, "outcome": outcome, "done": len(run.outcomes) + 1, "of": len(run.stacks)})
        return replace(run, outcomes={**run.outcomes, name: outcome})

    async def _check(self, run: FleetRun, wave: int) -> FleetRun:
        """Soak, then the hosts of the wave must be in the recorded state, and their addresses in order."""
        why = ""
        if wave + 1 < len(run.waves):
            self.tell("soaking", {"wave": wave + 1, "of": len(run.waves), "seconds": run.soak})
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), run.soak)
            if self.stop.is_set():
                return run
            good = [name for name in run.waves[wave] if run.outcomes[name].result in GOOD]
            found = await sweep("drift", [self.members[name] for name in good], self.engine, run.policy.at_once)
            bad = [f"{name}: {o.error or o.result}" for name, o in found.items() if o.result != "unchanged"]
            why = f"wave {wave + 1} is not clean after {run.soak}s: {'; '.join(bad[:5])}" if bad else ""
        if why:
            self.book.add(run.id, "unclean", wave=wave, why=why)
            self.tell("unclean", {"wave": wave + 1, "why": why})
            return replace(run, unclean=why)
        self.book.add(run.id, "checked", wave=wave)
        self.tell("checked", {"wave": wave + 1, "of": len(run.waves)})
        return replace(run, checked=wave + 1)

    def _end(self, run: FleetRun, why: str) -> FleetRun:
        status = "stopped" if why else "done"
        self.book.add(run.id, "end", status=status, why=why)
        self.tell("end", {"status": status, "why": why})
        return replace(run, status=status, why=why)


async def sweep(verb: Verb, members: Iterable[Member], engine: Engine, at_once: int) -> dict[str, Outcome]:
    """A verb that changes nothing, on stacks in any order; the outcomes by name."""
    gate = asyncio.Semaphore(at_once)

    async def one(member: Member) -> tuple[str, Outcome]:
        async with gate:
            return member.name, await engine.perform(Unit(verb, member))

    return dict(await asyncio.gather(*(one(member) for member in members)))


def new_run(fleet: Fleet, members: Mapping[str, Member], who: str, started: float) -> FleetRun:
    """An apply of these members, not recorded yet."""
    return FleetRun(
        id=0,
        fleet=fleet.name,
        verb="apply",
        who=who,
        started=started,
        waves=tuple(fleet.waves(list(members))),
        labels={name: dict(member.labels) for name, member in members.items()},
        policy=fleet.policy(len(members)),
        digests={name: digest_of(member) for name, member in members.items()},
        soak=fleet.rollout.soak,
    )


def rollback_of(run: FleetRun, fleet: Fleet, who: str, started: float) -> FleetRun:
    """The rollback of an apply: the stacks that it changed, its waves in reverse order. Raises StoreError."""
    runs = {name: o.run for name, o in run.outcomes.items() if o.run is not None and o.result in ("changed", "failed")}
    if run.verb != "apply" or not runs:
        raise StoreError(f"cannot roll back fleet run {run.id}: it is not an apply that changed a stack")
    waves = [tuple(name for name in wave if name in runs) for wave in reversed(run.waves)]
    return replace(
        run,
        id=0,
        verb="rollback",
        who=who,
        started=started,
        waves=tuple(wave for wave in waves if wave),
        policy=fleet.policy(len(runs)),
        runs=runs,
        outcomes={},
        begun={},
        checked=0,
        unclean="",
        status="running",
        why="",
        ended=None,
    )


def check_unchanged(run: FleetRun, members: Mapping[str, Member]) -> None:
    """Raise StoreError if a stack that is still to be applied, or its row, changed since the run began."""
    open_ = [name for name in run.stacks if name not in run.outcomes]
    gone = [name for name in open_ if name not in members]
    changed = [n for n in open_ if n in members and run.verb == "apply" and digest_of(members[n]) != run.digests[n]]
    for names, what in ((gone, "are no longer in the fleet"), (changed, "changed since it began")):
        if names:
            raise StoreError(
                f"cannot continue fleet run {run.id}: {', '.join(names[:5])} {what}; begin a new one with "
                "`hacore fleet apply`"
            )
