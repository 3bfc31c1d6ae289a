"""Plan: load, connect while the rest is read, probe each host once, compare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from ..address import Address
from ..contract import Ask, Facts, HostFacts
from ..errors import UsageError
from ..graph import Graph, build_graph
from ..load.stack import Stack
from ..model import Action, Host
from ..plan import (
    Claimant,
    HostStatus,
    Inputs,
    Ownership,
    Plan,
    Recorded,
    askers,
    asks_of_desired,
    asks_of_recorded,
    hosts_to_ask,
    make_plan,
    merge_asks,
    refuse_conflicts,
    revive,
)
from ..secrets import Secrets
from ..store import HostRecord, host_from_json
from ..store.server_tls import password_warning
from .connections import Hosts, answered
from .ownership import ownership, with_markers
from .request import Request
from .results import Planned
from .second_look import probed_twice
from .snapshot import StateSnapshot, last_run, read_state


def load_stack(request: Request) -> Stack:
    """The stack of a request; raises StackError with all of its mistakes."""
    from ..load import load

    return load(request.load, request.means.providers)


def hosts_of(stack: Stack, snapshot: StateSnapshot) -> dict[str, Host]:
    """All hosts of recorded and desired resources, as the stack names them, else as recorded."""
    used = {h for i in stack.instances.values() for h in i.hosts} | {h for r in snapshot.rows.values() for h in r.hosts}
    known: dict[str, Host] = {}
    for name in sorted(used):
        if name in stack.hosts:
            known[name] = stack.hosts[name]
        elif name in snapshot.hosts:
            known[name] = host_from_json(snapshot.hosts[name].host)
        else:
            raise UsageError(
                f"cannot plan: the state has no address for the host {name}; add {name} to `hosts:` of the stack"
            )
    return known


@dataclass
class Session:
    """One command's work: the stack, its graph and the connections, for as many plans as it takes."""

    request: Request
    stack: Stack
    graph: Graph
    hosts: Hosts
    command: str = "apply"
    phases: dict[str, float] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)  # hosts that are not probed, and why
    named: frozenset[Address] | None = None  # addresses of the stack file, to check a selection by
    run: int = 0  # the number of the run that is executed
    more: Mapping[str, Sequence[Ask]] = field(default_factory=dict)  # questions that only this command has, by host

    def connect(self, hosts: Mapping[str, Host]) -> None:
        """Begin to connect to hosts, except those that are not probed."""
        self.hosts.connect({name: host for name, host in hosts.items() if name not in self.without})

    async def plan(
        self, snapshot: StateSnapshot, doubtful: Mapping[Address, Action] | None = None
    ) -> tuple[Plan, dict[Address, Recorded]]:
        """Probe and plan. `doubtful`: what an interrupted run was doing to an address."""
        providers = self.request.means.providers
        recorded = revive(snapshot.rows, providers)
        known = self._concerned(hosts_of(self.stack, snapshot), snapshot, recorded)
        if not self.request.refresh:
            return self._recalled(snapshot, recorded, known), recorded
        self.connect(known)
        asks = merge_asks(asks_of_desired(self.stack.instances, providers), asks_of_recorded(recorded, providers))
        asks = merge_asks(asks, self.more)
        began = time.perf_counter()
        specs = [(a.kind, i.spec) for some in (self.stack.instances, recorded) for a, i in some.items()]
        self.hosts.askers = lambda: askers(specs, providers)
        asked = await self.hosts.probe(with_markers(asks, known), [name for name in known if name not in self.without])
        asked = await probed_twice(asked, recorded, self.hosts, providers, snapshot.seal)
        statuses = {n: asked[n] if n in asked else HostStatus(h, None, self.without[n]) for n, h in known.items()}
        self.phases["probe"] = time.perf_counter() - began
        began = time.perf_counter()
        facts = answered(statuses)
        found = self.ownership(snapshot, facts, known)
        refuse_conflicts(found, self.stack, self.graph)
        recorded = {address: item for address, item in recorded.items() if address not in found.lost}
        given = Inputs(
            stack=self.stack,
            graph=self.graph,
            recorded=recorded,
            facts=facts,
            hosts=known,
            providers=providers,
            secrets=Secrets(self.stack.secrets),
            seal=snapshot.seal,
            doubtful=doubtful or {},
            gone_reason="the stack is destroyed" if self.command == "destroy" else "no longer in the stack",
            selection=self.request.selection,
            run=self.run,
        )
        made = make_plan(given, lineage=snapshot.lineage, serial=snapshot.serial, hosts=statuses, command=self.command)
        self.phases["plan"] = time.perf_counter() - began
        return replace(made, ownership=found), recorded

    def _recalled(self, snapshot: StateSnapshot, recorded: dict[Address, Recorded], known: dict[str, Host]) -> Plan:
        """A plan by the recorded state alone; no host is contacted."""
        statuses = {name: HostStatus(host, _remembered(snapshot.hosts.get(name))) for name, host in known.items()}
        given = Inputs(
            stack=self.stack,
            graph=self.graph,
            recorded=recorded,
            facts=answered(statuses),
            hosts=known,
            providers=self.request.means.providers,
            secrets=Secrets(self.stack.secrets),
            seal=snapshot.seal,
            selection=self.request.selection,
            recall=snapshot.seal,
        )
        return make_plan(given, lineage=snapshot.lineage, serial=snapshot.serial, hosts=statuses, command=self.command)

    def ownership(self, snapshot: StateSnapshot, facts: Mapping[str, Facts], known: Mapping[str, Host]) -> Ownership:
        """The owners of the hosts that answered."""
        claimant = Claimant(self.stack.name, self.request.load.env_name or "", snapshot.lineage, snapshot.serial)
        return ownership(claimant, snapshot, facts, known)

    def _concerned(
        self, known: dict[str, Host], snapshot: StateSnapshot, recorded: dict[Address, Recorded]
    ) -> dict[str, Host]:
        """The hosts that a selection concerns. Raises UsageError for a selector that matches nothing."""
        selection = self.request.selection
        # once: what a run has deleted is unknown to its second plan
        if (selection or selection.replaces) and self.named is not None:
            selection.check({*self.named, *recorded})
            self.named = None
        if not selection:
            return known
        providers = self.request.means.providers
        given = Inputs(self.stack, self.graph, recorded, {}, known, providers, snapshot.seal, selection=selection)
        asked = hosts_to_ask(given)
        return {name: host for name, host in known.items() if name in asked}


