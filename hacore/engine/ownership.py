"""Whose the hosts of a command are, and the markers that say so: asked for, judged, written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..contract import Ask, Facts
from ..errors import PlanError
from ..journal import RunningTask
from ..model import JSON, Host
from ..plan import Claimant, NewMachine, Ownership, Plan, Stranger, custody_of, new_machines
from ..plan.ownership import Marks
from ..probe import ASK_MARKERS, HostLink, Marker
from ..store import DropRow, HostRecord, Move, PutHost, RunRecord, host_to_json
from ..walk import marking, unmarking, write_marks

if TYPE_CHECKING:
    from .snapshot import StateSnapshot

_MACHINES, _ENV = "machines", "env"  # options of a run
_TOLD = 5  # hosts in a message


def with_markers(asks: Mapping[str, Sequence[Ask]], names: Iterable[str]) -> dict[str, list[Ask]]:
    """Questions by host, and on each for its markers."""
    return {name: [*asks.get(name, ()), ASK_MARKERS] for name in names}


def ownership(
    claimant: Claimant, memory: StateSnapshot, facts: Mapping[str, Facts], hosts: Mapping[str, Host]
) -> Ownership:
    """Whose the hosts are that answered, by what the state remembers."""
    machine_ids = {name: record.machine_id for name, record in memory.hosts.items()}
    return custody_of(claimant, memory.rows, machine_ids, facts, hosts)


def claimant_of(memory: StateSnapshot) -> Claimant:
    """The state as its newest run names it, where no stack is at hand."""
    run = next((run for run in reversed(memory.runs) if run.command != "rollback"), None)
    if run is None:
        return Claimant("", "", memory.lineage, memory.serial, remembered=True)
    return Claimant(run.stack, str(run.options.get(_ENV, "")), memory.lineage, memory.serial, remembered=True)


def named_by_hosts(claimant: Claimant, found: Ownership) -> Claimant:
    """With the name that its own markers have: a stack may have been renamed since its last run."""
    marker = next(iter(found.own.values()), None)
    return claimant if marker is None else replace(claimant, stack=marker.stack, env=marker.env)


def check_ownership(found: Ownership, what: str, *, take_over: bool = False) -> None:
    """Raise PlanError for hosts that another state manages, unless they are to be taken over."""
    if found.foreign_hosts and not take_over:
        more = len(found.foreign_hosts) - _TOLD
        told = "; ".join(stranger_words(s) for s in found.foreign_hosts[:_TOLD]) + (
            f"; {more} more" if more > 0 else ""
        )
        if all(s.why == "name" for s in found.foreign_hosts):
            raise PlanError(
                f"cannot {what}: {told}; name this stack's own state (--state, HACORE_STATE, `state:`); if the stack "
                "was renamed, `hacore apply --take-over` says so to its hosts"
            )
        mine = f"this state is lineage {found.lineage}" if found.lineage else "this state records nothing yet"
        raise PlanError(
            f"cannot {what}: {told}; {mine}; use the state that manages them, or take them over with "
            "`hacore apply --take-over`: what is found there then counts as having been there before"
        )


def stranger_words(stranger: Stranger) -> str:
    """Who manages a host in our place."""
    marker = stranger.marker
    who = f"{marker.who} on {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(marker.when))}"
    at = f"{stranger.host}@{stranger.address}"
    if stranger.why == "newer":
        return f"{at} was last written at serial {marker.serial} by {who}, and this state is an older copy"
    if stranger.why == "name":
        return f"{at} is managed by this state as the stack {marker.title}, by {who}, and this is another stack"
    return f"{at} is managed by another state of the stack {marker.title}: lineage {marker.lineage}, by {who}"


# -- markers


@dataclass(frozen=True, slots=True)
class Marking:
    """Writes the markers of a run: who it is, and the token of its locks."""

    claimant: Claimant
    who: str
    token: str

    def marker(self, host: str, claims: Marks) -> Marker:
        """The marker of a host as it is to be now."""
        mine = self.claimant
        return Marker(mine.stack, mine.env, host, mine.lineage, mine.serial, self.who, time.time(), dict(claims))

    async def claim(self, wanted: Mapping[str, Marks], found: Ownership, links: Mapping[str, HostLink]) -> None:
        """Before anything is touched: what will be there is this state's. No exec where the marker says so already."""
        foreign_hosts: dict[str, list[Marker]] = {}
        for stranger in found.foreign_hosts:
            if stranger.why == "lineage":
                foreign_hosts.setdefault(stranger.host, []).append(stranger.marker)
        texts: dict[str, str] = {}
        for host, claims in wanted.items():
            known = found.own[host].claims if host in found.own else {}
            if host in links and (host in foreign_hosts or claims.keys() - known.keys()):
                text = marking(self.marker(host, {**known, **claims}))
                texts[host] = text + (unmarking(foreign_hosts[host]) if host in foreign_hosts else "")
        await asyncio.gather(*[write_marks(links[host], self.token, text) for host, text in texts.items()])

    def parting(self, host: str, claims: Marks, found: Ownership) -> str:
        """With the giving back of a host's lock: the marker says what is recorded; with nothing recorded it goes."""
        marker = self.marker(host, claims)
        gone = [s.marker for s in found.foreign_hosts if s.host == host and s.why == "lineage"]
        gone += found.former.get(host, ())
        return (marking(marker) if claims else "") + unmarking([*([] if claims else [marker]), *gone])


# -- machines


def host_moves(made: Plan) -> list[Move]:
    """The hosts as they are now; what was recorded of a machine that is gone goes in the same commit."""
    moves: list[Move] = [DropRow(address) for address in sorted(made.ownership.lost)]
    for name, status in made.hosts.items():
        if status.facts is None:
            continue
        host = status.facts.host
        facts = {"family": host.family, "os": host.os, "init": host.init, "arch": host.arch}
        moves.append(PutHost(HostRecord(name, _described(status.host), host.machine_id, facts)))
    return moves


def _described(host: Host) -> JSON:
    """A host as the state keeps it: its variables are evaluated already, and may be secrets."""
    return host_to_json(host)


def options_of(env: str, facts: Mapping[str, Facts]) -> dict[str, object]:
    """What a run keeps to be known by later: its environment, and the machines that its images are of."""
    return {
        _MACHINES: {name: answer.host.machine_id for name, answer in sorted(facts.items())},
        **({_ENV: env} if env else {}),
    }


def renamed_options(options: Mapping[str, JSON], renamed: Mapping[str, str]) -> dict[str, JSON]:
    """The same options of a run when hosts have other names, given by their old ones."""
    if _MACHINES not in options:
        return dict(options)
    return {**options, _MACHINES: {renamed.get(name, name): found for name, found in options[_MACHINES].items()}}


def replaced_since(
    run: RunRecord, recorded: Mapping[str, HostRecord], facts: Mapping[str, Facts], hosts: Mapping[str, Host]
) -> list[NewMachine]:
    """The hosts that are other machines than those the run worked on."""
    then = run.options.get(_MACHINES) or {n: r.machine_id for n, r in recorded.items()}
    return new_machines(then, facts, {name: host.address for name, host in hosts.items()})


def skip_replaced_hosts(lives: Iterable[RunningTask], machines: Iterable[NewMachine]) -> None:
    """Let an undo pass over the tasks of machines that are gone: there is nothing left to bring back to."""
    gone = {machine.host for machine in machines}
    for live in lives:
        if live.task.host in gone:
            live.intent = False
            live.image_ids = {}
