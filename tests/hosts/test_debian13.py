"""A pair of which one host is Debian 13 already: applied, changed, failed over and rolled back as any other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.lab import Lab, Twin, manifest
from tests.hosts.conftest import LB1, LB2
from tests.hosts.prober import Prober
from tests.hosts.project import SITE, Project
from tests.hosts.project import eventually as _eventually

pytestmark = pytest.mark.twins
eventually = functools.partial(_eventually, seconds=30)

HOSTS = ("lb1", "lb2")
URL = "http://192.168.1.200/"


def test_a_pair_of_two_releases(make_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = make_lab("mixed", twins=(LB1, Twin(LB2.name, LB2.address, LB2.interface, os="debian13")))
    lab.up()
    project = Project(tmp_path, lab)
    assert "trixie" in project.ssh("lb2", "cat /etc/os-release")
    before = {host: manifest.take(lab, host) for host in HOSTS}

    project.web()
    project.apply()
    eventually(lambda: holder(project) == "lb1", "lb1 holds the address")
    project.ok("plan", "--detailed-exitcode")
    project.ok("drift")
    assert "healthy" in project.ok("status")

    project.web(site=SITE.replace("first edition", "second edition"))
    with Prober(lab, URL) as changing:
        project.apply()
        project.ok("rollback", "--auto-approve")
    assert changing.lost == []

    for away, other in (("lb1", "lb2"), ("lb2", "lb1")):
        project.ssh(away, "systemctl stop keepalived")
        eventually(lambda other=other: holder(project) == other, f"{other} holds the address")
        project.ssh(away, "systemctl start keepalived")
    eventually(lambda: holder(project) == "lb1", "lb1 holds the address again")

    project.web()
    project.ok("destroy", "--auto-approve")
    left = {host: manifest.diff(before[host], manifest.take(lab, host)) for host in HOSTS}
    # keepalived 2.3 registers its number of address protocols there by itself, when it starts
    own = [line for line in left["lb2"] if line.startswith("path /etc/iproute2")]
    assert "path /etc/iproute2/rt_addrprotos" in " ".join(own)
    assert {host: [line for line in lines if line not in own] for host, lines in left.items()} == {"lb1": [], "lb2": []}


def holder(project: Project) -> str:
    holders = [host for host in HOSTS if "192.168.1.200/" in project.ssh(host, "ip -o addr show")]
    return holders[0] if len(holders) == 1 else f"{holders}"
