"""What this machine's kernel reports of processes, mounts and itself: all parsing of /proc, see proc(5).

Nothing here raises for what cannot be read: an answer that is not known is empty, None or 0.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_STATE, _PARENT, _STARTED = 0, 1, 19  # fields of /proc/PID/stat, counted from the state on


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """A line of /proc/PID/stat: `state` is a letter, `parent` a pid, `started` clock ticks since boot."""

    state: str
    parent: int
    started: int

    @property
    def ended(self) -> bool:
        """Whether the process has ended and only waits for its parent to reap it."""
        return self.state in ("Z", "X")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/self/mountinfo: where it is mounted, the file system's type, and its super options."""

    point: str
    type: str
    options: tuple[str, ...]


def stat(pid: int | str) -> ProcessStat | None:
    """The state of a process (`self` for this one); None when there is none, or /proc hides it."""
    # the name, in parentheses before the state, may hold blanks and parentheses itself
    fields = text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) <= _STARTED:
        return None
    return ProcessStat(fields[_STATE], int(fields[_PARENT]), int(fields[_STARTED]))


def boot_id() -> str:
    """The id that the kernel draws at each boot."""
    return text("/proc/sys/kernel/random/boot_id")


def pid_namespace() -> str:
    """The pid namespace of this process: numbers of processes mean something within one only."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - not a path that leads anywhere
    except OSError:
        return ""


def uptime() -> float:
    """Seconds since boot."""
    return float((text("/proc/uptime").split() or ["0"])[0])


def file_systems() -> frozenset[str]:
    """The types of file systems that the kernel can mount without loading a module."""
    return frozenset(line.split()[-1] for line in text("/proc/filesystems").splitlines())


def mounts() -> list[Mount]:
    """All mounts that this process sees, in the order in which they were made."""
    found: list[Mount] = []
    for line in text("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        words = right.split(maxsplit=2)
        options = tuple(words[2].split(",")) if len(words) > 2 else ()
        found.append(Mount(_unescaped(left.split()[4]), words[0], options))
    return found


def mount_of(path: Path) -> Mount | None:
    """The mount that a path, resolved, lies on; its deepest existing parent counts for a path that does not exist."""
    wanted = path.resolve()
    over = [mount for mount in mounts() if wanted.is_relative_to(mount.point)]
    longest = max((len(mount.point) for mount in over), default=0)
    return next((mount for mount in reversed(over) if len(mount.point) == longest), None)  # the last one covers


def text(path: str) -> str:
    """The text of a small file of the kernel's; empty when it cannot be read."""
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _unescaped(point: str) -> str:
    """A mount point: blanks, tabs, newlines and backslashes are octal in mountinfo."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)


__all__ = [
    "Mount",
    "ProcessStat",
    "boot_id",
    "file_systems",
    "mount_of",
    "mounts",
    "pid_namespace",
    "stat",
    "text",
    "uptime",
]
