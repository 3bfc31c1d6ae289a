"""`--profile`: the time that each phase of a command took."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from .. import proc


def since_start() -> float:
    """Seconds since this process began, as the kernel has it; 0 where it has no /proc."""
    this = proc.stat("self")
    return 0.0 if this is None else max(proc.uptime() - this.started / os.sysconf("SC_CLK_TCK"), 0.0)


class Clock:
    """Laps of a command; the first one, `start`, is the time of the interpreter and the command line."""

    def __init__(self) -> None:
        self._laps: dict[str, float] = {"start": since_start()}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a lap that is called `name`."""
        now = time.perf_counter()
        self._laps[name] = now - self._last
        self._last = now

    def text(self, phases: Mapping[str, float]) -> str:
        """A line per lap; `phases` are parts of the lap `engine`, and may overlap."""
        lines = []
        for name, seconds in self._laps.items():
            lines.append(f"{name:<10} {seconds:7.3f} s")
            if name == "engine":
                lines += [f"  {phase:<8} {took:7.3f} s" for phase, took in phases.items()]
        return "\n".join([*lines, f"{'total':<10} {sum(self._laps.values()):7.3f} s"])
