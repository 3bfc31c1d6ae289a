"""The mounts of a lab, found by their mount points."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hacore import proc
from hacore.lab.system import attempt, run, wait_until


def mounts_below(folder: Path) -> list[str]:
    """The mount points in or at `folder`, deepest first."""
    prefix = str(folder)
    points = [mount.point for mount in proc.mounts()]
    return [p for p in reversed(points) if p == prefix or p.startswith(prefix + "/")]


def unmount(folder: Path) -> None:
    """Unmount everything in or at `folder`."""
    for point in mounts_below(folder):
        if not wait_until(partial(_unmounted, point), 2, 0.1):
            # A process uses it. Detached it is hidden at once, and unmounted when the process ends.
            run(["umount", "--lazy", point], f"unmount {point}")


def _unmounted(point: str) -> bool:
    return attempt(["umount", point]).returncode == 0
