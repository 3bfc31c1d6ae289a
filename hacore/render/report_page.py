"""The report of a stack as a page for people: addresses, hosts, what is managed, changes, runs, drill, and graph."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..address import Address
from ..contract import VERDICTS
from ..drill.timeline import timeline_from_json
from ..graph import depths
from .header import host_lines
from .page import drawn, escaped, page, page_style, preformatted
from .state import runs_text
from .status import member_words, status_json
from .words import count, when

if TYPE_CHECKING:
    from ..engine import StatusReport
    from ..model import Row
    from ..store import RunRecord

RUNS = 20
"""The newest runs that are shown."""

_BOX, _ROW, _COLUMN = 150, 34, 190


def report_page(report: StatusReport, rows: Sequence[Row], runs: Sequence[RunRecord], changes: str) -> str:
    """The page. `changes`: the plan as HTML."""
    word = report.verdict or ("no address" if rows else "nothing recorded")
    parts = [
        f"<h1>{escaped(report.stack)}: <span class={_class(word)}>{escaped(word)}</span></h1>",
        f"<p class=dim>{escaped(when(time.time()))}, serial {report.serial} of the state</p>",
    ]
    if report.problem:
        parts.append(
            f"<p class=yellow>Shown by the state alone, the stack cannot be used: {escaped(report.problem)}</p>"
        )
    if report.unfinished is not None:
        end = "is in progress" if report.running else "was interrupted"
        parts.append(f"<p class=red>Run #{report.unfinished.id} {escaped(report.unfinished.command)} {end}.</p>")
    parts += [*_addresses(report), *_hosts(report), "<h2>Changes</h2>", changes]
    parts += [*_managed(rows), *_runs(runs), *_drill(report), "<h2>What needs what</h2>", graph_svg(rows)]
    return page(f"{report.stack}: {word}", parts, "status", status_json(report))


def _class(verdict: str) -> str:
    colours = {"healthy": "green", "drained": "yellow", "no-redundancy": "yellow"}
    return colours.get(verdict, "red" if verdict in VERDICTS else "dim")


def _addresses(report: StatusReport) -> Iterable[str]:
    for found in report.addresses:
        yield f"<h2>{escaped(found.address)}: <span class={_class(found.verdict)}>{escaped(found.verdict)}</span></h2>"
        if found.cause:
            yield f"<p>{escaped(found.cause)}</p>"
        if found.remedy:
            yield f"<p>Next: <code>{escaped(found.remedy)}</code></p>"
        cells = []
        for member in found.members:
            words = member_words(member, report.daemons.get(member.host, ()))
            cells.append((member.host, "holds it" if member.holds else "", ", ".join(words)))
        yield _table(("member", "", "state"), cells)
        checks = [(check.question, check.by, check.words) for check in found.checks]
        if checks:
            yield _table(("check", "asked by", "result"), checks)


def _hosts(report: StatusReport) -> Iterable[str]:
    style = page_style()
    yield "<h2>Hosts</h2>"
    yield preformatted("\n".join(host_lines(report.hosts, {}, style)), style)


def _managed(rows: Sequence[Row]) -> Iterable[str]:
    yield f"<h2>Managed: {count(len(rows), 'resource')}</h2>"
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.address.kind, []).append(row)
    for kind, found in sorted(kinds.items()):
        tainted = sum(row.tainted for row in found)
        more = f", <span class=red>{tainted} tainted</span>" if tainted else ""
        names = "".join(f"<li>{escaped(row.address)}</li>" for row in sorted(found, key=lambda r: str(r.address)))
        yield f"<details><summary>{escaped(kind)}: {len(found)}{more}</summary><ul>{names}</ul></details>"


def _runs(runs: Sequence[RunRecord]) -> Iterable[str]:
    style = page_style()
    yield "<h2>Last runs</h2>"
    yield preformatted(runs_text(list(runs)[-RUNS:], style), style)


def _drill(report: StatusReport) -> Iterable[str]:
    run = report.drill
    if run is None or not isinstance(run.options, Mapping):
        if not report.addresses:
            return
        yield "<h2>Drill</h2><p>There was none: <code>hacore drill</code> proves the fail-over.</p>"
        return
    verdict = str(run.options.get("verdict", run.status))
    good = "passed" if verdict == "passed" else "failed"
    yield f"<h2>Last drill: <span class={good}>{escaped(verdict)}</span></h2>"
    yield f"<p class=dim>{escaped(when(run.started))}, run {run.id}</p>"
    for one in run.options.get("scenarios", ()):
        yield f"<h3>{escaped(one['scenario'])} of {escaped(one['address'])} on {escaped(one['holder'])}</h3>"
        cells = [("lost", f"{one['lost']} of {one['sent']}", _budget(one["budget"]))]
        if one["took_over"] is not None:
            cells.append(("taken over", f"after {one['took_over']} s", _budget(one.get("double"))))
        if one["returned"] is not None:
            cells.append(("back", f"after {one['returned']} s", _budget(one["back"])))
        yield _table(("", "measured", "budget"), cells)
        line = timeline_from_json(one)
        if line is not None:
            yield drawn(line)
    yield from (f"<p class=failed>{escaped(finding)}</p>" for finding in run.options.get("findings", ()))


def _budget(budget: Mapping[str, Any] | None) -> str:
    return f"{budget['seconds']} s = {budget['formula']}" if budget else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escaped(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def graph_svg(rows: Sequence[Row]) -> str:
    """The recorded resources in columns, each to the right of all that it needs."""
    needs: dict[str, set[str]] = {str(row.address.resource): set() for row in rows}
    for row in rows:
        found = {str(Address.parse(need).resource) for need in row.needs} & needs.keys()
        needs[str(row.address.resource)] |= found - {str(row.address.resource)}
    if not needs:
        return "<p>Nothing is recorded.</p>"
    depth = depths({name: sorted(below) for name, below in sorted(needs.items())})
    columns: dict[int, list[str]] = {}
    for name in sorted(needs):
        columns.setdefault(depth.get(name, 0), []).append(name)
    at = {
        name: (20 + column * _COLUMN, 20 + row * _ROW)
        for column, names in columns.items()
        for row, name in enumerate(names)
    }
    width = 40 + (max(columns) + 1) * _COLUMN
    height = 40 + max(map(len, columns.values())) * _ROW
    size = f'viewBox="0 0 {width} {height}" style="max-width: {width}px"'
    out = [f'<svg {size} role="img" aria-label="what needs what">']
    for name, below in sorted(needs.items()):
        x, y = at[name]
        for need in sorted(below):
            a, b = at[need]
            out.append(
                f'<path d="M{x} {y + 12} C{x - 20} {y + 12} {a + _BOX + 20} {b + 12} {a + _BOX} {b + 12}" '
                'fill="none" stroke="var(--dim)" stroke-opacity=".6"/>'
            )
    for name, (x, y) in at.items():
        shown = name if len(name) < 24 else f"{name[:22]}\u2026"
        out.append(f'<rect x="{x}" y="{y}" width="{_BOX}" height="24" rx="4" fill="none" stroke="var(--dim)"/>')
        out.append(f'<text x="{x + 6}" y="{y + 16}"><title>{escaped(name)}</title>{escaped(shown)}</text>')
    return "".join([*out, "</svg>"])


__all__ = ["graph_svg", "report_page"]
