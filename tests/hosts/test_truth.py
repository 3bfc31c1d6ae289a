"""The truth about a pair, on two real hosts: each verdict with its cause, and what drift makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hacore.lab import Lab
from tests.hosts.project import HEAD, WEB, Project, eventually

pytestmark = pytest.mark.twins
VIP = "192.168.1.200"


@pytest.fixture(scope="module")
def project(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("truth"), pair)
    for host in ("lb1", "lb2"):  # the holder asks its checks by curl
        made.ssh(host, "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends curl")
    made.web()
    made.apply()
    return made


@pytest.fixture(autouse=True)
def healthy(project: Project) -> Iterator[None]:
    """Each test begins and ends with a pair that serves by lb1."""
    yield
    for host in ("lb1", "lb2"):
        project.ssh(host, "echo 0 >/run/hacore-drain.VI_1; systemctl start nginx keepalived")
    eventually(lambda: told(project)["verdict"] == "healthy", "healthy again", seconds=30)


def told(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.run("status", "--json").stdout)
    return found


def address(project: Project, verdict: str) -> dict[str, Any]:
    """The status of the address once it has this verdict."""
    eventually(lambda: told(project)["verdict"] == verdict, verdict, seconds=30)
    (found,) = told(project)["addresses"]
    return dict(found)


def test_a_healthy_pair(project: Project) -> None:
    found = address(project, "healthy")
    states = {m["host"]: (m["state"], m["priority"]) for m in found["members"]}
    assert states == {"lb1": ("MASTER", 101), "lb2": ("BACKUP", 100)}
    assert {(c["by"], c["good"]) for c in found["checks"]} == {("lb1", True), ("hacore", True)}
    assert project.run("status").returncode == 0


def test_an_address_that_nobody_holds_is_reported_also_without_the_password(project: Project) -> None:
    for host in ("lb1", "lb2"):
        project.ssh(host, "systemctl stop keepalived")
    done = project.run("status")
    assert done.returncode == 2
    assert f"{VIP} (vip.front, vrrp_instance.VI_1): no-holder, held by nobody" in done.stdout
    assert "keepalived is stopped on lb1 and lb2" in done.stdout
    assert "next: on lb1 and lb2: systemctl start keepalived" in done.stdout
    assert "no-holder" in project.ok("drift", code=2)
    project.password, kept = "", project.password
    try:
        blind = project.run("status", env={"HACORE_VAR_vrrp_password": "x" * 9})  # a mistake: too long
        assert blind.returncode == 2
        assert "Shown by the state alone" in blind.stdout and "no-holder" in blind.stdout
    finally:
        project.password = kept


def test_a_standby_that_could_not_take_over(project: Project) -> None:
    project.ssh("lb2", "systemctl stop nginx")
    found = address(project, "no-redundancy")
    assert found["cause"] == "nginx is stopped on lb2 and should run there"
    project.ssh("lb2", "systemctl start nginx; systemctl stop keepalived")
    found = address(project, "no-redundancy")
    assert found["cause"] == "keepalived is stopped on lb2"
    assert project.run("status").returncode == 2


def test_a_holder_that_does_not_serve(project: Project) -> None:
    project.ssh("lb1", "systemctl stop nginx")
    found = address(project, "not-serving")
    assert found["holders"] == ["lb1"]
    assert found["next"] == "on lb1: systemctl start nginx"
    assert {c["by"] for c in found["checks"] if c["good"] is False} == {"lb1", "hacore"}


def test_a_drained_host(project: Project) -> None:
    project.ssh("lb1", "echo 1 >/run/hacore-drain.VI_1")
    found = address(project, "drained")
    eventually(lambda: address(project, "drained")["holders"] == ["lb2"], "moved")
    found = address(project, "drained")
    assert {m["host"]: m["priority"] for m in found["members"]} == {"lb1": 1, "lb2": 100}
    assert found["cause"] == "lb1 is drained"
    assert "drained" in project.ok("drift")  # shown, and no drift


def test_a_swap_of_priorities_names_the_move_and_ends_when_the_address_is_there(project: Project) -> None:
    eventually(lambda: told(project)["addresses"][0]["holders"] == ["lb1"], "it is back at lb1", seconds=30)
    swapped = HEAD.replace("priority: 101", "priority: 99")
    for head, way in ((swapped, "lb1 -> lb2"), (HEAD, "lb2 -> lb1")):
        project.write(WEB, head=head)
        assert f"{VIP} moves {way} in about 4 s" in project.ok("plan")
        project.apply()
        assert told(project)["addresses"][0]["holders"] == [way[-3:]]


def test_both_hold_it_and_the_log_has_the_reason(project: Project) -> None:
    config = "/etc/keepalived/keepalived.conf"
    project.ssh("lb2", f"cp -p {config} /root/kept; sed -i 's/auth_pass.*/auth_pass other/' {config}")
    project.ssh("lb2", "systemctl reload keepalived")
    try:
        found = address(project, "split-brain")
        assert found["holders"] == ["lb1", "lb2"]
        assert "received an invalid passwd" in found["cause"]
        drifted = json.loads(project.ok("drift", "--json", code=2))
        assert [a["verdict"] for a in drifted["addresses"]] == ["split-brain"]
    finally:
        project.ssh("lb2", f"cp -p /root/kept {config}; rm /root/kept; systemctl reload keepalived")
