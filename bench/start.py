"""Start-up: the cost of a command before it does anything."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .child import HACORE, environment, run, side_by_side
from .table import Line

_EMPTY = "stack: empty\nhosts: {here: {address: localhost, connection: {transport: local}}}\n"


def start(times: int) -> list[Line]:
    """The bare interpreter, `--version`, `--help`, and the plan of an empty stack."""
    with tempfile.TemporaryDirectory(prefix="hacore-bench-") as name:
        folder = Path(name)
        (folder / "stack.yaml").write_text(_EMPTY)
        environ = environment(folder)
        calls = {
            "python -c pass": lambda: run([sys.executable, "-c", "pass"], environ),
            "hacore --version": lambda: run([*HACORE, "--version"], environ),
            "hacore --help": lambda: run([*HACORE, "--help"], environ),
            "hacore validate, empty stack": lambda: run([*HACORE, "validate", name], environ),
            "hacore plan, empty stack": lambda: run([*HACORE, "plan", name], environ),
        }
        found = side_by_side(calls, times)
    floor = found["python -c pass"]
    goals = {"hacore --version": "0.15 s wall on an idle machine"}
    return [
        Line(
            "start-up",
            what,
            one.wall,
            one.cpu,
            one.rss / 1e6,
            None if one is floor else one.wall / floor.wall,
            None if one is floor else one.cpu / floor.cpu,
            goal=goals.get(what, ""),
        )
        for what, one in found.items()
    ]
