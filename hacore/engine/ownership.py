"""Which state manages each host of a command, by markers on the hosts: read, judged, written."""

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
_NAMED = 5  # hosts in a message


def with_markers(asks: Mapping[str, Sequence[Ask]], names: Iterable[str]) -> dict[str, list[Ask]]:
    """Questions by host, with the question for its markers on each."""
    return {name: [*asks.get(name, ()), ASK_MARKERS] for name in names}


def ownership(
    claimant: Claimant, snapshot: StateSnapshot, facts: Mapping[str, Facts], hosts: Mapping[str, Host]
) -> Ownership:
    """The owners of the hosts that answered, by what the state records."""
    machine_ids = {name: record.machine_id for name, record in snapshot.hosts.items()}
    return custody_of(claimant, snapshot.rows, machine_ids, facts, hosts)


def claimant_of(snapshot: StateSnapshot) -> Claimant:
    """The state as its newest run names it, where no stack is loaded."""
    run = next((run for run in reversed(snapshot.runs) if run.command != "rollback"), None)
    if run is None:
        return Claimant("", "", snapshot.lineage, snapshot.serial, remembered=True)
    return Claimant(run.stack, str(run.options.get(_ENV, "")), snapshot.lineage, snapshot.serial, remembered=True)


def named_by_hosts(claimant: Claimant, found: Ownership) -> Claimant:
    """With the name on its own markers: a stack may have been renamed since its last run."""
    marker = next(iter(found.own.values()), None)
    return claimant if marker is None else replace(claimant, stack=marker.stack, env=marker.env)


def check_ownership(found: Ownership, what: str, *, take_over: bool = False) -> None:
    """Raise PlanError for hosts that another state manages, unless they are to be taken over."""
    if found.foreign_hosts and not take_over:
        more = len(found.foreign_hosts) - _NAMED
        named = "; ".join(stranger_words(s) for s in found.foreign_hosts[:_NAMED])
        named += f"; {more} more" if more > 0 else ""
        if all(s.why == "name" for s in found.foreign_hosts):
            raise PlanError(
                f"cannot {what}: {named}; name this stack's own state (--state, HACORE_STATE, `state:`); if the stack "
                "was renamed, `hacore apply --take-over` renames it on its hosts"
            )
        mine = f"this state is lineage {found.lineage}" if found.lineage else "this state records nothing yet"
        raise PlanError(
            f"cannot {what}: {named}; {mine}; use the state that manages them, or take them over with "
            "`hacore apply --take-over`, which treats everything found there as not yet managed"
        )


def stranger_words(stranger: Stranger) -> str:
    """Which other state or stack manages a host."""
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
    """Writes the markers of a run, under the token of its locks."""

    claimant: Claimant
    who: str
    token: str

    def marker(self, host: str, claims: Marks) -> Marker:
        """The new marker of a host."""
        mine = self.claimant
        return Marker(mine.stack, mine.env, host, mine.lineage, mine.serial, self.who, time.time(), dict(claims))

    async def claim(self, desired: Mapping[str, Marks], found: Ownership, links: Mapping[str, HostLink]) -> None:
        """Mark hosts before they are changed, with what this state will manage there; no exec if they are marked so."""
        foreign_hosts: dict[str, list[Marker]] = {}
        for stranger in found.foreign_hosts:
            if stranger.why == "lineage":
                foreign_hosts.setdefault(stranger.host, []).append(stranger.marker)
        texts: dict[str, str] = {}
        for host, claims in desired.items():
            known = found.own[host].claims if host in found.own else {}
            if host in links and (host in foreign_hosts or claims.keys() - known.keys()):
                text = marking(self.marker(host, {**known, **claims}))
                texts[host] = text + (unmarking(foreign_hosts[host]) if host in foreign_hosts else "")
        await asyncio.gather(*[write_marks(links[host], self.token, text) for host, text in texts.items()])

    def parting(self, host: str, claims: Marks, found: Ownership) -> str:
        """Shell text for the release of a host's lock: writes the recorded claims as marker; without any removes it."""
        marker = self.marker(host, claims)
        old = [s.marker for s in found.foreign_hosts if s.host == host and s.why == "lineage"]
        old += found.former.get(host, ())
        return (marking(marker) if claims else "") + unmarking([*([] if claims else [marker]), *old])


# -- machines


def host_moves(made: Plan) -> list[Move]:
    """The hosts as they are now; the rows of replaced machines are dropped in the same commit."""
    moves: list[Move] = [DropRow(address) for address in sorted(made.ownership.lost)]
    for name, status in made.hosts.items():
        if status.facts is None:
            continue
        host = status.facts.host
        facts = {"family": host.family, "os": host.os, "init": host.init, "arch": host.arch}
        moves.append(PutHost(HostRecord(name, _described(status.host), host.machine_id, facts)))
    return moves


def _described(host: Host) -> JSON:
    """A host as the state keeps it, without its variables, which may be secrets."""
    return host_to_json(host)


def options_of(env: str, facts: Mapping[str, Facts]) -> dict[str, object]:
    """What a run records of itself: its environment, and the machines that its images belong to."""
    return {
        _MACHINES: {name: answer.host.machine_id for name, answer in sorted(facts.items())},
        **({_ENV: env} if env else {}),
    }


def renamed_options(options: Mapping[str, JSON], renamed: Mapping[str, str]) -> dict[str, JSON]:
    """The same options after hosts were renamed; `renamed`: old name to new."""
    if _MACHINES not in options:
        return dict(options)
    return {**options, _MACHINES: {renamed.get(name, name): found for name, found in options[_MACHINES].items()}}


def replaced_since(
    run: RunRecord, recorded: Mapping[str, HostRecord], facts: Mapping[str, Facts], hosts: Mapping[str, Host]
) -> list[NewMachine]:
    """The hosts of which the machine was replaced since the run."""
    machines = run.options.get(_MACHINES) or {n: r.machine_id for n, r in recorded.items()}
    return new_machines(machines, facts, {name: host.address for name, host in hosts.items()})


def skip_replaced_hosts(lives: Iterable[RunningTask], machines: Iterable[NewMachine]) -> None:
    """Make an undo skip the tasks of replaced machines: nothing of them is left there to undo."""
    replaced = {machine.host for machine in machines}
    for live in lives:
        if live.task.host in replaced:
            live.intent = False
            live.image_ids = {}
