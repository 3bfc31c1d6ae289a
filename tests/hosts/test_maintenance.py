"""Planned maintenance on a real pair: drained, over restarts, for a time, and refused where nobody would serve."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from hacore.lab import Lab
from tests.hosts.prober import Prober
from tests.hosts.project import NGINX, SITE, WEB, Project, eventually

pytestmark = pytest.mark.twins
SINCE = "systemctl show -p ActiveEnterTimestampMonotonic nginx"
VIP = "192.168.1.200"
FILES = "/var/lib/hacore/drain"


@pytest.fixture(scope="module")
def project(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("maintenance"), pair)
    made.web()
    made.apply()
    eventually(lambda: told(made)["verdict"] == "healthy", "healthy", seconds=60)
    return made


@pytest.fixture(autouse=True)
def healthy(project: Project) -> Iterator[None]:
    """Each test begins and ends with a pair that serves by lb1, and without a trace of a drain."""
    yield
    for host in ("lb1", "lb2"):
        project.ssh(host, "systemctl start nginx keepalived")
        if project.ssh(host, f"ls {FILES}/*.json 2>/dev/null || :"):
            project.ok("undrain", host)
        left = project.ssh(host, f"ls {FILES} /etc/systemd/system | grep -e json -e undrain || :")
        assert left.strip() == ""
    eventually(lambda: told(project)["verdict"] == "healthy", "healthy again", seconds=60)


def told(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.run("status", "--json").stdout)
    return found


def holders(project: Project) -> list[str]:
    found: list[str] = told(project)["addresses"][0]["holders"]
    return found


def test_a_drain_moves_the_address_without_a_lost_request_and_is_seen_everywhere(project: Project) -> None:
    with Prober(project.lab, f"http://{VIP}/") as prober:
        drained = project.ok("drain", "lb1", "--reason", "kernel update")
        assert f"{VIP} moved: lb1 -> lb2" in drained
        assert holders(project) == ["lb2"]
        back = project.ok("undrain", "lb1")
        assert f"{VIP} moved: lb2 -> lb1" in back
    assert prober.sent > 100
    assert len(prober.lost) <= 2, prober.lost  # of two moves: see TOLERANCE in hacore/drill/measured.py

    project.ok("drain", "lb1", "--reason", "kernel update")
    (address,) = told(project)["addresses"]
    assert address["verdict"] == "drained"
    assert "lb1 is drained since " in address["cause"] and "(kernel update)" in address["cause"]
    assert address["next"] == "hacore undrain lb1"
    assert {m["host"]: m["priority"] for m in address["members"]} == {"lb1": 1, "lb2": 100}
    assert project.run("status").returncode == 2
    assert project.run("status", "--accept", "drained").returncode == 0
    project.ok("drift")
    project.ok("plan", "--detailed-exitcode")


def test_an_apply_restarts_nothing_on_the_only_host_in_service(project: Project) -> None:
    project.ok("drain", "lb2")
    restarted = WEB.replace("reload_on: [file.site, file.main]", "reload_on: [file.site], restart_on: [file.main]")
    project.write(restarted, site__conf=SITE, nginx__conf=NGINX.replace("512", "511"))
    refused = project.run("apply", "--auto-approve")
    assert refused.returncode == 1
    assert "lb2 is drained; `hacore undrain lb2` first" in refused.stderr
    project.web(site=SITE.replace("first", "second"))  # a reload needs no drain
    project.apply()
    assert holders(project) == ["lb1"]
    project.web()
    project.apply()


def test_an_address_that_stays_where_it_went_is_moved(project: Project) -> None:
    refused = project.run("move")
    assert refused.returncode == 1
    assert "its priority is higher (101, not 100) and it preempts" in refused.stderr
    staying = WEB.replace("virtual_router_id: 66", "virtual_router_id: 66\n      preempt: false")
    project.write(staying, site__conf=SITE, nginx__conf=NGINX)
    project.apply()
    for words, way in ((("move",), "lb1 -> lb2"), (("move", "lb1"), "lb2 -> lb1")):
        eventually(lambda: told(project)["verdict"] == "healthy", "healthy", seconds=60)
        assert f"{VIP} moved: {way}" in project.ok(*words)
        assert holders(project) == [way[-3:]]
    project.web()
    project.apply()


def test_it_survives_a_restart_of_keepalived_and_ends_once(project: Project) -> None:
    project.ok("drain", "lb1")
    project.ssh("lb1", "systemctl restart keepalived")
    eventually(lambda: told(project)["verdict"] == "drained", "drained after the restart", seconds=30)
    assert holders(project) == ["lb2"]


def test_nobody_is_drained_if_no_other_member_would_take_over(project: Project) -> None:
    project.ssh("lb2", "systemctl stop nginx")
    refused = project.run("drain", "lb1")
    assert refused.returncode == 1
    assert "nginx is stopped on lb2 and should run there" in refused.stderr
    assert holders(project) == ["lb1"]
    project.ssh("lb2", "systemctl start nginx")
    project.ok("drain", "lb1")
    refused = project.run("drain", "lb2")
    assert refused.returncode == 1
    assert "no other member would take over" in refused.stderr and "lb1 is drained" in refused.stderr
    assert holders(project) == ["lb2"]
    unknown = project.run("drain", "lb3")
    assert unknown.returncode == 64
    assert "the state has no such host" in unknown.stderr


def test_a_hard_drain_is_a_fault(project: Project) -> None:
    said = json.loads(project.ok("drain", "lb1", "--hard", "--json"))
    jsonschema.Draft202012Validator(json.loads(project.ok("schema", "maintenance"))).validate(said)
    assert said["costs"] == ["new connections fail for about 0.6 s, until the next member takes over"]
    assert said["moved"] == [{"address": VIP, "before": "lb1", "after": "lb2"}]
    (address,) = told(project)["addresses"]
    assert {m["host"]: m["state"] for m in address["members"]} == {"lb1": "FAULT", "lb2": "MASTER"}


def test_a_host_undrains_itself_and_not_before_its_units_run(project: Project) -> None:
    project.ok("drain", "lb1", "--for", "10s")
    assert "lb1" not in holders(project)
    project.ssh("lb1", "systemctl stop nginx")
    eventually(
        lambda: "stays drained: nginx" in project.ssh("lb1", "journalctl -u 'hacore-undrain-*' -o cat"),
        "it waits for nginx",
        seconds=60,
    )
    assert holders(project) == ["lb2"]
    project.ssh("lb1", "systemctl start nginx")
    eventually(lambda: holders(project) == ["lb1"], "undrained by itself", seconds=90)
    assert told(project)["verdict"] == "healthy"


def test_a_roll_restarts_both_without_a_lost_request(project: Project) -> None:
    began = {host: project.ssh(host, SINCE) for host in ("lb1", "lb2")}
    with Prober(project.lab, f"http://{VIP}/") as prober:
        said = project.run("roll", "--restart", "nginx", "--auto-approve")
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[:2] == ["lb2: done", "lb1: done"]
    for host, before in began.items():
        assert project.ssh(host, SINCE) != before
    assert len(prober.lost) <= 2, prober.lost  # of two moves: see TOLERANCE in hacore/drill/measured.py
    assert "restart nginx: lb2 done, lb1 done" in project.ok("runs")
    eventually(lambda: told(project)["verdict"] == "healthy", "healthy", seconds=30)
    number = said.stdout.rpartition("as run ")[2].strip().rstrip(".")
    assert "it is a roll or a drill" in project.run("rollback", number, "--auto-approve").stderr


def test_a_roll_reboots_both_without_a_lost_request(project: Project) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = {host: project.ssh(host, boot) for host in ("lb1", "lb2")}
    with Prober(project.lab, f"http://{VIP}/") as prober:
        said = project.run("roll", "--reboot", "--auto-approve")
    assert said.returncode == 0, said.stdout + said.stderr
    assert len(prober.lost) <= 2, prober.lost  # of two moves: see TOLERANCE in hacore/drill/measured.py
    for host, old in before.items():
        assert project.ssh(host, boot) != old
    eventually(lambda: told(project)["verdict"] == "healthy", "healthy", seconds=30)
    assert holders(project) == ["lb1"]


def test_a_roll_stops_at_a_failure_with_that_host_drained_and_goes_on_later(project: Project) -> None:
    failed = project.run("roll", "--auto-approve", "--", "test -e /root/good || { echo no >&2; exit 3; }")
    assert failed.returncode == 1
    assert "lb2: failed: cannot" in failed.stdout and "no; lb2 stays drained" in failed.stdout
    assert "lb1: not begun" in failed.stdout
    (address,) = told(project)["addresses"]
    assert address["verdict"] == "drained" and "(hacore roll: test -e" in address["cause"]
    again = failed.stdout.rpartition("hacore roll --resume ")[2].split()[0]
    for host in ("lb1", "lb2"):
        project.ssh(host, "touch /root/good")
    resumed = project.run("roll", "--resume", again, "--auto-approve")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.splitlines()[:2] == ["lb2: done", "lb1: done"]


def test_a_roll_that_is_killed_leaves_a_drain_that_everybody_sees(project: Project) -> None:
    rolling = project.start("roll", "--auto-approve", "--", "touch /root/rolling; sleep 5")
    eventually(lambda: project.ssh("lb2", "ls /root").find("rolling") >= 0, "lb2 is under way", seconds=60)
    rolling.kill()
    rolling.wait()
    (address,) = told(project)["addresses"]
    assert address["verdict"] == "drained" and "lb2 is drained since" in address["cause"]
    assert address["holders"] == ["lb1"]


def test_a_destroy_takes_the_drain_along(project: Project) -> None:
    project.ok("drain", "lb2", "--for", "1h")
    project.ok("destroy", "--auto-approve")
    for host in ("lb1", "lb2"):
        left = project.ssh(host, f"ls {FILES} /etc/systemd/system | grep -e VI_1 -e undrain || :")
        assert left.strip() == ""
    project.apply()
