"""A host that nobody logs in to as root: hacore comes as a plain user, and sudo makes it root there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hacore.lab import Lab, manifest
from tests.hosts.conftest import LB1
from tests.hosts.project import Project

pytestmark = pytest.mark.twins

HOST = LB1.name
HEAD = f"""\
stack: web
connection: {{user: ops, become: sudo}}
hosts:
  {HOST}: {{address: {LB1.address}}}
resources:
"""
BODY = """\
  file:
    conf: {path: /etc/only-root.conf, content: "TEXT\\n", mode: "0600", owner: root, validate: "grep -q . %s"}
  service:
    sleeper:
      definition: |
        [Service]
        ExecStart=/usr/bin/sleep infinity
        [Install]
        WantedBy=multi-user.target
      running: true
      enabled: true
      restart_on: [file.conf]
"""
RULE = "/etc/sudoers.d/ops"
PASSWORD = "a pass $(word)"
NOISE = "echo Welcome; echo 'sudo: a password is required' >/dev/stderr"
SHELLS = {"fisher": "/usr/bin/fish", "clark": "/bin/csh"}
"""Users with a password, and their login shells; each reads a profile that talks on both streams."""
SETUP = f"""
apt-get install -y -qq --no-install-recommends sudo fish csh >/dev/null 2>&1
mount -o remount,noexec /tmp
open() {{
  useradd -m -s "$2" "$1"
  mkdir -p -m 0700 "/home/$1/.ssh" "/home/$1/.config/fish"
  cp /root/.ssh/authorized_keys "/home/$1/.ssh/"
  for profile in .cshrc .config/fish/config.fish; do echo {shlex.quote(NOISE)} >"/home/$1/$profile"; done
  chown -R "$1": "/home/$1"
  echo "$1:"{shlex.quote(PASSWORD)} | chpasswd
}}
open ops /bin/sh
echo 'ops ALL=(ALL) NOPASSWD: ALL' >{RULE}
{"".join(f"open {user} {shell}; echo '{user} ALL=(ALL) ALL' >{RULE}-{user};" for user, shell in SHELLS.items())}
chmod 0440 {RULE}*
"""


class Box:
    """The project, and the host's two doors: root's stays shut while hacore runs."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._keys = project.lab.rootfs(HOST) / "root/.ssh/authorized_keys"

    @contextmanager
    def no_root(self) -> Iterator[Project]:
        away = self._keys.with_name("away")
        self._keys.rename(away)
        try:
            assert self.project.lab.ssh(HOST, "true").returncode != 0
            yield self.project
        finally:
            away.rename(self._keys)

    def write(self, text: str, user: str = "ops") -> None:
        self.project.write(BODY.replace("TEXT", text), head=HEAD.replace("user: ops", f"user: {user}"))

    def seen(self) -> list[str]:
        script = "stat -c '%a %U' /etc/only-root.conf; cat /etc/only-root.conf; systemctl is-active sleeper"
        return self.project.ssh(HOST, script, check=False).splitlines()


@pytest.fixture(scope="module")
def box(make_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> Box:
    lab = make_lab("sudo", twins=(LB1,))
    lab.up()
    box = Box(Project(tmp_path_factory.mktemp("sudo"), lab))
    box.project.ssh(HOST, f"set -e; {SETUP}")
    return box


def test_a_plain_user_manages_what_only_root_may(box: Box) -> None:
    before = manifest.take(box.project.lab, HOST)
    with box.no_root() as project:
        box.write("one")
        assert project.actions() == {f"file.conf@{HOST}": "create", f"service.sleeper@{HOST}": "create"}
        project.apply()
        assert project.actions() == {}
    assert box.seen() == ["600 root", "one", "active"]

    box.project.ssh(HOST, "echo by hand >>/etc/only-root.conf; systemctl stop sleeper")
    with box.no_root() as project:
        found = json.loads(project.ok("drift", "--json", code=2))
        assert {d["address"] for d in found["drift"]} == {f"file.conf@{HOST}", f"service.sleeper@{HOST}"}
        project.apply()
        assert project.ok("drift")
    assert box.seen() == ["600 root", "one", "active"]

    with box.no_root() as project:
        box.write("two")
        project.apply()
        project.ok("rollback", "--auto-approve")
    assert box.seen() == ["600 root", "one", "active"]

    with box.no_root() as project:
        project.ok("destroy", "--auto-approve")
    assert manifest.diff(before, manifest.take(box.project.lab, HOST)) == []


@pytest.mark.parametrize(
    ("broken", "mended", "words"),
    [
        pytest.param(f"sed -i s/NOPASSWD:// {RULE}", f"sed -i 's/(ALL)/& NOPASSWD:/' {RULE}", "NOPASSWD", id="asks"),
        pytest.param(f"mv {RULE} /root/", f"mv /root/ops {RULE}", "NOPASSWD", id="unknown"),
        pytest.param("mv /usr/bin/sudo /root/", "mv /root/sudo /usr/bin/", "sudo is not installed", id="missing"),
    ],
)
def test_without_a_way_to_root_it_says_so_and_waits_for_nothing(box: Box, broken: str, mended: str, words: str) -> None:
    box.write("one")
    box.project.ssh(HOST, broken)
    before = manifest.take(box.project.lab, HOST)
    try:
        with box.no_root() as project:
            for command in (["plan"], ["apply", "--auto-approve"]):
                done = project.run(*command, timeout=60)
                assert done.returncode == 1, done.stdout
                assert f"cannot become root on {HOST}@{LB1.address}" in done.stdout + done.stderr
                assert words in done.stdout + done.stderr
        assert manifest.diff(before, manifest.take(box.project.lab, HOST)) == []
    finally:
        box.project.ssh(HOST, mended)
    with box.no_root() as project:
        assert len(project.actions()) == 2


@pytest.mark.parametrize("user", SHELLS)
def test_a_talkative_login_shell_of_any_kind_and_a_password(box: Box, user: str) -> None:
    said = box.project.lab.ssh(HOST, f"su {user} -c 'echo $version$FISH_VERSION$BASH_VERSION'")
    assert said.stdout.startswith("Welcome\n")  # the shell is the one, and its profile talks
    before = manifest.take(box.project.lab, HOST)
    box.write(user, user)

    def run(*words: str) -> None:
        with box.no_root() as project:
            done = project.run(*words, env={"HACORE_BECOME_PASSWORD": PASSWORD})
        assert done.returncode == 0, done.stdout + done.stderr
        assert "$(word)" not in done.stdout + done.stderr

    run("apply", "--auto-approve")
    assert box.seen() == ["600 root", user, "active"]
    run("plan", "--detailed-exitcode")
    run("drift")
    run("destroy", "--auto-approve")
    assert manifest.diff(before, manifest.take(box.project.lab, HOST)) == []
