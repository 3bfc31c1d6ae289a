"""The report of a drill as a page: one file without external assets, for a browser or a ticket."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

from .drill import drill_json
from .words import when

if TYPE_CHECKING:
    from ..drill.measured import Measured
    from ..engine.drilling.run import DrillResult

WIDTH, LEFT = 960, 90
_STYLE = """
:root { color-scheme: light dark; --fg: #1c2733; --dim: #5c6b7a; --bg: #fff; --line: #d5dde5; --good: #1a7f4b;
  --bad: #c22f2f; --a: #3b76c4; --b: #c98a1b }
@media (prefers-color-scheme: dark) {
  :root { --fg: #e4eaf0; --dim: #93a1b0; --bg: #12181f; --line: #2e3a46; --good: #4cc38a; --bad: #f27171;
    --a: #6fa8f0; --b: #e5b356 }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); max-width: 1000px;
  margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 }
.dim { color: var(--dim) }
.passed { color: var(--good) }
.failed, .void { color: var(--bad) }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: var(--fg) }
"""


def drill_page(done: DrillResult) -> str:
    """The page: verdict, a table and a time line for each scenario, and the numbers as JSON."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Drill of {_text(done.stack)}: {_text(done.verdict)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Drill of {_text(done.stack)}: <span class={done.verdict}>{_text(done.verdict)}</span></h1>",
        f"<p class=dim>{_text(when(done.started))}, run {done.run}, {done.order.rate:g} new connections a second</p>",
    ]
    if not done.restored:
        parts.append(f"<p class=failed>{_text(done.problem)}</p>")
    parts += [f"<p class=failed>{_text(finding)}</p>" for finding in done.findings]
    for one in done.scenarios:
        parts += _scenario(one)
    data = json.dumps(drill_json(done)).replace("<", "\\u003c")
    parts.append(f'<script type="application/json" id="drill">{data}</script></body></html>')
    return "\n".join(parts) + "\n"


def _text(text: object) -> str:
    return html.escape(str(text))


def _scenario(one: Measured) -> list[str]:
    failures = [one.void] if one.void else list(one.failures())
    word = "failed" if failures else "passed"
    rows = [
        ("lost", f"{len(one.lost)} of {len(one.requests)}", f"{one.budget}"),
        ("longest gap", f"{one.gap:.2f} s", ""),
        ("taken over", "no" if one.took_over is None else f"after {one.took_over:.1f} s", ""),
    ]
    if one.back is not None:
        rows.append(("back", "no" if one.returned is None else f"after {one.returned:.1f} s", f"{one.back}"))
    rows += [("held twice", f"{one.doubled:.1f} s", ""), ("slowest answer", f"{one.slowest:.2f} s", "below 0.9 s")]
    cells = (f"<tr><th>{a}</th><td>{_text(b)}</td><td class=dim>{_text(c)}</td></tr>" for a, b, c in rows)
    return [
        f"<h2>{one.scenario}: <span class={word}>{word}</span></h2>",
        f"<p>{_text(one.address)}, held by {_text(one.holder)}</p>",
        *(f"<p class=failed>{_text(text)}</p>" for text in failures),
        f"<table><tr><th></th><th>measured</th><th>budget</th></tr>{''.join(cells)}</table>",
        _timeline(one),
    ]


def _timeline(one: Measured) -> str:
    """Requests by the second, the holders, and the two events, on one axis of seconds."""
    end = max([o.at for o in one.looks] + [r.at for r in one.requests] + [one.restored, 1.0])
    scale = (WIDTH - LEFT - 20) / end

    def x(at: float) -> float:
        return round(LEFT + at * scale, 1)

    def bar(at: float, width: float, y: int, colour: str) -> str:
        return f'<rect x="{x(at)}" y="{y}" width="{width:.1f}" height="16" fill="var(--{colour})"/>'

    hosts = sorted({host for o in one.looks for host in o.holders} | {one.holder})
    bottom = 44 + 26 * len(hosts)
    out = [f'<svg viewBox="0 0 {WIDTH} {bottom + 42}" role="img" aria-label="time line">']
    out += ['<text x="0" y="24">requests</text><g opacity=".35">', bar(0.0, end * scale, 12, "good"), "</g>"]
    out += [bar(request.at, max(1.0, scale / one.rate), 12, "bad") for request in one.lost]
    for row, host in enumerate(hosts):
        y = 38 + 26 * row
        out.append(f'<text x="0" y="{y + 13}">{_text(host)}</text>')
        held = [(a.at, b.at - a.at) for a, b in zip(one.looks, one.looks[1:], strict=False) if host in a.holders]
        out += [bar(at, max(0.5, seconds * scale + 0.3), y, "ab"[row % 2]) for at, seconds in held]
    for at, word in ((one.acted, one.scenario), (one.restored, "restored")):
        line = f'<line x1="{x(at)}" x2="{x(at)}" y1="6" y2="{bottom}" stroke="currentColor" stroke-dasharray="3 3"/>'
        out += [line, f'<text x="{x(at) + 3}" y="{bottom + 12}">{word}, {at:.1f} s</text>']
    ticks = range(0, int(end) + 1, max(1, round(end / 12)))
    out += [f'<text x="{x(second)}" y="{bottom + 30}" fill="var(--dim)">{second}</text>' for second in ticks]
    return "".join([*out, "</svg>"])


__all__ = ["drill_page"]
