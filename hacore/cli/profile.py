"""`--profile`: the time that each phase of a command took."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path


def since_start() -> float:
    """Seconds since the start of this process (proc(5), field 22 of /proc/self/stat); 0 where unknown."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return max(uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"), 0.0)
    except (OSError, ValueError, IndexError):
        return 0.0


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
