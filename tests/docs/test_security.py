"""docs/cli.md, "A stack is code": `validate` starts no process and opens no connection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted([*ROOT.glob("stacks/*/stack.yaml"), *ROOT.glob("docs/examples/*.yaml")])
WATCHED = """
import sys
BAD = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn",
       "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "sqlite3.connect", "urllib.Request")
def watch(event, args):
    if event in BAD:
        print("AUDIT", event, args, file=sys.stderr, flush=True)
sys.addaudithook(watch)
from hacore.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def validate(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "HACORE_VAR_vrrp_password": "example", "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    argv = [sys.executable, "-c", WATCHED, "validate", str(path)]
    return subprocess.run(argv, env=environ, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("path", STACKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_validate_starts_no_process_and_opens_no_connection(path: Path, tmp_path: Path) -> None:
    done = validate(path, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "AUDIT" not in done.stderr
    assert not list(tmp_path.iterdir()), "validate writes nothing"


HOSTILE = """\
stack: hostile
state: postgresql://ci@127.0.0.1:1/web
hosts: {here: {address: localhost, connection: {transport: local}}}
resources:
  command: {c: {check: "touch ran", do: "touch ran", undo: "true"}}
  source_build:
    b: {source: "http://127.0.0.1:1/x-1.tar.gz", sha256: "SHA", binary: /tmp/x, environment: {CC: ./evil}}
"""


def test_validate_runs_nothing_of_a_stack_that_plan_would_run(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "stack.yaml").write_text(HOSTILE.replace("SHA", "0" * 64))

    done = validate(tmp_path / "stack", tmp_path)

    assert done.returncode == 0, done.stderr
    assert "AUDIT" not in done.stderr
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["stack", "stack.yaml"]


def test_the_watch_sees_processes_and_connections() -> None:
    code = WATCHED.split("from hacore")[0] + "import subprocess, socket\nsubprocess.run(['true'])\n"
    code += "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))\n"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert "AUDIT subprocess.Popen" in done.stderr
    assert "AUDIT socket.connect" in done.stderr
