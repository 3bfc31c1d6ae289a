"""Status: hosts, and the verdict on each address that hosts serve together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from ..plan.public_json import FORMAT_VERSION, counts_json, new_machine_json, stranger_json
from ..printable import one_line
from .header import health_lines, host_lines, interrupted_line, machine_lines, stack_line, stranger_lines
from .plan import count_line
from .style import PLAIN, Style
from .words import clean, count, listed, when

if TYPE_CHECKING:
    from ..contract import Daemon, Drained, Member
    from ..engine.status_check import StatusReport
    from ..engine.verdicts import AddressStatus
    from ..plan import HostStatus
    from .formats import AddressStatusJson, DrainJson, HostStatusJson, MemberJson, StatusJson


def status_exit_code(report: StatusReport, accepted: Collection[str] = ()) -> int:
    """0: healthy; 2: not healthy; 1: not known, for an address or, without addresses, for a host.

    `accepted`: verdicts that count as healthy.
    """
    verdict = report.verdict if report.verdict not in accepted else "healthy"
    if verdict is None:
        bad = report.plan is not None and bool(_unassessed(report, PLAIN))
        return 1 if not report.complete else 2 if bad else 0
    if verdict == "unknown":
        return 1
    if verdict == "healthy":
        return 0 if report.complete else 1
    return 2


def _unassessed(report: StatusReport, style: Style) -> list[str]:
    """Faults that kinds report only as health, without their members."""
    assessed = {name for address in report.addresses for name in address.resources}
    health = {} if report.plan is None else report.plan.health
    return health_lines({name: found for name, found in health.items() if name not in assessed}, style)


def status_text(report: StatusReport, style: Style = PLAIN) -> str:
    """Hosts, addresses, checks; the verdict; what a plan would change."""
    lines = stranger_lines(report.ownership.foreign_hosts, report.lineage, style)
    lines += machine_lines(report.ownership.new_machines, "its resources are not known", style)
    lines.append(style("bold", stack_line(report.stack, report.state, report.lineage, report.serial)))
    if report.problem:
        lines.append(style("yellow", f"Shown by the state alone, the stack cannot be used: {clean(report.problem)}"))
    if report.unfinished is not None:
        run = report.unfinished
        words = (
            f"Run #{run.id} {run.command} by {one_line(run.who)} is in progress since {when(run.started)}"
            if report.running
            else interrupted_line(run)
        )
        lines.append(style("yellow" if report.running else "red", clean(words)))
    lines += host_lines(report.hosts, {}, style)
    for found in report.addresses:
        lines += address_lines(found, report.daemons, style)
    lines += _unassessed(report, style)
    if len(report.addresses) > 1 and report.verdict is not None:
        lines.append(f"All addresses: {_coloured(report.verdict, style)}")
    if report.drill is not None and isinstance(report.drill.options, Mapping):
        word = str(report.drill.options.get("verdict", report.drill.status))
        shown = style("green" if word == "passed" else "red", clean(word))
        lines.append(f"Last drill: {shown}, {when(report.drill.started)}")
    plan = report.plan
    if plan is not None and plan.drift:
        lines.append(style("yellow", f"Drift: {count(len(plan.drift), 'resource')} changed outside of hacore."))
    return "\n".join([*lines, *([count_line(plan)] if plan is not None else [])])


def _coloured(verdict: str, style: Style) -> str:
    return style({"healthy": "green", "drained": "yellow", "no-redundancy": "yellow"}.get(verdict, "red"), verdict)  # type: ignore[arg-type]


def verdict_line(found: AddressStatus, style: Style) -> str:
    """`192.0.2.200 (vip.front): split-brain, held by lb1 and lb2: lb2 reports ...; next: hacore plan`."""
    names = f" ({', '.join(found.resources)})" if found.resources else ""
    held = f", held by {listed(found.holders)}" if found.holders else ", held by nobody"
    why = f": {found.cause}" if found.cause else ""
    return f"{clean(found.address)}{clean(names)}: {_coloured(found.verdict, style)}{held}{clean(why)}"


def next_lines(found: AddressStatus) -> list[str]:
    """The next command, in a line of its own."""
    return [f"  next: {clean(found.remedy)}"] if found.remedy else []


def address_lines(found: AddressStatus, daemons: Mapping[str, tuple[Daemon, ...]], style: Style) -> list[str]:
    """An address: verdict, next command, members, checks, moves."""
    lines = [verdict_line(found, style), *next_lines(found)]
    names = max((len(m.host) for m in found.members), default=0)
    for member in found.members:
        words = ", ".join(member_words(member, daemons.get(member.host, ())))
        lines.append(f"  {member.host:<{names}}  {clean(words)}")
    for check in found.checks:
        words = style("green" if check.good else "yellow", clean(check.words))
        lines.append(f"  {clean(check.question)} asked by {check.by}: {words}")
    moved, since = moves(found)
    if since is not None:
        lines.append(f"  {count(moved, 'move')} since {when(since)}, not counting those of runs")
    return lines


def member_words(member: Member, daemons: Iterable[Daemon]) -> list[str]:
    """State, since when, effective priority and what changes it, daemons, drained."""
    words = [member.state]
    if member.since is not None:
        words.append(f"since {when(member.since)}")
    elif member.recorded_from is not None:
        words.append(f"since before {when(member.recorded_from)}")
    if member.priority is not None:
        words.append(f"priority {member.priority}")
    words += member.trackers
    words += [f"{daemon.name} {'up' if daemon.up else 'stopped'}" for daemon in daemons]
    return words


def moves(found: AddressStatus) -> tuple[int, float | None]:
    """How often the address moved outside of runs, and since when that is known on all members that answered."""
    starts = [m.recorded_from for m in found.members if m.able is not None]
    if not starts or None in starts:
        return 0, None
    since = max(start for start in starts if start is not None)
    return sum(1 for m in found.members for at in m.takeovers if at >= since), since


def status_json(report: StatusReport, accepted: Collection[str] = ()) -> StatusJson:
    """The status as JSON."""
    plan = report.plan
    return {
        "format_version": FORMAT_VERSION,
        "stack": report.stack,
        "complete": report.complete,
        "verdict": report.verdict,
        "addresses": [address_json(found) for found in report.addresses],
        "hosts": [_host_json(name, status, report) for name, status in report.hosts.items()],
        "strangers": [stranger_json(stranger) for stranger in report.ownership.foreign_hosts],
        "new_machines": [new_machine_json(machine) for machine in report.ownership.new_machines],
        "interrupted_run": None if report.unfinished is None or report.running else report.unfinished.id,
        "problem": report.problem,
        "notes": {} if plan is None else dict(plan.notes),
        "summary": None if plan is None else counts_json(plan),
        "drift": None if plan is None else len(plan.drift),
        "ok": status_exit_code(report, accepted) == 0,
    }


def _host_json(name: str, status: HostStatus, report: StatusReport) -> HostStatusJson:
    return {
        "host": name,
        "address": status.host.address,
        "reachable": status.facts is not None,
        "os": "" if status.facts is None else status.facts.host.os,
        "error": status.error,
        "daemons": [{"name": d.name, "up": d.up, "wanted": d.wanted} for d in report.daemons.get(name, ())],
    }


def address_json(found: AddressStatus) -> AddressStatusJson:
    """An address as JSON."""
    moved, since = moves(found)
    return {
        "address": found.address,
        "resources": list(found.resources),
        "verdict": found.verdict,
        "cause": found.cause,
        "next": found.remedy,
        "holders": list(found.holders),
        "members": [_member_json(member) for member in found.members],
        "checks": [{"question": c.question, "by": c.by, "good": c.good, "words": c.words} for c in found.checks],
        "moves": None if since is None else moved,
        "moves_since": since,
    }


def _member_json(member: Member) -> MemberJson:
    found: MemberJson = {
        "host": member.host,
        "state": member.state,
        "holds": member.holds,
        "able": member.able,
        "cause": member.cause,
        "since": member.since,
        "recorded_from": member.recorded_from,
        "priority": member.priority,
        "trackers": list(member.trackers),
        "drained": member.drained,
    }
    if member.order is not None:
        found["order"] = _order_json(member.order, overdue=member.overdue)
    return found


def _order_json(order: Drained, *, overdue: bool) -> DrainJson:
    return {
        "by": order.by,
        "since": order.since,
        "until": order.until,
        "overdue": overdue,
        "reason": order.reason,
        "hard": order.hard,
    }


__all__ = [
    "address_json",
    "address_lines",
    "next_lines",
    "status_exit_code",
    "status_json",
    "status_text",
    "verdict_line",
]
