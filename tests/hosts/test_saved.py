"""A saved plan on two real hosts: refused for what somebody did by hand, done once when that is undone."""

from __future__ import annotations

import json

import pytest

from hacore.lab import Lab
from tests.hosts.project import Project

pytestmark = pytest.mark.twins

FILES = """\
  file:
    site: {path: /etc/saved/site.conf, source: site.conf, mode: "0644", needs: [file.folder]}
    secret: {path: /etc/saved/secret, content: "{{ var.vrrp_password }}\\n", mode: "0600", needs: [file.folder]}
    folder: {path: /etc/saved, ensure: directory}
"""


def test_a_saved_plan_is_refused_by_address_and_applies_once(
    pair: Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = Project(tmp_path_factory.mktemp("saved"), pair)
    project.write(FILES, site__conf="first\n")
    project.apply()
    project.write(FILES, site__conf="second\n")
    project.ok("plan", "--out", "web.plan")
    assert project.password.encode() not in (project.folder / "web.plan").read_bytes()

    project.ssh("lb2", "cp -a /etc/saved/site.conf /root/kept && echo by hand >/etc/saved/site.conf")
    project.ssh("lb1", "chmod 0640 /etc/saved/secret")
    refused = project.run("apply", "web.plan", "--json")
    assert refused.returncode == 1
    last = json.loads(refused.stdout.splitlines()[-1])
    assert last["addresses"] == ["file.secret@lb1", "file.site@lb2"]
    assert "file.secret@lb1: is now an update, nothing was planned (mode was 0600, is 0640)" in refused.stderr
    assert project.ssh("lb1", "cat /etc/saved/site.conf") == "first\n"

    project.ssh("lb2", "cp -a /root/kept /etc/saved/site.conf")
    project.ssh("lb1", "chmod 0600 /etc/saved/secret")
    project.ok("apply", "web.plan")
    assert [project.ssh(host, "cat /etc/saved/site.conf") for host in ("lb1", "lb2")] == ["second\n"] * 2
    again = project.run("apply", "web.plan")
    assert (again.returncode, "it was already applied, as run 2" in again.stderr) == (1, True)
