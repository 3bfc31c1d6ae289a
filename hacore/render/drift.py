"""A drift report as text, as JSON and as exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plan.public_json import FORMAT_VERSION, new_machine_json, stranger_json
from .blocks import drift_blocks
from .header import health_lines, machine_lines, stranger_lines
from .status import address_json, next_lines, verdict_line
from .style import PLAIN, Style
from .words import clean, count, when

if TYPE_CHECKING:
    from ..engine import DriftReport
    from ..engine.drift_memory import NewDrift
    from ..plan import Drift
    from .formats import DriftAttrJson, DriftJson, DriftReportJson


def drift_exit_code(report: DriftReport) -> int:
    """0: no drift; 2: drift, a new machine or a host of another state; 1: not known for all hosts, which outranks 2."""
    if not report.complete:
        return 1
    return 2 if report.differs else 0


def drift_text(
    report: DriftReport, style: Style = PLAIN, news: NewDrift | None = None, *, plan_command: str = "hacore plan"
) -> str:
    """Recorded -> found, per address; then the hosts that were not checked. With `news` only new differences.

    `plan_command`: the full command that shows what an apply would change.
    """
    if news is not None:
        report = news.report
    lines = stranger_lines(report.ownership.foreign_hosts, report.lineage, style)
    lines += machine_lines(report.ownership.new_machines, "its resources were not checked; see `hacore plan`", style)
    if report.drift:
        since = "since the last check" if news is not None and news.since else "since the last run"
        lines += [style("bold", f"Changed outside of hacore {since} (recorded -> found):"), ""]
        lines += drift_blocks(report.drift, style)
    hosts = {host for drift in report.drift for host in [drift.host] if host is not None}
    checked = f"{count(report.checked, 'resource')} checked"
    if report.drift:
        where = f" on {count(len(hosts), 'host')}" if hosts else ""
        lines.append(style("bold", f"Drift: {count(len(report.drift), 'resource')}{where} changed; {checked}."))
        lines.append(f"To show what an apply would change: {plan_command}")
    elif report.outages:
        lines.append(style("bold", f"No resource changed, but {_trouble(report)}; {checked}."))
    elif report.ownership.new_machines:
        lines.append(f"No drift on the recorded machines; {checked}.")
    elif news is not None and news.known:
        lines.append(f"No new drift; {checked}.")
    elif report.complete:
        lines.append(style("green", f"No drift; {checked}."))
    else:
        lines.append(f"No drift on the hosts that were checked; {checked}.")
    if news is not None and news.known:
        lines.append(f"{count(news.known, 'difference')} already reported at {when(news.since)}.")
    for found in report.addresses:
        if found.verdict != "healthy":
            lines += [verdict_line(found, style), *next_lines(found)]
    assessed = {name for found in report.addresses for name in found.resources}
    lines += health_lines({name: health for name, health in report.health.items() if name not in assessed}, style)
    for host, reason in sorted(report.unreachable.items()):
        lines.append(style("red", f"Incomplete: {host} was not checked, changes there are not known: {clean(reason)}"))
    return "\n".join(lines)


def _trouble(report: DriftReport) -> str:
    """What is wrong with the addresses."""
    if any(found.verdict != "drained" for found in report.outages):
        return "an address does not have one holder"
    return "a host is drained for too long"


def drift_json(report: DriftReport, news: NewDrift | None = None) -> DriftReportJson:
    """The report as JSON. With `news` only new differences, and the number of known ones."""
    if news is not None:
        return {**drift_json(news.report), "known": news.known, "since": news.since or None}
    return {
        "format_version": FORMAT_VERSION,
        "stack": report.stack,
        "lineage": report.lineage,
        "serial": report.serial,
        "complete": report.complete,
        "checked": report.checked,
        "drift": [one_drift_json(drift) for drift in report.drift],
        "strangers": [stranger_json(stranger) for stranger in report.ownership.foreign_hosts],
        "new_machines": [new_machine_json(machine) for machine in report.ownership.new_machines],
        "unreachable": [{"host": h, "reason": reason} for h, reason in sorted(report.unreachable.items())],
        "notes": dict(report.notes),
        "addresses": [address_json(found) for found in report.addresses],
    }


def one_drift_json(drift: Drift) -> DriftJson:
    """The drift of one address; a sensitive attribute has no values."""
    attrs: list[DriftAttrJson] = []
    for change in drift.attrs:
        entry: DriftAttrJson = {"path": change.path, "sensitive": change.sensitive}
        if not change.sensitive:
            entry["recorded"], entry["found"] = change.before, change.after
        if change.hunks:
            entry["hunks"] = list(change.hunks)
        attrs.append(entry)
    found: DriftJson = {"address": str(drift.address), "host": drift.host, "reason": drift.reason, "attrs": attrs}
    if drift.changed is not None:
        found["changed"] = drift.changed
    if drift.logins:
        found["logins"] = list(drift.logins)
    return found
