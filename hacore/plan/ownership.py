"""Which state manages the hosts: other machines than recorded, other states, other stacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from ..address import Address
from ..contract import Facts
from ..contract.claims import spoken
from ..errors import PlanError
from ..graph import Graph
from ..load.stack import Stack
from ..model import Host, Row
from ..probe import MARKERS, Marker, claim_marks, token_digest
from .claims import stored_claims

Marks = Mapping[str, str]  # claims as a marker has them
Why = Literal["lineage", "newer", "name"]


@dataclass(frozen=True, slots=True)
class Claimant:
    """The state that wants to manage hosts: of which stack and environment, its lineage ("": none yet) and serial.

    `remembered`: the name is what the last run was begun with, without a stack.
    """

    stack: str
    env: str
    lineage: str
    serial: int
    remembered: bool = False

    def owns(self, marker: Marker) -> bool:
        """Whether a marker is of this state, or of one that this state descends from."""
        return bool(self.lineage) and marker.lineage == self.lineage

    def is_another_stack(self, marker: Marker) -> bool:
        """Whether a marker is of another stack, which may use the same host."""
        return not self._has_our_name(marker) and not self.owns(marker)

    def is_kept_from(self, marker: Marker, host: str) -> Why | None:
        """Why a marker forbids this state to manage a host."""
        if not self.owns(marker):
            return "lineage" if self._has_our_name(marker) else None
        if marker.host != host:
            return None
        if not self.remembered and not self._has_our_name(marker):
            return "name"
        return "newer" if marker.serial > self.serial else None

    def _has_our_name(self, marker: Marker) -> bool:
        return (marker.stack, marker.env) == (self.stack, self.env)


@dataclass(frozen=True, slots=True)
class NewMachine:
    """A host where another machine than the recorded one answers; both by machine-id(5)."""

    host: str
    address: str
    recorded: str
    found: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """A host that this state may not manage, because of a marker. `why` is

    lineage   another state of the same stack manages it
    newer     this state is an older copy of the one that wrote the marker
    name      this state is another stack's, or another environment's
    """

    host: str
    address: str
    marker: Marker
    why: Why


@dataclass(frozen=True, slots=True)
class Ownership:
    """The ownership of the hosts of a state, found before anything is compared.

    `lost`: recorded addresses on machines that were replaced. They are planned as if they had never been
    recorded: nothing is deleted for them, and no image of the old machine is restored on the new one.
    `due`: hosts with a marker that differs from the records. By host: `others`, markers of other stacks;
    `own`, this state's;
    `former`: this state's under the former name of a host (`state mv --host`), which are deleted.
    """

    new_machines: tuple[NewMachine, ...] = ()
    lost: frozenset[Address] = frozenset()
    foreign_hosts: tuple[Stranger, ...] = ()
    due: tuple[str, ...] = ()
    others: Mapping[str, tuple[Marker, ...]] = field(default_factory=dict)
    own: Mapping[str, Marker] = field(default_factory=dict)
    lineage: str = ""  # of the state that asks
    former: Mapping[str, tuple[Marker, ...]] = field(default_factory=dict)

    def others_have(self, host: str) -> Set[str]:
        """Digests of the tokens that other stacks claim on a host."""
        return {mark.partition(" ")[2] for marker in self.others.get(host, ()) for mark in marker.claims}


def custody_of(
    claimant: Claimant,
    rows: Mapping[Address, Row],
    machine_ids: Mapping[str, str],
    facts: Mapping[str, Facts],
    hosts: Mapping[str, Host],
) -> Ownership:
    """The ownership of the hosts that answered. `machine_ids`: the recorded ones, by host."""
    addresses = {name: host.address for name, host in hosts.items()}
    machines = new_machines(machine_ids, facts, addresses)
    lost = lost_rows(rows, machines)
    recorded = marks_of_rows({address: row for address, row in rows.items() if address not in lost})
    foreign_hosts: list[Stranger] = []
    others: dict[str, tuple[Marker, ...]] = {}
    own: dict[str, Marker] = {}
    former: dict[str, tuple[Marker, ...]] = {}
    due: list[str] = []
    for host, answer in sorted(facts.items()):
        markers = answer.get(MARKERS, "") or ()
        others[host] = tuple(m for m in markers if claimant.is_another_stack(m))
        former[host] = tuple(m for m in markers if claimant.owns(m) and m.host not in hosts)
        for marker in markers:
            if claimant.owns(marker) and marker.host == host:
                own[host] = marker
            why = claimant.is_kept_from(marker, host)
            if why is not None:
                foreign_hosts.append(Stranger(host, addresses.get(host, ""), marker, why))
        if recorded.get(host, {}) != (own[host].claims if host in own else {}):
            due.append(host)
    due += [s.host for s in foreign_hosts if s.host not in due]
    return Ownership(tuple(machines), lost, tuple(foreign_hosts), tuple(due), others, own, claimant.lineage, former)


def new_machines(
    recorded: Mapping[str, str], facts: Mapping[str, Facts], addresses: Mapping[str, str]
) -> list[NewMachine]:
    """The hosts with another machine-id than recorded. A machine without one is not compared.

    All mappings are by host: recorded machine-ids, answers, network addresses.
    """
    found = []
    for host, answer in sorted(facts.items()):
        before, now = recorded.get(host, ""), answer.host.machine_id
        if before and now and before != now:
            found.append(NewMachine(host, addresses.get(host, ""), before, now))
    return found


def lost_rows(rows: Mapping[Address, Row], machines: Iterable[NewMachine]) -> frozenset[Address]:
    """The rows with all hosts on new machines; one that also has another host is kept."""
    new = {machine.host for machine in machines}
    return frozenset(a for a, row in rows.items() if row.hosts and new.issuperset(row.hosts)) if new else frozenset()


def marks_of_rows(rows: Mapping[Address, Row]) -> dict[str, Marks]:
    """The claims in the marker of each host, by the recorded rows."""
    return _by_host((address, row.claims, row.hosts) for address, row in rows.items())


def marks_of_stack(stack: Stack, graph: Graph) -> dict[str, Marks]:
    """The claims in the marker of each host, by the stack."""
    return _by_host((a, stored_claims(graph.claims[a]), i.hosts) for a, i in stack.instances.items())


def _by_host(claimed: Iterable[tuple[Address, Iterable[str], Iterable[str]]]) -> dict[str, Marks]:
    found: dict[str, list[tuple[Address, Iterable[str]]]] = {}
    for address, claims, hosts in claimed:
        for host in hosts:
            found.setdefault(host, []).append((address, claims))
    return {host: claim_marks(items) for host, items in found.items()}


def refuse_conflicts(ownership: Ownership, stack: Stack, graph: Graph) -> None:
    """Raise PlanError when a desired resource belongs to another stack on its host: only one can own it."""
    if not any(ownership.others.values()):
        return
    found: list[str] = []
    for address, instance in sorted(stack.instances.items()):
        for claim in graph.claims[address]:
            if claim.mode == "use":
                continue
            ((mark, _),) = claim_marks([(address, [f"{claim.mode} {claim.token}"])]).items()
            for host in instance.hosts:
                for marker in ownership.others.get(host, ()):
                    holder = _holder(mark, marker)
                    if holder is not None:
                        found.append(
                            f"{address}: {spoken(claim.token)} on {host} belongs to {holder} of the stack "
                            f"{marker.title} (lineage {marker.lineage[:8]}, {marker.who})"
                        )
    if found:
        raise PlanError(
            "cannot plan resources of another stack: " + "; ".join(found) + "; remove them from one of the two stacks: "
            "the next apply of the other stack releases what was removed there"
        )


def _holder(mark: str, marker: Marker) -> str | None:
    """The resource of another stack that excludes a claim: one of the two owns the token for itself alone."""
    mode, _, digest = mark.partition(" ")
    return marker.claims.get(f"own {digest}") or (marker.claims.get(f"share {digest}") if mode == "own" else None)


__all__ = [
    "Claimant",
    "Marks",
    "NewMachine",
    "Ownership",
    "Stranger",
    "Why",
    "custody_of",
    "lost_rows",
    "marks_of_rows",
    "marks_of_stack",
    "new_machines",
    "refuse_conflicts",
    "token_digest",
]
