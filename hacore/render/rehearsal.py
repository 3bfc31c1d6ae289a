"""The report of a rehearsal, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plan.public_json import FORMAT_VERSION
from .words import clean, count, span

if TYPE_CHECKING:
    from ..lab.rehearsal import Rehearsed
    from .formats import RehearsalJson
    from .style import Style


def report_text(report: Rehearsed, style: Style) -> str:
    """A line for each step, the output of a failed command, the result."""
    lines = [f"Rehearsal of {report.stack} on twins of {', '.join(report.hosts)}", ""]
    for act in report.acts:
        mark = style("green", "ok  ") if act.ok else style("red", "FAIL")
        lines.append(f"  {mark}  {act.name:<8}  {span(act.seconds):>6}  {clean(act.detail)}")
        lines += [f"      {clean(line)}" for line in act.output.splitlines()]
    took = span(report.seconds)
    if report.ok:
        verdict = style("green", f"Rehearsal of {report.stack} passed ({count(len(report.acts), 'step')}, {took}).")
    else:
        verdict = style("red", f"Rehearsal of {report.stack} failed at step {report.acts[-1].name} ({took}).")
    return "\n".join([*lines, "", verdict])


def report_json(report: Rehearsed) -> RehearsalJson:
    """The report as JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": report.stack,
        "hosts": list(report.hosts),
        "ok": report.ok,
        "seconds": round(report.seconds, 1),
        "acts": [
            {"name": a.name, "ok": a.ok, "seconds": a.seconds, "said": a.detail, "output": a.output}
            for a in report.acts
        ],
    }
