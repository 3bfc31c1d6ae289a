"""The control groups of a lab's processes."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from hacore import proc
from hacore.errors import LabError
from hacore.lab.system import wait_until


def cgroup_roots() -> list[Path]:
    """The hierarchies for cgroups without resource control: the named one of systemd, and the unified one."""
    found = [
        Path(mount.point)
        for mount in proc.mounts()
        if mount.type == "cgroup2" or (mount.type == "cgroup" and "name=systemd" in mount.options)
    ]
    return list(dict.fromkeys(found))


class Cgroups:
    """The cgroups of one lab: each twin in one of its own, so that no systemd touches another's units.

    They also show what belongs to the lab: all processes in them, recorded or not, end with it.
    """

    def __init__(self, digest: str) -> None:
        self._bases = [root / f"hacore-lab-{digest}" for root in cgroup_roots()]

    def make(self, name: str) -> list[Path]:
        """The cgroups of `name`, one for each hierarchy of this machine."""
        paths = [base / name for base in self._bases]
        for path in paths:
            path.mkdir(parents=True, exist_ok=True)
        return paths

    def processes(self, name: str = ".") -> set[int]:
        """The numbers of all processes in `name` and below; without a name, of the whole lab."""
        numbers: set[int] = set()
        for base in self._bases:
            for file in (base / name).rglob("cgroup.procs"):
                with contextlib.suppress(OSError):
                    numbers.update(int(n) for n in file.read_text().split())
        return numbers

    def clear(self, name: str = ".", seconds: float = 10) -> None:
        """Kill the processes in `name` and below, also those that are just joining, then remove the cgroups."""

        def removed() -> bool:
            for number in self.processes(name) - {0, os.getpid()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            return all(_removed(base / name) for base in self._bases)

        if not wait_until(removed, seconds):
            if left := sorted(self.processes(name)):
                raise LabError(f"cannot kill the processes {left}: they survive SIGKILL")
            busy = ", ".join(str(base / name) for base in self._bases if (base / name).exists())
            raise LabError(f"cannot remove the cgroups {busy}: they are busy, although no process is in them")


def _removed(top: Path) -> bool:
    """Remove a cgroup with all below it, deepest first; False while something runs there."""
    folders = sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True) if top.exists() else []
    for path in [*folders, top]:
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True
