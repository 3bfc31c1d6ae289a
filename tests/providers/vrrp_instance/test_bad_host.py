"""Real shells and real programs: one that hangs, one that prints without end; the rest of the host is shown."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hacore.contract import Ask
from hacore.engine import LoadRequest, Means, Planned, Request, plan
from hacore.engine.status_check import StatusReport
from hacore.load import load_providers
from hacore.plan import plan_json
from hacore.render.status import status_exit_code
from hacore_providers.facts.keepalived import VERSION
from tests.transport.sshd import appears, gone

STACK = """
stack: pair
hosts:
  here: {{address: localhost, connection: {{transport: local}}}}
  there: {{address: localhost, connection: {{transport: local}}}}
resources:
  file:
    note: {{hosts: here, path: "{folder}/note", content: "hello"}}
  vrrp_instance:
    VI_1:
      members: [here, there]
      interface: eth9
      priority: "{{{{ 100 if host.name == 'here' else 90 }}}}"
      virtual_router_id: 66
      binary: "{folder}/keepalived"
      config: "{folder}/keepalived.conf"
      addresses: [192.0.2.200]
"""


def stack(folder: Path, program: str) -> Path:
    binary = folder / "keepalived"
    binary.write_text(f"#!/bin/sh\n{program}\n")
    binary.chmod(0o755)
    (folder / "stack.yaml").write_text(STACK.format(folder=folder))
    return folder / "stack.yaml"


async def planned(file: Path) -> Planned:
    load = LoadRequest(file, state_url=f"sqlite:///{file.parent}/state.db")
    return await plan(Request(load, Means(load_providers())))


async def test_a_program_that_hangs_costs_its_resources_and_stays_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hacore.probe.watchdog.FACT_SECONDS", 2.0)
    monkeypatch.setattr("hacore.probe.script.FACT_SECONDS", 2.0)
    pids = tmp_path / "pids"
    made = (await planned(stack(tmp_path, f"echo $$ >>{pids}; exec sleep 1000"))).plan
    told = plan_json(made)

    assert [c["address"] for c in told["changes"]] == ["file.note@here"]
    assert told["complete"] is False
    assert [u["host"] for u in told["unreachable"]] == ["here", "there"]
    for silent in told["unreachable"]:
        assert "keepalived.version: did not end within" in silent["reason"]
        assert "(asked by vrrp_instance)" in silent["reason"]
        assert "@localhost" in silent["reason"]
    report = StatusReport("pair", "-", "", 0, made.hosts, plan=made)
    assert status_exit_code(report) == 1
    for pid in (await appears(pids)).split():
        await gone(int(pid))


CHILD = """
import asyncio, json, resource, sys
from pathlib import Path
from tests.providers.vrrp_instance.test_bad_host import planned
from hacore.plan import plan_json

told = plan_json(asyncio.run(planned(Path(sys.argv[1]))).plan)
print(json.dumps([told["complete"], told["unreachable"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def bounded() -> None:
    """No more than 1 GB of data for this process."""
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_a_host_that_prints_without_end_takes_no_memory_to_speak_of(tmp_path: Path, stream: str) -> None:
    file = stack(tmp_path, "exit 0")
    shell = tmp_path / "bin/sh"
    shell.parent.mkdir()
    shell.write_text(f"#!/bin/bash\nexec yes{stream}\n")
    shell.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{shell.parent}:{os.environ['PATH']}"},
        preexec_fn=bounded,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    complete, unreachable, kilobytes = json.loads(done.stdout)

    assert complete is False
    assert [u["host"] for u in unreachable] == ["here", "there"]
    assert all("cannot read the output of" in u["reason"] and ": more than" in u["reason"] for u in unreachable)
    assert kilobytes < 600_000


def test_a_program_that_prints_without_end_is_cut_on_the_host(tmp_path: Path) -> None:
    binary = tmp_path / "keepalived"
    binary.write_text("#!/bin/sh\nexec yes 'Keepalived v2.2.8 (and more of that'\n")
    binary.chmod(0o755)
    script = f"ulimit -v 1000000\n{VERSION.command([Ask(VERSION, str(binary))])}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=300, check=True)

    assert VERSION.parse(done.stdout) == {str(binary): "2.2.8"}
