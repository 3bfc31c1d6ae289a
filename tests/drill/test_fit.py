"""What permits a drill, asked on this machine, which is not a twin."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hacore.engine.drilling.fit import TWIN, WORKING
from tests.forking import fork


def test_this_machine_is_not_a_twin() -> None:
    assert subprocess.run(["sh", "-c", TWIN], check=False, env={"HACORE_TWIN": "1", "PATH": "/usr/bin:/bin"}).returncode


@contextmanager
def locking(file: Path, root: Path | None = None) -> Iterator[int]:
    """A process that has locked a file as dpkg does, with another root as in a container."""
    here, there = os.pipe()
    pid = fork()
    if pid == 0:
        with file.open("w") as locked:
            fcntl.lockf(locked, fcntl.LOCK_EX)
            if root is not None:
                os.chroot(root)
            os.write(there, b"1")
            signal.pause()  # until it is killed
    try:
        assert os.read(here, 1) == b"1"
        yield pid
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(here)
        os.close(there)


def working(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh"], input=f"locks='{file}'\n{WORKING}", capture_output=True, text=True, check=False)


def test_who_changes_packages_is_named(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert (working(file).returncode, working(file).stderr) == (0, "")
    with locking(file) as pid:
        done = working(file)
        assert done.returncode == 1
        assert done.stderr == (
            f"packages are being changed there (process {pid} has locked {file}): try again afterwards\n"
        )
    assert (working(file).returncode, working(file).stderr) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its root")
def test_what_a_container_locks_is_another_file(tmp_path: Path) -> None:
    """Its inode may have the same number."""
    file = tmp_path / "lock"
    with locking(file, tmp_path):
        assert (working(file).returncode, working(file).stderr) == (0, "")
