"""Where units run. An engine knows nothing of waves and budgets, and keeps nothing: the record is the coordinator's."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from threading import Lock, Thread
from typing import Any, Protocol

from .codec import outcome_from_json, outcome_to_json, unit_from_json, unit_to_json
from .values import Outcome, Unit

TRIES = 3
"""How often a unit begins that ends its process: then it counts as failed."""


class Engine(Protocol):
    """Runs units. A unit may begin twice, if what ran it was lost: it is safe to repeat."""

    async def perform(self, unit: Unit) -> Outcome:
        """Run a unit to its end. Does not raise for what happens to the unit."""
        ...

    async def close(self) -> None:
        """Let running units end, and release everything."""
        ...


class InProcess:
    """Units in this process, on its event loop. `perform` is that of `units`, with its means."""

    def __init__(self, perform: Any) -> None:
        self._perform = perform

    async def perform(self, unit: Unit) -> Outcome:
        """See Engine."""
        outcome: Outcome = await self._perform(unit)
        return outcome

    async def close(self) -> None:
        """See Engine."""


class ProcessPool:
    """Units in a pool of processes of this machine, one at a time in each.

    Units and outcomes cross as JSON. When a process is lost the pool breaks: a new one takes the units that have no
    outcome, and their applies are resumed.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool = self._new()

    async def perform(self, unit: Unit) -> Outcome:
        """See Engine."""
        text = json.dumps(unit_to_json(unit))
        for _ in range(TRIES):
            pool = self._pool
            try:
                answer = await asyncio.get_running_loop().run_in_executor(pool, work, text)
            except BrokenProcessPool:
                if pool is self._pool:
                    self._pool = self._new()
                    pool.shutdown(wait=False)
                continue
            return outcome_from_json(json.loads(answer))
        return Outcome("failed", error=f"the process of this stack ended {TRIES} times without a result")

    async def close(self) -> None:
        """See Engine."""
        await asyncio.to_thread(self._pool.shutdown)

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
        return ProcessPoolExecutor(self._processes, mp_context=context, initializer=begin_process)


_BUSY = Lock()  # of a process of the pool: it is at a unit


def begin_process() -> None:
    """Set up a process of the pool: Ctrl-C is the coordinator's, and without a coordinator it ends."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_follow, name="hacore-fleet-parent", daemon=True).start()


def _follow() -> None:
    """When the coordinator has ended, end: at once, or after the unit. Nothing new begins then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        with _BUSY:
            os._exit(0)


def work(text: str) -> str:
    """A unit in a process of the pool; both are JSON."""
    from ..engine import Means
    from ..load import load_providers
    from .units import perform

    unit = unit_from_json(json.loads(text))
    with _BUSY:
        outcome = asyncio.run(perform(unit, Means(load_providers())))
    return json.dumps(outcome_to_json(outcome))
