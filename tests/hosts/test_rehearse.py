"""`hacore rehearse` on twins: what `hacore init` writes comes out, a stack that leaves something behind does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hacore.lab import Lab

pytestmark = pytest.mark.twins

HACORE = str(Path(sys.executable).with_name("hacore"))
NAME = f"begun-{os.getpid()}"
LITTER = f"""\
stack: {NAME}
connection: {{user: ops, become: sudo}}
hosts: {{box: {{address: 192.0.2.11}}}}
resources:
  command:
    litter: {{check: test -e /etc/litter, do: "touch /etc/litter /etc/more-litter", undo: "rm -f /etc/litter"}}
"""


def hacore(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HACORE, *words], capture_output=True, text=True, cwd=folder, stdin=subprocess.DEVNULL)


def labs() -> set[str]:
    return {lab.name for lab in Lab.list_labs()}


def test_what_init_writes_is_valid_and_can_be_rehearsed(tmp_path: Path) -> None:
    pair = ("--host", "lb1=192.0.2.11", "--host", "lb2=192.0.2.12", "--vip", "192.0.2.200")
    assert hacore(tmp_path, "init", "--name", NAME, *pair).returncode == 0
    assert hacore(tmp_path, "validate").returncode == 0

    done = hacore(tmp_path, "rehearse", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["ok"], report["hosts"]) == (True, ["lb1", "lb2"])
    names = ["twins", "plan", "apply", "again", "drift", "heal", "rollback", "forward", "destroy"]
    assert [act["name"] for act in report["acts"]] == names
    assert "edited /etc/nginx/nginx.conf on lb2" in report["acts"][4]["said"]
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [".gitignore", "nginx.conf.j2", "stack.yaml"]
    assert f"{NAME}-rehearsal" not in labs()


def test_a_stack_that_leaves_something_behind_does_not_come_out(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(LITTER)

    done = hacore(tmp_path, "rehearse")

    assert done.returncode == 1
    assert "FAIL  rollback" in done.stdout
    assert "box: path /etc/more-litter: new" in done.stdout
    assert "/etc/litter:" not in done.stdout
    assert f"{NAME}-rehearsal" not in labs()
