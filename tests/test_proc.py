"""Parsing of /proc, against the real one and against lines that are hard to read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hacore import proc


def test_this_process_and_its_parent() -> None:
    this = proc.stat(os.getpid())
    assert this is not None
    assert this == proc.stat("self")
    assert (this.parent, this.ended) == (os.getppid(), False)
    assert 0 < this.started / os.sysconf("SC_CLK_TCK") <= proc.uptime()
    assert proc.stat(2**22 + 1) is None


def test_a_name_with_blanks_and_parentheses(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as child:
        try:
            found = proc.stat(child.pid)
            assert found is not None
            assert found.parent == os.getpid()
        finally:
            child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        ended = proc.stat(child.pid)
        assert ended is not None
        assert ended.ended


MOUNTS = r"""
22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 22 0:40 / /srv rw - nfs4 server:/srv rw,vers=4.2
41 40 0:41 / /srv/a\040b\134040 rw - fuse.sshfs host:/x rw,user_id=0
42 22 0:42 / /over rw master:1 - tmpfs tmpfs rw
43 22 0:43 / /over rw - overlay hl-1 rw,lowerdir=/a:/b,volatile
44 22 0:44 / /bare rw - autofs
"""


def test_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "text", lambda _path: MOUNTS.strip())

    assert [mount.point for mount in proc.mounts()] == ["/", "/srv", r"/srv/a b\040", "/over", "/over", "/bare"]
    assert proc.mounts()[4] == proc.Mount("/over", "overlay", ("rw", "lowerdir=/a:/b", "volatile"))
    assert proc.mounts()[5] == proc.Mount("/bare", "autofs", ())

    def type_of(path: str) -> str:
        found = proc.mount_of(Path(path))
        return found.type if found else ""

    assert [type_of(p) for p in ("/", "/srvx", "/srv/x", r"/srv/a b\040/y", "/over", "/over/x")] == [
        *("ext4", "ext4", "nfs4", "fuse.sshfs", "overlay", "overlay")
    ]


def test_the_kernel_knows_what_is_mounted() -> None:
    assert "proc" in proc.file_systems()
    assert "/proc" in {mount.point for mount in proc.mounts()}
    assert len(proc.boot_id()) == 36
    assert proc.pid_namespace().startswith("pid:[")
    assert proc.text("/proc/nothing") == ""
