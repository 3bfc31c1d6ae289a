"""The holder of a lock, and whether that process is still running.

A holder is dead when that can be known: same machine, same pid namespace, and either the machine was
booted since, or no process has the pid, or the process that has it started at another time. A holder of
which this cannot be known counts as alive.

A machine is known by its host name and machine id, which a cloned image copies, and by the UUID of its
hardware, which a clone does not share. The UUID can be read by root only (/sys/class/dmi/id, sysfs(5)) and
is missing on some hardware: it is compared when both sides have it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time

from .. import proc
from .records import LockInfo

_HARDWARE = "/sys/class/dmi/id/product_uuid"


def this_process(who: str, what: str) -> LockInfo:
    """The lock as this process would hold it, with a fresh token."""
    return LockInfo(
        who=who,
        what=what,
        since=time.time(),
        pid=os.getpid(),
        pid_started=_started(os.getpid()),
        pid_space=proc.pid_namespace(),
        boot_id=proc.boot_id(),
        machine_id=proc.text("/etc/machine-id"),
        hostname=socket.gethostname(),
        hardware=_hardware(),
        token=secrets.token_hex(16),
    )


def is_dead(lock: LockInfo) -> bool:
    """Whether the holder has surely ended."""
    if not lock.boot_id or not _is_this_machine(lock):
        return False
    if lock.boot_id != proc.boot_id():
        return bool(lock.machine_id)  # the same machine, booted since; a bare host name proves nothing
    if lock.pid_space != proc.pid_namespace() or not lock.pid_started:
        return False
    try:
        os.kill(lock.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # another user's process; /proc may hide when it started
    now = proc.stat(lock.pid)
    return now is not None and (now.ended or str(now.started) != lock.pid_started)


def is_running_here(lock: LockInfo) -> bool:
    """Whether the holder is a process of this machine that is surely running."""
    known = _is_this_machine(lock) and lock.boot_id == proc.boot_id() and lock.pid_space == proc.pid_namespace()
    return known and bool(lock.pid_started) and not is_dead(lock)


def _is_this_machine(lock: LockInfo) -> bool:
    if (socket.gethostname(), proc.text("/etc/machine-id")) != (lock.hostname, lock.machine_id):
        return False
    here = _hardware()
    return not (here and lock.hardware) or here == lock.hardware


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when that is not known."""
    now = proc.stat(pid)
    return "" if now is None else str(now.started)


def _hardware() -> str:
    """A digest of the machine's UUID: the kernel shows the UUID itself to root only, and states are shared."""
    uuid = proc.text(_HARDWARE)
    return hashlib.sha256(f"hacore lock {uuid}".encode()).hexdigest()[:16] if uuid else ""
