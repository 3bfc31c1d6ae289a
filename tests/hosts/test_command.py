"""The kind `command` on a real host: a user account, made, lost by hand, healed, taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hacore.lab import Lab
from tests.hosts.conftest import LB1
from tests.hosts.project import Project

pytestmark = pytest.mark.twins

HOST = LB1.name
HEAD = f"""\
stack: web
connection: {{user: root}}
hosts:
  {HOST}: {{address: {LB1.address}}}
resources:
"""
USER = """\
  command:
    user:
      check: getent passwd app
      do: useradd --system --home-dir /srv/app --shell /usr/sbin/nologin app
      undo: "! getent passwd app || userdel app"
    group:
      check: id -nG app | grep -qw adm
      do: usermod -aG adm app
      irreversible: other groups of the user are not looked at
      needs: [command.user]
"""


def test_a_user_comes_and_goes(pair: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, pair)
    project.write(USER, head=HEAD)

    plan = project.ok("plan")
    assert "+ command.user @ lb1" in plan
    assert "run useradd --system" in plan
    assert "! cannot be undone: other groups of the user are not looked at" in plan
    project.apply()
    assert project.ssh(HOST, "id -nG app").split() == ["app", "adm"]
    assert project.actions() == {}

    project.ssh(HOST, "userdel app")
    found = json.loads(project.ok("drift", "--json", code=2))
    assert {d["address"]: d["attrs"][0]["found"] for d in found["drift"]} == {
        "command.user@lb1": "exit code 2",
        "command.group@lb1": "exit code 1",
    }
    project.apply()
    project.ok("drift")

    project.ok("destroy", "--auto-approve")
    assert project.ssh(HOST, "getent passwd app", check=False) == ""
