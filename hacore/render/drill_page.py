"""The report of a drill as a page: one file without external assets, for a browser or a ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..drill.timeline import timeline
from .drill import drill_json
from .page import drawn, escaped, page
from .words import when

if TYPE_CHECKING:
    from ..drill.measured import Measured
    from ..engine.drilling.run import DrillResult


def drill_page(done: DrillResult) -> str:
    """The page: verdict, a table and a time line for each scenario, and the numbers as JSON."""
    parts = [
        f"<h1>Drill of {escaped(done.stack)}: <span class={done.verdict}>{escaped(done.verdict)}</span></h1>",
        f"<p class=dim>{escaped(when(done.started))}, run {done.run}, {done.order.rate:g} new connections a second</p>",
    ]
    if not done.restored:
        parts.append(f"<p class=failed>{escaped(done.problem)}</p>")
    parts += [f"<p class=failed>{escaped(finding)}</p>" for finding in done.findings]
    for one in done.scenarios:
        parts += _scenario(one)
    return page(f"Drill of {done.stack}: {done.verdict}", parts, "drill", drill_json(done))


def _scenario(one: Measured) -> list[str]:
    failures = [one.void] if one.void else list(one.failures())
    word = "failed" if failures else "passed"
    rows = [
        ("lost", f"{len(one.lost)} of {len(one.requests)}", f"{one.budget}"),
        ("cut", f"{len(one.cuts)} open connections" if len(one.cuts) != 1 else "1 open connection", ""),
        ("longest gap", f"{one.gap:.2f} s", ""),
        ("taken over", "no" if one.took_over is None else f"after {one.took_over:.1f} s", ""),
    ]
    if one.back is not None:
        rows.append(("back", "no" if one.returned is None else f"after {one.returned:.1f} s", f"{one.back}"))
    rows += [("held twice", f"{one.doubled:.1f} s", ""), ("slowest answer", f"{one.slowest:.2f} s", "below 0.9 s")]
    cells = (f"<tr><th>{a}</th><td>{escaped(b)}</td><td class=dim>{escaped(c)}</td></tr>" for a, b, c in rows)
    return [
        f"<h2>{one.scenario}: <span class={word}>{word}</span></h2>",
        f"<p>{escaped(one.address)}, held by {escaped(one.holder)}</p>",
        *(f"<p class=failed>{escaped(text)}</p>" for text in failures),
        f"<table><tr><th></th><th>measured</th><th>budget</th></tr>{''.join(cells)}</table>",
        drawn(timeline(one)),
    ]


__all__ = ["drill_page"]
