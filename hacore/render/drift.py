"""A drift report as text, JSON and exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..plan.public_json import FORMAT_VERSION, new_machine_json, stranger_json
from .blocks import drift_blocks
from .header import health_lines, machine_lines, stranger_lines
from .style import PLAIN, Style
from .words import clean, count, when

if TYPE_CHECKING:
    from ..engine import DriftReport
    from ..engine.drift_memory import NewDrift
    from ..plan import Drift


def drift_exit_code(report: DriftReport) -> int:
    """0 clean, 2 drift, a new machine or another state's host, 1 could not tell; that beats drift."""
    if not report.complete:
        return 1
    return 2 if report.differs else 0


def drift_text(report: DriftReport, style: Style = PLAIN, news: NewDrift | None = None) -> str:
    """Recorded -> found, per address; then what could not be told. With `news` only what is new."""
    if news is not None:
        report = news.report
    lines = stranger_lines(report.ownership.foreign_hosts, report.lineage, style)
    lines += machine_lines(
        report.ownership.new_machines, "what is recorded of it was not compared; see `hacore plan`", style
    )
    if report.drift:
        since = "since the last look" if news is not None and news.since else "since the last run"
        lines += [style("bold", f"Changed outside of hacore {since} (recorded -> found):"), ""]
        lines += drift_blocks(report.drift, style)
    hosts = {host for drift in report.drift for host in [drift.host] if host is not None}
    checked = f"{count(report.checked, 'resource')} checked"
    if report.drift:
        where = f" on {count(len(hosts), 'host')}" if hosts else ""
        lines.append(style("bold", f"Drift: {count(len(report.drift), 'resource')}{where} changed; {checked}."))
    elif report.ownership.new_machines:
        lines.append(f"No drift on the machines that are recorded; {checked}.")
    elif news is not None and news.known:
        lines.append(f"Nothing new; {checked}.")
    elif report.complete:
        lines.append(style("green", f"No drift: {count(report.checked, 'resource')} as the last run left them."))
    else:
        lines.append(f"No drift on the hosts that answered; {checked}.")
    if news is not None and news.known:
        same = "differs as it did" if news.known == 1 else "differ as they did"
        lines.append(f"{count(news.known, 'resource')} more {same} at {when(news.since)}.")
    lines += health_lines(report.health, style)
    for host, reason in sorted(report.unreachable.items()):
        lines.append(style("red", f"Incomplete: {host} could not be asked: {clean(reason)}"))
    return "\n".join(lines)


def drift_json(report: DriftReport, news: NewDrift | None = None) -> dict[str, Any]:
    """The report in its documented format. With `news` only what is new, and how much is known."""
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
    }


def one_drift_json(drift: Drift) -> dict[str, Any]:
    """One address that drifted; a sensitive attribute says only that it did."""
    attrs: list[dict[str, Any]] = []
    for change in drift.attrs:
        entry: dict[str, Any] = {"path": change.path, "sensitive": change.sensitive}
        if not change.sensitive:
            entry.update(recorded=change.before, found=change.after)
        attrs.append(entry)
    return {"address": str(drift.address), "host": drift.host, "reason": drift.reason, "attrs": attrs}
