"""Status: the truth about the addresses that hosts serve together. It needs no secret and no valid stack.

The plan of the stack is shown beside it, where the stack can be loaded; else everything comes from the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..contract import Daemon, VerdictWord
from ..errors import HacoreError, StackError
from ..load.stack import Stack
from ..plan import HostStatus, Ownership, Plan, asks_of_recorded, merge_asks, revive
from ..store import RunRecord
from ..store.holder import is_dead
from .connections import answered
from .drift_check import recorded_hosts
from .ownership import claimant_of, ownership, with_markers
from .pair_looks import Items, PairLook, look_at_pairs, serving_asks
from .planning import open_session
from .request import Request
from .snapshot import StateSnapshot, comparable, last_run, living, read_state
from .verdicts import AddressStatus, worst


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The status of a stack. `plan` and `loaded`: None where the stack cannot be used, and `problem` is why.

    `unfinished`: a run that did not end; `running`: it is in progress. `recorded`: whether a state exists.
    """

    stack: str
    state: str
    lineage: str
    serial: int
    hosts: Mapping[str, HostStatus]
    addresses: tuple[AddressStatus, ...] = ()
    daemons: Mapping[str, tuple[Daemon, ...]] = field(default_factory=dict)
    unfinished: RunRecord | None = None
    running: bool = False
    plan: Plan | None = None
    loaded: Stack | None = None
    problem: str = ""
    ownership: Ownership = field(default_factory=Ownership)
    drill: RunRecord | None = None  # the last one

    @property
    def verdict(self) -> VerdictWord | None:
        """The worst verdict of its addresses; None without any."""
        return worst(self.addresses)

    @property
    def complete(self) -> bool:
        """Whether all hosts answered all questions."""
        return not any(s.facts is None or s.facts.failed for s in self.hosts.values())


async def status(request: Request, state_url: str) -> StatusReport:
    """Ask the hosts of a stack. Writes nothing and takes no lock.

    Raises the error of the stack file when it cannot be used and nothing is recorded either.
    """
    snapshot = await asyncio.to_thread(lambda: living(read_state(state_url, keyless=True), state_url))
    try:
        return await _by_stack(request, snapshot)
    except HacoreError as error:
        if not snapshot.rows:
            raise
        return await _by_state(request, state_url, snapshot, _first(error))


def _first(error: HacoreError) -> str:
    """The first mistake of a stack; it has no value of a variable in it."""
    if isinstance(error, StackError):
        more = len(error.problems) - 1
        return f"{error.problems[0]}" + (f" (and {more} more)" if more else "")
    return str(error)


async def _by_stack(request: Request, snapshot: StateSnapshot) -> StatusReport:
    providers = request.means.providers
    async with open_session(request) as session:
        session.hosts.whole = False
        recorded = revive(snapshot.rows, providers)
        items: Items = {a: (item.spec, item.row.hosts) for a, item in recorded.items()} or {
            a: (instance.spec, instance.hosts) for a, instance in session.stack.instances.items()
        }
        session.more = serving_asks(items, providers)
        made, _ = await session.plan(comparable(snapshot))
        items = {a: item for a, item in items.items() if a not in made.ownership.lost}
        look = await look_at_pairs(items, made.hosts, session.hosts, providers, snapshot.runs, ask_checks=True)
        return replace(
            _report(made.stack, session.stack.state, snapshot, made.hosts, look, made.ownership),
            plan=made,
            loaded=session.stack,
        )


async def _by_state(request: Request, state_url: str, snapshot: StateSnapshot, problem: str) -> StatusReport:
    providers = request.means.providers
    known = recorded_hosts(snapshot)
    hosts = request.means.hosts()
    hosts.connect(known)
    try:
        recorded = revive(snapshot.rows, providers)
        items: Items = {a: (item.spec, item.row.hosts) for a, item in recorded.items()}
        asks = merge_asks(asks_of_recorded(recorded, providers), serving_asks(items, providers))
        statuses = await hosts.probe(with_markers(asks, known), known)
        owner = ownership(claimant_of(snapshot), snapshot, answered(statuses), known)
        items = {a: item for a, item in items.items() if a not in owner.lost}
        look = await look_at_pairs(items, statuses, hosts, providers, snapshot.runs, ask_checks=True)
    finally:
        await hosts.close()
    last = last_run(snapshot)
    return _report(last.stack if last else "", state_url, snapshot, statuses, look, owner, problem)


def _report(
    stack: str,
    state: str,
    snapshot: StateSnapshot,
    hosts: Mapping[str, HostStatus],
    look: PairLook,
    owner: Ownership,
    problem: str = "",
) -> StatusReport:
    return StatusReport(
        stack=stack,
        state=state,
        lineage=snapshot.lineage,
        serial=snapshot.serial,
        hosts=hosts,
        addresses=look.addresses,
        daemons=look.daemons or {},
        unfinished=snapshot.unfinished,
        running=snapshot.lock is not None and not is_dead(snapshot.lock),
        problem=problem,
        ownership=owner,
        drill=next((run for run in reversed(snapshot.runs) if run.command == "drill"), None),
    )


__all__ = ["StatusReport", "status"]
