"""Shapes of pairs beside the plain one, each applied, drilled and destroyed: the stacks that ship with hacore."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hacore.lab import Lab, Twin
from tests.hosts.conftest import LB1, LB2
from tests.hosts.project import Project, eventually

pytestmark = pytest.mark.twins
STACKS = Path(__file__).resolve().parents[2] / "stacks"
HOSTS = ("lb1", "lb2", "lb3")
QUIET = os.environ.get("HACORE_QUIET_MACHINE") == "1"


@pytest.fixture(scope="module")
def three(make_lab: Callable[..., Lab]) -> Lab:
    lab = make_lab("shapes", twins=(LB1, LB2, Twin("lb3", "192.168.1.174", "eth3")))
    lab.up()
    return lab


@pytest.fixture
def shape(request: pytest.FixtureRequest, three: Lab, tmp_path: Path) -> Iterator[Project]:
    """A stack of the repository, applied and healthy; destroyed in the end."""
    made = Project(tmp_path, three, password="example1", name=request.param)
    shutil.copytree(STACKS / request.param, made.folder / "stacks" / request.param)
    made.apply()
    eventually(lambda: verdict(made) == "healthy", "healthy", seconds=60)
    yield made
    made.ok("destroy", "--auto-approve")
    for host in HOSTS:
        assert "192.168.1.20" not in made.ssh(host, "ip -o addr show")


def verdict(project: Project) -> str:
    found: dict[str, Any] = json.loads(project.run("status", "--json").stdout)
    return str(found["verdict"])


def drilled(project: Project, *more: str) -> list[dict[str, Any]]:
    """The scenarios of a drill that passed; on a busy machine nothing may be known."""
    said = project.run("drill", "--baseline", "2s", "--auto-approve", "--json", *more)
    assert said.returncode in (0, 1), said.stdout + said.stderr
    found = json.loads(said.stdout)
    assert found["restored"] is True
    if found["verdict"] == "void":
        pytest.skip("this machine is too busy for a measurement")
    assert said.returncode == 0, said.stdout + said.stderr
    eventually(lambda: verdict(project) == "healthy", "healthy again", seconds=60)
    scenarios: list[dict[str, Any]] = found["scenarios"]
    return scenarios


@pytest.mark.parametrize("shape", ["active-active"], indirect=True)
def test_both_addresses_of_an_active_pair_are_drilled(shape: Project) -> None:
    found = drilled(shape, "--scenario", "stop")
    assert [(one["address"], one["holder"]) for one in found] == [("192.168.1.200", "lb1"), ("192.168.1.201", "lb2")]
    assert [one["holders"][-1]["hosts"] for one in found] == [["lb1"], ["lb2"]]


@pytest.mark.parametrize("shape", ["three-members"], indirect=True)
def test_of_three_members_the_second_takes_over(shape: Project) -> None:
    (found,) = drilled(shape, "--scenario", "stop")
    assert ["lb2"] in [look["hosts"] for look in found["holders"]]
    assert ["lb3"] not in [look["hosts"] for look in found["holders"]]
    shape.ok("drain", "lb1")
    try:
        assert json.loads(shape.run("status", "--json", "--accept", "drained").stdout)["verdict"] == "drained"
        shape.ssh("lb2", "systemctl stop keepalived")
        eventually(lambda: " 192.168.1.200/" in shape.ssh("lb3", "ip -o addr show"), "lb3 holds it", seconds=20)
    finally:
        shape.ssh("lb2", "systemctl start keepalived")
        shape.ok("undrain", "lb1")
    eventually(lambda: verdict(shape) == "healthy", "healthy again", seconds=60)


@pytest.mark.parametrize("shape", ["dual-stack"], indirect=True)
def test_both_families_move_together(shape: Project) -> None:
    (found,) = drilled(shape, "--scenario", "drain")
    assert found["address"] == "192.168.1.200"
    shape.ok("drain", "lb1")
    try:
        assert {"fd00:77::200", "192.168.1.200"} <= addresses(shape, "lb2")
        assert not {"fd00:77::200", "192.168.1.200"} & addresses(shape, "lb1")
    finally:
        shape.ok("undrain", "lb1")
    eventually(lambda: {"fd00:77::200", "192.168.1.200"} <= addresses(shape, "lb1"), "back on lb1", seconds=30)


def addresses(project: Project, host: str) -> set[str]:
    lines = project.ssh(host, "ip -o addr show").splitlines()
    return {line.split()[3].partition("/")[0] for line in lines}


PLAIN = '      priority: "{{ host.vars.priority }}"\n'
VARIANTS = {
    "nopreempt": "      preempt: false\n",
    "version 3": "      version: 3\n      advert_interval: 0.1\n",
    "unicast": "      unicast: true\n",
}


@pytest.mark.skipif(not QUIET, reason="minutes: part of make soak")
@pytest.mark.parametrize("shape", ["three-members"], indirect=True)
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_variants_are_within_their_budgets(shape: Project, variant: str) -> None:
    file = shape.folder / "stacks" / "three-members" / "stack.yaml"
    text = file.read_text()
    assert PLAIN in text
    text = text.replace(PLAIN, PLAIN + VARIANTS[variant])
    if variant == "version 3":
        text = text.replace('      authentication: {type: PASS, password: "{{ var.vrrp_password }}"}\n', "")
    file.write_text(text)
    shape.apply()
    eventually(lambda: verdict(shape) == "healthy", "healthy", seconds=60)
    found = drilled(shape, "--scenario", "drain", "--scenario", "stop")
    if variant == "nopreempt":
        assert found[0]["back"] is None and found[0]["holders"][-1]["hosts"] == ["lb2"]
