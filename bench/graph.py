"""Plans of large graphs without hosts: the growth of time and memory."""

from __future__ import annotations

import json
import sys

from .child import environment, run
from .table import Line

SIZES = (1_000, 10_000, 100_000)
GOALS = {10_000: "2 s", 100_000: "20 s, and linear"}
PHASES = ("import", "load", "graph", "create", "no-op")


def graph(times: int, sizes: tuple[int, ...] = SIZES) -> list[Line]:
    """A process for each size: load, graph and a plan that creates all; then a plan with nothing to do.

    Its line is the process up to the end of the first plan, as `hacore plan` would have it;
    `cpu x` compares the time per instance with that of the first size: 1 is linear. The largest
    size runs once, the others up to `times` times; the best counts.
    """
    lines: list[Line] = []
    each: float | None = None
    for size in sizes:
        repeats = 1 if size >= 100_000 else min(times, 3)
        argv = [sys.executable, "-m", "bench.graph_child", str(size)]
        found = min((json.loads(run(argv, environment()).stdout) for _ in range(repeats)), key=lambda f: f["cpu"])
        per = (found["cpu"] - found["phases"]["import"]) / size
        each = each or per
        name = f"{size:,} instances"
        lines.append(
            Line(
                "graph",
                name,
                found["wall"],
                found["cpu"],
                found["rss"] / 1e6,
                cpu_ratio=per / each,
                goal=GOALS.get(size, ""),
            )
        )
        lines += [Line("graph", f"  {phase}", cpu=found["phases"][phase]) for phase in PHASES]
    return lines
