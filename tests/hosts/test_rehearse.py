"""`hacore rehearse` on twins: what `hacore init` writes comes out, a stack that leaves something behind does not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hacore.lab import Lab

pytestmark = pytest.mark.twins

HACORE = str(Path(sys.executable).with_name("hacore"))
MORE = ("--maintenance",) if os.environ.get("HACORE_QUIET_MACHINE") else ()
"""A drill measures nothing on a machine that is busy with other tests: `make soak` plays it."""
NAME = f"begun-{os.getpid()}"
LITTER = f"""\
stack: {NAME}
connection: {{user: ops, become: sudo}}
hosts: {{box: {{address: 192.0.2.11, twin: {{os: redhat}}}}}}
resources:
  command:
    family: {{check: rpm -q twin-platform, do: "false", irreversible: a twin is what it is}}
    litter: {{check: test -e /etc/litter, do: "touch /etc/litter /etc/more-litter", undo: "rm -f /etc/litter"}}
"""
SCRIPTS = f"""\
stack: {NAME}
connection: {{user: root}}
hosts: {{box: {{address: 192.0.2.11, twin: {{os: sysvinit}}}}}}
resources:
  package:
    tree: {{}}
  file:
    note: {{path: /etc/napper.conf, content: "seconds=300\\n", mode: "0640", owner: games}}
    link: {{path: /srv/greeting, link_to: /opt/greet/bin/greet}}
  source_build:
    greet:
      source: greet-1.0.tar.gz
      sha256: SHA256
      make: "sed 's|@VERSION@|1.0|; s|@PREFIX@|/opt|' greet.sh.in >greet"
      install: 'mkdir -p "$DESTDIR/opt/greet/bin" && install -m 0755 greet "$DESTDIR/opt/greet/bin/greet"'
      binary: /opt/greet/bin/greet
  service:
    napper: {{running: true, enabled: true, definition: "{{{{ file('napper') }}}}", restart_on: [file.note]}}
"""
NAPPER = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides: napper
# Required-Start: $remote_fs
# Required-Stop: $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: Something that runs
### END INIT INFO
. /etc/napper.conf
daemon() { start-stop-daemon --pidfile /run/napper.pid "$@"; }
case $1 in
start) daemon --start --background --make-pidfile --exec /bin/sleep -- "$seconds" ;;
stop) daemon --stop --retry 5 --remove-pidfile ;;
restart) "$0" stop; "$0" start ;;
status) daemon --status ;;
*) echo "usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
"""


def hacore(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HACORE, *words], capture_output=True, text=True, cwd=folder, stdin=subprocess.DEVNULL)


def labs() -> set[str]:
    return {lab.name for lab in Lab.list_labs()}


def test_what_init_writes_is_valid_and_can_be_rehearsed(tmp_path: Path) -> None:
    pair = ("--host", "lb1=192.0.2.11", "--host", "lb2=192.0.2.12", "--vip", "192.0.2.200")
    assert hacore(tmp_path, "init", "--name", NAME, *pair).returncode == 0
    assert hacore(tmp_path, "validate").returncode == 0

    done = hacore(tmp_path, "rehearse", *MORE, "--trusted-stack", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["ok"], report["hosts"]) == (True, ["lb1", "lb2"])
    names = ["twins", "plan", "apply", "again", "drift", "heal", "rollback", "forward"]
    names += [*(["roll", "drill"] if MORE else []), "destroy"]
    assert [act["name"] for act in report["acts"]] == names
    assert "edited /etc/nginx/nginx.conf on lb2" in report["acts"][4]["said"]
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [".gitignore", "nginx.conf.j2", "stack.yaml"]
    assert f"{NAME}-rehearsal" not in labs()


def test_a_host_with_init_scripts_comes_out(tmp_path: Path) -> None:
    tarball = Path(__file__).parents[2] / "stacks/quickstart/greet-1.0.tar.gz"
    shutil.copy(tarball, tmp_path)
    (tmp_path / "napper").write_text(NAPPER)
    (tmp_path / "stack.yaml").write_text(SCRIPTS.replace("SHA256", hashlib.sha256(tarball.read_bytes()).hexdigest()))

    done = hacore(tmp_path, "rehearse", "--trusted-stack", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    acts = {act["name"]: act["said"] for act in json.loads(done.stdout)["acts"]}
    assert acts["drift"] == "reported: edited /etc/napper.conf on box; stopped napper on box"
    assert list(acts)[-1] == "destroy"


def test_a_stack_that_leaves_something_behind_does_not_come_out(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(LITTER)

    done = hacore(tmp_path, "rehearse", "--trusted-stack")

    assert done.returncode == 1
    assert "FAIL  rollback" in done.stdout
    assert "box: path /etc/more-litter: new" in done.stdout
    assert "/etc/litter:" not in done.stdout
    assert f"{NAME}-rehearsal" not in labs()
