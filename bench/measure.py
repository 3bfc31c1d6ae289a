"""One plan measured against the bare script, in the same run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .child import HACORE, Run, run, side_by_side
from .table import Line

GOAL = "1.5 x the floor"


def measure(
    title: str,
    folder: Path,
    targets: Sequence[str],
    environ: Mapping[str, str],
    execs: Callable[[], Sequence[int]] | None,
    times: int,
    before: Sequence[str] = (),
) -> list[Line]:
    """Apply the stack in `folder` once, then plan it in turn with the two floors.

    `before` is the beginning of every argv; `execs` counts the execs of each host.
    """
    run([*before, *HACORE, "apply", "--auto-approve", str(folder)], environ)
    asked: list[int] = []

    def plan_once() -> Run:
        counts = execs() if execs is not None else ()
        done = run([*before, *HACORE, "plan", "--detailed-exitcode", str(folder)], environ)
        if execs is not None:
            asked.extend(now - was for now, was in zip(execs(), counts, strict=True))
        return done

    def floor(how: str) -> Callable[[], Run]:
        argv = [*before, sys.executable, "-m", "bench.floor", how, str(folder), *targets]
        return lambda: run(argv, environ)

    bare, imports, mine = "bare asyncssh script", "the same, with our libraries imported", "hacore plan"
    found = side_by_side({bare: floor("bare"), imports: floor("imports"), mine: plan_once}, times)
    base = found[bare]
    return [
        Line(
            title,
            what,
            one.wall,
            one.cpu,
            one.rss / 1e6,
            None if one is base else one.wall / base.wall,
            None if one is base else one.cpu / base.cpu,
            execs=(max(asked) if asked else None) if what == mine else 1,
            goal=GOAL + ", 1 exec" if what == mine else "",
        )
        for what, one in found.items()
    ]
