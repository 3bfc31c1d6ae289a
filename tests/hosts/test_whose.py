"""Whose hosts are these: markers, taking over, and another machine at an old address, on two real hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hacore.lab import Lab, manifest
from tests.hosts.project import HEAD, Project

pytestmark = pytest.mark.twins

NOTE = '  file:\n    note: {path: /etc/hacore-note, content: "%s\\n"}\n'
STACKS = "find /var/lib/hacore 2>/dev/null | sort"


def test_a_host_says_whose_it_is_and_forgets_it_with_the_last_destroy(pair: Lab, tmp_path: Path) -> None:
    hosts = ("lb1", "lb2")
    before = {name: manifest.take(pair, name) for name in hosts}
    project = Project(tmp_path / "mine", pair)
    bare = {name: project.ssh(name, STACKS) for name in hosts}
    project.write(NOTE % "first")
    project.apply()
    assert all("/var/lib/hacore/stacks/" in project.ssh(name, STACKS) for name in hosts)
    assert project.ssh("lb1", "stat -c %a /var/lib/hacore/stacks").strip() == "700"

    # another state of the same stack
    lost = Project(tmp_path / "lost", pair)
    lost.write(NOTE % "second")
    assert lost.ok("plan").startswith("Managed by another state: lb1@192.168.1.166 and lb2@192.168.1.173")
    refused = lost.run("apply", "--auto-approve")
    assert refused.returncode == 1
    assert "cannot apply: lb1@192.168.1.166 is managed by another state of the stack web" in refused.stderr
    assert project.ssh("lb2", "cat /etc/hacore-note") == "first\n"
    lost.apply("--take-over")
    assert project.run("apply", "--auto-approve").returncode == 1
    project.apply("--take-over")

    # another machine at the address of lb2
    old = project.ssh("lb2", "cat /etc/machine-id")
    project.ssh("lb2", "tr 0-9a-f 1-9a-f0 </etc/machine-id >/tmp/id && cat /tmp/id >/etc/machine-id")
    try:
        planned = project.ok("plan")
        assert planned.startswith("New machine: lb2@192.168.1.173 is not the recorded one")
        assert "= file.note @ lb2\n" in planned and "1 to adopt" in planned
        drifted = json.loads(project.ok("drift", "--json", code=2))
        assert [machine["host"] for machine in drifted["new_machines"]] == ["lb2"]
    finally:
        project.ssh("lb2", f"echo {old.strip()} >/etc/machine-id")

    project.ok("destroy", "--auto-approve")
    after = {name: manifest.diff(before[name], manifest.take(pair, name)) for name in hosts}
    assert after == {"lb1": [], "lb2": []}
    left = {name: project.ssh(name, STACKS) for name in hosts}
    assert left == {name: "" if text == "/var/lib/hacore\n" else text for name, text in bare.items()}


def test_a_package_that_another_stack_wants_stays_when_this_one_goes(pair: Lab, tmp_path: Path) -> None:
    before = manifest.take(pair, "lb1")
    tools = "  package:\n    tools: {hosts: lb1, names: [%s]}\n"
    one, two = Project(tmp_path / "one", pair), Project(tmp_path / "two", pair, name="mail")
    one.write(tools % "tree, hello")
    two.write(tools % "tree", head=HEAD.replace("stack: web", "stack: mail"))
    one.apply()
    two.apply()
    try:
        one.ok("destroy", "--auto-approve")
        assert one.ssh("lb1", "command -v tree hello || :") == "/usr/bin/tree\n"
        assert two.run("plan", "--detailed-exitcode").returncode == 0
        two.ok("destroy", "--auto-approve")
    finally:
        one.ssh("lb1", "apt-get -q -y purge tree")
    assert manifest.diff(before, manifest.take(pair, "lb1")) == []
