"""The results of benchmarks: lines of a table, and the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One thing measured. `wall` and `cpu` (user + system) in seconds, `rss` (peak) in MB, ratios to the floor."""

    bench: str
    what: str
    wall: float | None = None
    cpu: float | None = None
    rss: float | None = None
    wall_ratio: float | None = None
    cpu_ratio: float | None = None
    execs: float | None = None
    goal: str = ""


_HEAD = ("what", "wall s", "cpu s", "MB", "wall x", "cpu x", "execs", "goal")


def text(lines: Sequence[Line]) -> str:
    """A table for each benchmark."""
    rows = [(line.bench, _cells(line)) for line in lines]
    widths = [max(len(head), *(len(cells[i]) for _, cells in rows)) for i, head in enumerate(_HEAD)]
    out: list[str] = []
    last = ""
    for bench, cells in rows:
        if bench != last:
            out += ["", bench, _row(_HEAD, widths)]
            last = bench
        out.append(_row(cells, widths))
    return "\n".join(out[1:])


def values(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """For JSON, without measures that are missing."""
    return [{k: v for k, v in asdict(line).items() if v not in (None, "")} for line in lines]


def _cells(line: Line) -> tuple[str, ...]:
    numbers = (f"{v:.3f}" if v is not None else "" for v in (line.wall, line.cpu))
    ratios = (f"{v:.2f}" if v is not None else "" for v in (line.wall_ratio, line.cpu_ratio))
    rss = "" if line.rss is None else f"{line.rss:.0f}"
    execs = "" if line.execs is None else f"{line.execs:g}"
    return (line.what, *numbers, rss, *ratios, execs, line.goal)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = [c.ljust(w) if i in (0, 7) else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
    return ("  " + "  ".join(parts)).rstrip()
