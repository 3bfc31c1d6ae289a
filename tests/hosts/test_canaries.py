"""Canaries on a real host: a stack of all kinds in which each has a secret, applied, failed, killed, rolled back.

What the host and this machine keep and show is searched: arguments of all processes while hacore runs, environments of
other users' processes, hacore's folders, the journal and the logs of the host, temporary files, the state, saved
plans, and all that a command prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.lab import Lab
from tests.cli.canaries import Arguments, found_in, state_bytes, transforms
from tests.hosts.conftest import LB1, VIP
from tests.hosts.project import Project, killed
from tests.providers.source_build.conftest import tarball

pytestmark = pytest.mark.twins

HOST = LB1.name
SECRET = "Canary-bcdfghjkmn"
PIN = "7391846205"
HEAD = f"""\
stack: web
variables: {{pw: {{type: string, sensitive: true}}, pin: {{type: int, sensitive: true}}}}
connection: {{user: root}}
hosts:
  {HOST}: {{address: {LB1.address}}}
resources:
"""
STACK = f"""\
  package:
    tools: {{names: [gcc, make, libc6-dev, keepalived, curl]}}
  file:
    conf: {{path: /etc/canary.conf, content: "WORD {{{{ var.pw }}}} {{{{ var.pin }}}}\\n", mode: "0640"}}
    derived: {{path: /etc/canary.d, content: "{{{{ var.pw | upper }}}} WORD\\n", validate: "grep -q WORD %s"}}
    pasted: {{path: /etc/canary.p, content: "WORD key = {SECRET}\n"}}
  service:
    sleeper:
      unit: canary
      definition: "[Unit]\\nDescription=WORD\\n[Service]\\n# {{{{ var.pw }}}}\\nExecStart=/usr/bin/sleep infinity\\n"
      running: true
    keepalived: {{running: true, enabled: true, needs: [vrrp_instance.front]}}
  source_build:
    greeter:
      source: one.tar.gz
      sha256: SHA-ONE
      binary: /opt/greeter/bin/greeter
      environment: {{PIN: "{{{{ var.pin | string }}}}", CFLAGS: "-DWORD"}}
      needs: [package.tools]
  vrrp_instance:
    front:
      name: VI_1
      interface: {LB1.interface}
      virtual_router_id: 66
      priority: 101
      addresses: [{VIP}]
      authentication: {{type: PASS, password: "{{{{ var.pw[:8] }}}}"}}
      needs: [package.tools]
  vip:
    address: {{instance: front, needs: [service.keepalived], checks: [{{http: "http://{VIP}:1/{{{{ var.pw }}}}"}}]}}
  command:
    hold:
      check: test -e /etc/canary.done
      do: ": '{{{{ var.pw | reverse }}}}'; sleep 1; touch /etc/canary.done"
      undo: rm -f /etc/canary.done
"""
FAILS = """\
    last:
      check: test -e /etc/canary.never
      do: "echo 'line 3: {{ var.pw }}' >&2; exit 1"
      undo: rm -f /etc/canary.never
      needs: [command.hold]
"""
PLACES = "/run/hacore /var/lib/hacore /var/log /tmp /var/tmp /etc/hacore /run/systemd/transient"
LEFT = "ls -d /run/hacore/step.* /var/lib/hacore/uploads/* /etc/.hacore* /etc/*/.hacore* 2>/dev/null || :"


@pytest.fixture(scope="module")
def lab(make_lab: Callable[..., Lab]) -> Lab:
    made = make_lab("canaries", twins=(LB1,))
    made.up()
    return made


@pytest.fixture
def project(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    lab.reset()
    monkeypatch.setenv("HACORE_VAR_pw", SECRET)
    monkeypatch.setenv("HACORE_VAR_pin", PIN)
    return Project(tmp_path, lab)


def write(project: Project, word: str, more: str = "") -> None:
    folder = project.folder / "stacks" / "web"
    folder.mkdir(parents=True, exist_ok=True)
    _, sha256 = tarball(folder, "one.tar.gz", "one")
    project.write((STACK + more).replace("WORD", word).replace("SHA-ONE", sha256), head=HEAD)


def on_the_host(project: Project, canaries: list[bytes]) -> list[str]:
    """Canaries in the files of a host that are not those of the stack, and in its journal."""
    wrong = []
    for canary in canaries:
        word = canary.decode()
        files = project.ssh(HOST, f"grep -rlaF -e '{word}' {PLACES} 2>/dev/null || :")
        # the shell of this search is no process of hacore's, and sshd does not log it
        lines = project.ssh(HOST, f"journalctl --no-pager -o export | grep -aF -e '{word}' | head -n 3 || :")
        wrong += [f"{HOST}:{path}: {word}" for path in files.split()] + [f"journal: {word}: {lines}"] * bool(lines)
    return wrong


def test_no_secret_is_left_or_shown_anywhere(project: Project) -> None:
    canaries = [c.encode() for c in {*transforms(SECRET), PIN, SECRET[:8]}]
    shown: list[bytes] = []

    def hacore(*words: str) -> int:
        done = project.run(*words)
        shown.append(f"{' '.join(words)}\n{done.stdout}{done.stderr}".encode())
        return done.returncode

    write(project, "one")
    with Arguments() as arguments:
        assert hacore("plan", "--out", "one.plan") == 0
        assert hacore("apply", "--auto-approve") == 0, shown[-1].decode()
        assert hacore("plan", "--detailed-exitcode") == 0
        write(project, "two", FAILS)
        assert hacore("apply", "--auto-approve", "--json") == 1
        write(project, "two")
        project.ssh(HOST, "rm -f /etc/canary.done")
        running = project.start("apply", "--auto-approve")
        time.sleep(4)
        killed(running)
        assert hacore("apply", "--auto-approve", "--resume") in (0, 1)
        assert hacore("apply", "--auto-approve") == 0, shown[-1].decode()
        project.ssh(HOST, "for one in conf d p; do echo by hand >>/etc/canary.$one; done")
        for words in (
            ("plan",),
            ("plan", "--json"),
            ("drift",),
            ("drift", "--json"),
            ("status",),
            ("state", "pull"),
            ("runs",),
            ("show", "one.plan"),
        ):
            hacore(*words)
        for number in ("1", "2", "3"):
            hacore("runs", number, "--json")
    left = project.ssh(HOST, LEFT).split()
    found = [*arguments.leaks(canaries), *on_the_host(project, canaries)]
    assert hacore("rollback", "--auto-approve", "--force") == 0, shown[-1].decode()
    assert hacore("destroy", "--auto-approve") == 0, shown[-1].decode()
    found += on_the_host(project, canaries)
    for text in shown:
        found += found_in(text.split(b"\n")[0].decode(), text, canaries)
    for path in (p for p in project.folder.rglob("*") if p.is_file() and p.suffix not in (".yaml", ".gz", ".key")):
        found += found_in(path.name, state_bytes(path) if path.suffix == ".db" else path.read_bytes(), canaries)

    assert found == []
    assert left == []


def test_the_search_on_a_host_finds_what_is_planted(project: Project) -> None:
    canaries = [SECRET.encode()]
    assert on_the_host(project, canaries) == []
    project.ssh(HOST, f"mkdir -p /var/lib/hacore; echo {SECRET} >/var/lib/hacore/x; echo {SECRET} | systemd-cat")
    with Arguments() as arguments:
        project.ssh(HOST, f"sh -c 'sleep 1; :' {SECRET}")
    assert {found.partition(":")[0] for found in on_the_host(project, canaries)} == {HOST, "journal"}
    assert list(arguments.leaks(canaries))
