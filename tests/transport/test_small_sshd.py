"""Whole commands on an sshd that gives little: one session on a connection, three logins under way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.transport.island import Island

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(os.geteuid() != 0, reason="users of a machine's own need a mount namespace"),
]
HACORE = [sys.executable, "-m", "hacore.cli"]
HOSTS = 12


@pytest.fixture
def small(new_island: Callable[..., Island]) -> Island:
    return new_island(extra={"MaxSessions": "1", "MaxStartups": "3"})


def run(folder: Path, *args: str, code: int = 0) -> str:
    done = subprocess.run(
        [*HACORE, *args], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def stack(server: Island, folder: Path, hosts: int, files: int) -> None:
    (folder / "stack.yaml").write_text(
        f"stack: small\nstate: sqlite:///{folder}/state.db\nconnection: "
        f"{{user: {server.user}, become: sudo, port: {server.port}, connect_timeout: 60}}\n"
        "hosts:\n"
        + "".join(f"  web{n}: {{address: 127.0.0.1}}\n" for n in range(hosts))
        + "resources:\n  file:\n"
        + "".join(f"    f{n}: {{path: '{folder}/f{n}-{{{{ host.name }}}}', content: text}}\n" for n in range(files))
    )


def test_a_plan_of_many_hosts_behind_it(small: Island, tmp_path: Path) -> None:
    stack(small, tmp_path, HOSTS, 2)
    plan = json.loads(run(tmp_path, "plan", "--json"))

    assert (plan["complete"], plan["summary"]["create"]) == (True, 2 * HOSTS)
    assert (small.logins(), small.execs()) == (HOSTS, HOSTS)


def test_an_apply_of_many_tasks_over_one_session_at_a_time(small: Island, tmp_path: Path) -> None:
    stack(small, tmp_path, 1, 8)
    run(tmp_path, "apply", "--auto-approve")
    assert [(tmp_path / f"f{n}-web0").read_text() for n in range(8)] == ["text"] * 8

    before = (small.logins(), small.execs())
    assert json.loads(run(tmp_path, "plan", "--json"))["summary"]["noop"] == 8
    assert (small.logins(), small.execs()) == (before[0] + 1, before[1] + 1)
    run(tmp_path, "rollback", "--auto-approve")
    assert list(tmp_path.glob("f*-web0")) == []
