"""The head of a plan, a status or a drift report: stack, last run, hosts, holders of addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..contract import Health, Verdict
from ..plan import HostStatus, NewMachine, Stranger
from ..printable import one_line
from ..store import RunRecord
from ..urls import shown_url
from .style import Style
from .words import clean, listed, when

_WIDTH = 80  # columns of the usual terminal, and of most mails

_ENDS = {
    "done": "done",
    "failed": "failed",
    "rolled_back": "rolled back",
    "interrupted": "interrupted",
    "running": "running",
}


def stack_line(stack: str, state: str, lineage: str, serial: int) -> str:
    """`Stack web   state sqlite:///state/web.db   lineage 1a2b3c4d   serial 12`; a long URL has a line of its own."""
    recorded = f"lineage {lineage[:8]}   serial {serial}" if lineage else "(nothing recorded yet)"
    line = f"Stack {stack}   state {shown_url(state)}   {recorded}"
    return line if len(line) <= _WIDTH else f"Stack {stack}   {recorded}\nstate {shown_url(state)}"


def run_words(run: RunRecord) -> str:
    """`#4 apply done 2026-11-22 10:12:05 UTC by root@vm`."""
    end, who = _ENDS.get(run.status, run.status), one_line(run.who)
    about = f"#{run.id} {run.command} {end} {when(run.ended or run.started)} by {who}"
    undone = f", undoes {listed(f'#{number}' for number in run.undoes)}" if run.undoes else ""
    return clean(about + undone)


def run_lines(last: RunRecord | None, unfinished: RunRecord | None, style: Style) -> list[str]:
    """The interrupted run first: it blocks all other changes."""
    lines = []
    if unfinished is not None:
        lines.append(style("red", clean(interrupted_line(unfinished))))
    if last is not None and (unfinished is None or last.id != unfinished.id):
        lines.append(f"Last run: {run_words(last)}")
    return lines


def interrupted_line(run: RunRecord) -> str:
    """`Interrupted run #4 apply ... by root@vm: resume with ..., or undo with ...`."""
    number = f"#{run.id} {run.command} {when(run.ended or run.started)} by {one_line(run.who)}"
    if run.command == "rollback":
        return f"Interrupted run {number}: finish with `hacore rollback`, or undo with `hacore rollback {run.id}`"
    return f"Interrupted run {number}: resume with `hacore apply --resume`, or undo with `hacore rollback`"


def stranger_lines(foreign_hosts: Iterable[Stranger], lineage: str, style: Style) -> list[str]:
    """Hosts that another state manages, a line for each such state: they block all changes."""
    found: dict[tuple[str, str, str], list[Stranger]] = {}
    for stranger in foreign_hosts:
        found.setdefault((stranger.why, stranger.marker.lineage, stranger.marker.title), []).append(stranger)
    return [style("red", clean(_stranger_line(group, lineage))) for group in found.values()]


def _stranger_line(group: Sequence[Stranger], lineage: str) -> str:
    marker = max((stranger.marker for stranger in group), key=lambda marker: marker.when)
    at = listed(f"{stranger.host}@{stranger.address}" for stranger in group)
    managed = f"{at} {'is' if len(group) == 1 else 'are'} managed by"
    by = f"{one_line(marker.who)} on {when(marker.when)}"
    if group[0].why == "name":
        return (
            f"State of another stack: {managed} stack {one_line(marker.title)} in this same state, last by {by}. "
            "Give this stack a state of its own; if it was renamed: `hacore apply --take-over`"
        )
    if group[0].why == "newer":
        return (
            f"Old copy of the state: {managed} a newer copy, last at serial {marker.serial} by {by}. "
            "Use the newer copy; to continue with this one: `hacore apply --take-over`"
        )
    title, theirs = one_line(marker.title), one_line(marker.lineage[:8])
    mine = f"this state is lineage {lineage[:8]}" if lineage else "this state is new"
    return (
        f"Managed by another state: {managed} stack {title} in another state (lineage {theirs}), last by {by}; {mine}. "
        "To take over: `hacore apply --take-over`"
    )


def machine_lines(machines: Iterable[NewMachine], consequence: str, style: Style) -> list[str]:
    """Hosts that are other machines than recorded, and the consequence for the output below."""
    return [
        style(
            "yellow",
            f"New machine: {m.host}@{m.address} is not the recorded one (machine-id {one_line(m.found[:8])}, recorded "
            f"{one_line(m.recorded[:8])}): {consequence}",
        )
        for m in machines
    ]


def host_lines(hosts: Mapping[str, HostStatus], health: Mapping[str, Health], style: Style) -> list[str]:
    """A line per host: name, address, system, and the virtual addresses that it holds."""
    holds = _holds(health)
    names = max((len(name) for name in hosts), default=0)
    addresses = max((len(status.host.address) for status in hosts.values()), default=0)
    lines = []
    for name, status in hosts.items():
        head = f"{name:<{names}}  {status.host.address:<{addresses}}  "
        trouble = "not checked" if status.answered else "unreachable"
        if status.facts is None:
            lines.append(head + style("red", f"{trouble}: {clean(status.error)}"))
            continue
        held = f"  holds {', '.join(holds[name])}" if name in holds else ""
        lines.append(f"{head}{clean(status.facts.host.os) or 'unknown system'}{style('cyan', held)}".rstrip())
        if status.error:
            lines.append(style("red", f"  checked in part: {clean(status.error)}"))
    return lines


def _holds(health: Mapping[str, Health]) -> dict[str, list[str]]:
    holds: dict[str, list[str]] = {}
    for name, found in health.items():
        for host in found.holders:
            holds.setdefault(host, []).append(f"{found.address} ({name})" if found.address else name)
    return holds


def serving(health: Mapping[str, Health]) -> frozenset[str]:
    """All hosts that hold a virtual address."""
    return frozenset(host for found in health.values() for host in found.holders)


def health_lines(health: Mapping[str, Health], style: Style) -> list[str]:
    """Faults of virtual addresses: no holder, several holders, failed checks."""
    lines = []
    for name, found in sorted(health.items()):
        if len(found.holders) != 1:
            who = listed(found.holders) or "no host"
            lines.append(style("red", f"{name}: {clean(found.address)} is held by {who}"))
        failed = [verdict for verdict in _in_order(found) if verdict.good is False]
        lines += [style("yellow", f"{name}: {clean(f'{v.question}: {v.words}')}") for v in failed]
    return lines


def held_lines(health: Mapping[str, Health], style: Style) -> list[str]:
    """The holder of each virtual address, with all checks: for `status`."""
    lines = []
    for name, found in sorted(health.items()):
        who = style("green" if len(found.holders) == 1 else "red", listed(found.holders) or "no host")
        lines.append(f"{name} {clean(found.address)} held by {who}".replace("  ", " "))
        for verdict in _in_order(found):
            words = style("green" if verdict.good else "yellow", clean(verdict.words))
            lines.append(f"  {clean(verdict.question)}: {words}")
    return lines


def _in_order(health: Health) -> list[Verdict]:
    return sorted(health.verdicts, key=lambda verdict: verdict.question)
