"""Programs, processes and locks of this machine, for all parts of the lab."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hacore import proc
from hacore.errors import LabError

NEEDED = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "setsid": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "chroot": "coreutils",
}
"""The programs a lab runs, and the Debian package each comes from."""


def check_prerequisites() -> list[str]:
    """What this machine lacks for a lab, a line for each; empty if a lab can be created."""
    missing = [] if os.geteuid() == 0 else ["root (a lab creates namespaces and mounts)"]
    missing += [f"{tool} (Debian package {package})" for tool, package in NEEDED.items() if not shutil.which(tool)]
    if not (shutil.which("nft") or shutil.which("iptables")):
        missing.append("nft or iptables (Debian package nftables)")
    if "overlay" not in proc.file_systems():
        # Most kernels have it as a module, which mount loads.
        done = (
            subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
            if shutil.which("modprobe")
            else None
        )
        if done is None or done.returncode != 0:
            missing.append("overlayfs in the kernel")
    return missing


def run(
    argv: Sequence[str],
    what: str,
    *,
    given: str | None = None,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> str:
    """Run a program and return its output; `what` completes "cannot ..." if it fails.

    With `log` the output is appended to that file instead. `timeout` is in seconds.
    """
    try:
        with contextlib.ExitStack() as stack:
            out = subprocess.PIPE if log is None else stack.enter_context(log.open("ab")).fileno()
            done = subprocess.run(
                argv,
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                stdout=out,
                stderr=subprocess.PIPE if log is None else subprocess.STDOUT,
                env=None if env is None else {**os.environ, **env},
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
    except FileNotFoundError as error:
        raise LabError(f"cannot {what}: {argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"cannot {what}: {argv[0]} did not end within {timeout:g}s") from error
    if done.returncode != 0:
        detail = tail(log) if log is not None else (done.stderr or done.stdout).strip()
        raise LabError(f"cannot {what}: {argv[0]} exited with {done.returncode}: {detail}")
    return done.stdout or ""


def attempt(argv: Sequence[str], *, given: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program and return its result, also when it fails."""
    try:
        return subprocess.run(
            argv,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(list(argv), 127, "", str(error))


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, without the colours and cursor moves of a console."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        return f"(no log: {error.strerror})"
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r", "", text)
    return "\n".join([line for line in plain.splitlines() if line.strip()][-lines:])


@dataclass(frozen=True)
class Process:
    """A process by pid and start time (clock ticks since boot): a pid alone may be reused."""

    pid: int
    start: int

    @classmethod
    def read(cls, path: Path) -> Process | None:
        """The process that `spawn` recorded in `path`; None if there is no record."""
        try:
            pid, start = path.read_text().split()
            return cls(int(pid), int(start))
        except (OSError, ValueError):
            return None

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The current process with this pid; None if there is none."""
        now = proc.stat(pid)
        return None if now is None else cls(pid, now.started)

    def alive(self) -> bool:
        """Whether it is running; a process that has ended but is not reaped yet is not."""
        now = proc.stat(self.pid)
        return now is not None and now.started == self.start and not now.ended

    def signal(self, number: int) -> None:
        """Send a signal, if it is still the same process."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


# The process writes its record itself before it executes the program, so the program never runs unrecorded.
# $0 is the record, $1 the number of cgroup.procs files that follow, then those, then the program.
_SPAWN = """
count=$1; shift
while [ "$count" -gt 0 ]; do echo $$ > "$1" || exit 1; shift; count=$((count - 1)); done
cut -d' ' -f1,22 /proc/$$/stat > "$0" || exit 1
exec "$@"
"""


def spawn(
    argv: Sequence[str], *, record: Path, log: Path, cgroups: Sequence[Path], env: Mapping[str, str] = {}
) -> Process:
    """Start a program that outlives this process, in its own cgroups; its pid is in `record`, its output in `log`."""
    record.unlink(missing_ok=True)
    join = [str(c / "cgroup.procs") for c in cgroups]
    with log.open("ab") as out:
        subprocess.run(
            ["setsid", "--fork", "sh", "-c", _SPAWN, str(record), str(len(join)), *join, *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            cwd="/",
            check=True,
        )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        process = Process.read(record)
        if process is not None:
            return process
        time.sleep(0.005)
    raise LabError(f"cannot start {argv[0]}: {tail(log)}")


def wait_until(check: Callable[[], bool], seconds: float, step: float = 0.02) -> bool:
    """Call `check()` until it is true; False after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if check():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(step)


def kill_all(processes: Iterable[Process], seconds: float = 10) -> None:
    """Kill these processes and wait until they have ended."""
    rest = list(processes)
    for process in rest:
        process.signal(signal.SIGKILL)
    if not wait_until(lambda: not any(p.alive() for p in rest), seconds):
        alive = ", ".join(str(p.pid) for p in rest if p.alive())
        raise LabError(f"cannot kill the processes {alive}: they survive SIGKILL")


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Make files as a fresh system has them, whatever umask the user likes."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder: one lab program at a time. The lock ends with the process."""
    while True:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            _check_own(handle, folder)
            fcntl.flock(handle, fcntl.LOCK_EX)
            # The former holder may have removed the folder: then this is the lock of a deleted folder.
            if _same(handle, folder):
                yield
                return
        finally:
            os.close(handle)


def _check_own(handle: int, folder: Path) -> None:
    """Check that only this user can write to a folder of which files are run and removed as root."""
    found = os.fstat(handle)
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise LabError(
            f"cannot use {folder}: it belongs to uid {found.st_uid} with mode {found.st_mode & 0o7777:04o}; "
            f"it must belong to uid {os.geteuid()} and be writable for its owner only"
        )


def _same(handle: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False