def _remembered(record: HostRecord | None) -> Facts:
    """The recorded facts of a host, in place of its answers."""
    if record is None:
        return Facts()
    known = record.facts
    return Facts(
        HostFacts(
            machine_id=record.machine_id,
            family=str(known.get("family", "")),
            os=str(known.get("os", "")),
            init=str(known.get("init", "")),
            arch=str(known.get("arch", "")),
        )
    )


@asynccontextmanager
async def open_session(
    request: Request, *, destroy: bool = False, stack: Stack | None = None, without: Mapping[str, str] | None = None
) -> AsyncIterator[Session]:
    """Load, build the graph, and begin to connect to the stack's hosts.

    `stack`: one that is loaded already. `without`: hosts that are taken for unreachable, and why.
    """
    began = time.perf_counter()
    stack = load_stack(request) if stack is None else stack
    named_outside = request.load.state_url is not None or bool(request.load.environ.get("HACORE_STATE"))
    if not named_outside and (risk := password_warning(stack.state, request.load.environ)):
        request.means.warn(risk)
    without = without or {}
    used = {name: stack.hosts[name] for i in stack.instances.values() for name in i.hosts if name not in without}
    used = (
        {} if request.selection or not request.refresh else used
    )  # which of them it is about is known when the state is
    loaded = time.perf_counter()
    hosts = request.means.hosts(whole=True)
    hosts.connect(used)
    await asyncio.sleep(0)  # the connections begin before the graph is built
    named = frozenset((*stack.instances, *stack.switched_off))
    try:
        if destroy:
            stack = replace(stack, instances={}, switched_off=frozenset())
        graph = build_graph(stack, request.means.providers)
        phases = {"load": loaded - began, "graph": time.perf_counter() - loaded}
        yield Session(request, stack, graph, hosts, "destroy" if destroy else "apply", phases, without, named)
    finally:
        await hosts.close()


async def plan(request: Request, *, destroy: bool = False, whole: bool = False) -> Planned:
    """The plan of a stack. Writes nothing, on this machine or on hosts, and takes no lock.

    `whole`: the plan is to be applied as it is, so a host that does not answer everything is left out of it.
    """
    async with open_session(request, destroy=destroy) as session:
        session.hosts.whole = whole
        began = time.perf_counter()
        snapshot = await asyncio.to_thread(read_state, session.stack.state)
        session.phases["state"] = time.perf_counter() - began
        made, _ = await session.plan(snapshot)
        return Planned(made, session.stack, last_run(snapshot), snapshot.unfinished, session.phases, snapshot.rows)
