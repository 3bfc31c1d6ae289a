"""Who holds a lock, and whether that process still lives. Reads /proc only.

A holder is dead when it can be known: same machine, same pid namespace, and either the machine was
booted since, or no process has the pid, or the one that has it started at another time. Whatever
cannot be known counts as alive.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from pathlib import Path

from .records import LockInfo


def this_process(who: str, what: str) -> LockInfo:
    """The lock as this process would hold it, with a fresh token."""
    return LockInfo(
        who=who,
        what=what,
        since=time.time(),
        pid=os.getpid(),
        pid_started=_started(os.getpid()),
        pid_space=_pid_space(),
        boot_id=_text("/proc/sys/kernel/random/boot_id"),
        machine_id=_text("/etc/machine-id"),
        hostname=socket.gethostname(),
        token=secrets.token_hex(16),
    )


def is_dead(lock: LockInfo) -> bool:
    """Whether the holder is surely gone."""
    here = (socket.gethostname(), _text("/etc/machine-id"))
    if here != (lock.hostname, lock.machine_id) or not lock.boot_id:
        return False
    if lock.boot_id != _text("/proc/sys/kernel/random/boot_id"):
        return bool(lock.machine_id)  # the same machine, booted since; a bare host name proves nothing
    if lock.pid_space != _pid_space() or not lock.pid_started:
        return False
    try:
        os.kill(lock.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives; it is another user's, and /proc may hide when it started
    started = _started(lock.pid)
    return started not in ("", lock.pid_started) or _is_zombie(lock.pid)


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when it is not told. See proc(5), stat."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and only its parent has not looked yet."""
    return _stat(pid)[:1] in (["Z"], ["X"])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may hold blanks and brackets."""
    return _text(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _pid_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - not a path that leads anywhere
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""
