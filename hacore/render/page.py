"""Pages for a browser or a ticket: one file, without a script and without anything from elsewhere."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any

from ..drill.timeline import Timeline
from ..printable import printable
from .style import Style

WIDTH, LEFT = 960, 90
_STYLE = """
:root { color-scheme: light dark; --fg: #1c2733; --dim: #5c6b7a; --bg: #fff; --line: #d5dde5; --good: #1a7f4b;
  --bad: #c22f2f; --warn: #94600d; --a: #3b76c4; --b: #c98a1b }
@media (prefers-color-scheme: dark) {
  :root { --fg: #e4eaf0; --dim: #93a1b0; --bg: #12181f; --line: #2e3a46; --good: #4cc38a; --bad: #f27171;
    --warn: #e5b356; --a: #6fa8f0; --b: #e5b356 }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); max-width: 1000px;
  margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 }
.dim { color: var(--dim) }
.passed, .healthy, .green { color: var(--good) }
.failed, .void, .red { color: var(--bad) }
.yellow { color: var(--warn) }
.cyan { color: var(--a) }
.bold { font-weight: 600 }
pre { overflow-x: auto; font: 14px/1.45 ui-monospace, monospace; border: 1px solid var(--line); padding: .8rem }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: var(--fg) }
"""
_CLASSES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}


def page(title: str, parts: Iterable[str], name: str, data: Any) -> str:
    """A page: `parts` are HTML, `data` stands in it as JSON, in the element `name`."""
    numbers = json.dumps(data).replace("<", "\\u003c")
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escaped(title)}</title><style>{_STYLE}</style></head><body>",
    ]
    foot = f'<script type="application/json" id="{name}">{numbers}</script></body></html>'
    return "\n".join([*head, *parts, foot]) + "\n"


def escaped(text: object) -> str:
    """A text in HTML; what cannot be printed is shown by its code."""
    return html.escape(printable(str(text)))


def page_style() -> Style:
    """A style for `preformatted`, with a mark that no text can have."""
    return Style(True, f";{secrets.randbelow(10**12)}")


def preformatted(text: str, style: Style) -> str:
    """The text of a terminal, with its colours."""
    parts = re.split(rf"\x1b\[([0-9]+){style.mark}m", text)
    out = []
    for number, part in enumerate(parts):
        if number % 2 == 0:
            out.append(escaped(part))
        elif part == "0":
            out.append("</span>")
        else:
            out.append(f'<span class="{_CLASSES[part]}">')
    return f"<pre>{''.join(out)}</pre>"


def drawn(line: Timeline) -> str:
    """A time line as SVG: requests by the second, the holders, and the two events, on one axis of seconds."""
    scale = (WIDTH - LEFT - 20) / line.end

    def x(at: float) -> float:
        return round(LEFT + at * scale, 1)

    def bar(at: float, width: float, y: int, colour: str) -> str:
        return f'<rect x="{x(at)}" y="{y}" width="{width:.1f}" height="16" fill="var(--{colour})"/>'

    hosts = sorted({host for _, held in line.holders for host in held} | {line.holder})
    bottom = 44 + 26 * len(hosts)
    out = [f'<svg viewBox="0 0 {WIDTH} {bottom + 42}" role="img" aria-label="time line">']
    out += ['<text x="0" y="24">requests</text><g opacity=".35">', bar(0.0, line.end * scale, 12, "good"), "</g>"]
    out += [bar(at, max(1.0, scale / line.rate), 12, "bad") for at in line.lost]
    ends = [*(at for at, _ in line.holders[1:]), line.end]
    for row, host in enumerate(hosts):
        y = 38 + 26 * row
        out.append(f'<text x="0" y="{y + 13}">{escaped(host)}</text>')
        held = [(at, end - at) for (at, names), end in zip(line.holders, ends, strict=True) if host in names]
        out += [bar(at, max(0.5, seconds * scale + 0.3), y, "ab"[row % 2]) for at, seconds in held]
    for at, word in ((line.acted, line.word), (line.restored, "restored")):
        stroke = f'<line x1="{x(at)}" x2="{x(at)}" y1="6" y2="{bottom}" stroke="currentColor" stroke-dasharray="3 3"/>'
        out += [stroke, f'<text x="{x(at) + 3}" y="{bottom + 12}">{escaped(word)}, {at:.1f} s</text>']
    ticks = range(0, int(line.end) + 1, max(1, round(line.end / 12)))
    out += [f'<text x="{x(second)}" y="{bottom + 30}" fill="var(--dim)">{second}</text>' for second in ticks]
    return "".join([*out, "</svg>"])


__all__ = ["drawn", "escaped", "page", "page_style", "preformatted"]
