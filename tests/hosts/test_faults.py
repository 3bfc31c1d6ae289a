"""What befalls real hosts in the middle of an apply: a cut while make runs, a power cut, a busy and broken dpkg."""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import CompletedProcess

import pytest

from hacore.lab import Lab, manifest
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
MAKEFILE = """\
all:
\ttouch /run/begun
\twhile [ ! -e /run/go ]; do sleep 0.1; done
\techo x >>/var/tmp/builds
\tprintf '#!/bin/sh\\necho built\\n' >greeter
install:
\tmkdir -p "$(DESTDIR)/opt/greeter/bin"
\tinstall -m 0755 greeter "$(DESTDIR)/opt/greeter/bin/greeter"
"""
# a package whose installation takes as long as the test wants, and one that fails once and is left half configured
PACKAGES = """
cd /var/tmp
package() {
  mkdir -p "$1/DEBIAN"
  printf 'Package: %s\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' "$1" >"$1/DEBIAN/control"
  printf '#!/bin/sh\\n%s\\n' "$2" >"$1/DEBIAN/postinst"
  chmod 0755 "$1/DEBIAN/postinst"
  dpkg-deb -b "$1" >/dev/null
}
package broken '[ ! -e /run/fail ]'
package slow 'touch /run/begun; while [ ! -e /run/go ]; do sleep 0.1; done'
touch /run/fail
dpkg -i broken.deb >/dev/null 2>&1
rm /run/fail
"""


class Box:
    """The project, and hacore run on it while the test does something else."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._pool = ThreadPoolExecutor(1)

    def apply(self, *more: str) -> Future[CompletedProcess[str]]:
        return self._pool.submit(self.project.run, "apply", "--auto-approve", *more, timeout=180)

    def sh(self, script: str, *, check: bool = True) -> str:
        return self.project.ssh(HOST, script, check=check)

    def until(self, script: str, running: Future[CompletedProcess[str]] | None = None) -> None:
        """Until a script on the host succeeds."""
        end = time.monotonic() + 60
        while self.project.lab.ssh(HOST, script).returncode != 0:
            if running is not None and running.done():
                raise AssertionError(f"hacore ended: {told(running)}")
            assert time.monotonic() < end, script
            time.sleep(0.1)

    def close(self) -> None:
        self._pool.shutdown()


def told(running: Future[CompletedProcess[str]]) -> str:
    done = running.result(timeout=180)
    return f"{done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def box(pair: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made = Box(Project(tmp_path_factory.mktemp("faults"), pair))
    yield made
    made.close()


@pytest.fixture
def waiting(box: Box) -> Callable[[], str]:
    """A stack of two files; the second one is checked for as long as the test wants."""

    def resources() -> str:
        check = "touch /run/begun; while [ ! -e /etc/go ]; do sleep 0.1; done; test -e"
        return (
            "  file:\n    one: {path: /etc/one, content: new}\n"
            f"    two: {{path: /etc/two, content: new, needs: [file.one], validate: \"sh -c '{check} $0' %s\"}}\n"
        )

    return resources


def test_a_power_cut_in_the_middle_of_an_apply(box: Box, waiting: Callable[[], str]) -> None:
    """What was in flight is undone once the host is up again, under a lock that is taken again."""
    box.sh("echo mine >/etc/one")
    before = manifest.take(box.project.lab, HOST)
    box.project.write(waiting(), head=HEAD)
    applying = box.apply()
    box.until("test -e /run/begun", applying)
    box.project.lab.crash(HOST)
    box.project.lab.boot(HOST)

    assert told(applying).startswith("1\n"), told(applying)
    assert "lb1 was restarted during the run" in told(applying)
    assert manifest.diff(before, manifest.take(box.project.lab, HOST)) == [], told(applying)
    box.sh("touch /etc/go")
    assert told(box.apply()).startswith("0\n")
    assert box.sh("cat /etc/one /etc/two; ls /run/hacore/lock 2>&1 || :").startswith("newnewls:")


def test_a_dpkg_that_is_busy_and_left_half_configured(box: Box) -> None:
    """As unattended-upgrades(8) leaves it when the machine is switched off, and when it is at work."""
    box.sh(PACKAGES)
    assert box.sh("dpkg-query -W -f '${db:Status-Abbrev}' broken").strip() == "iF"
    box.sh("systemd-run --quiet dpkg -i /var/tmp/slow.deb")
    box.until("test -e /run/begun")
    box.project.write("  package:\n    tools: {names: [make]}\n", head=HEAD)
    applying = box.apply()
    box.until("grep -l -e 'configure.-a' -e apt-get /proc/[0-9]*/cmdline", applying)
    assert not applying.done()
    box.sh("touch /run/go")

    assert told(applying).startswith("0\n"), told(applying)
    states = box.sh("dpkg-query -W -f '${Package} ${db:Status-Abbrev}\\n' broken slow make").split()
    assert states == ["broken", "ii", "make", "ii", "slow", "ii"]
    box.sh("dpkg --purge broken slow >/dev/null; rm -rf /run/go /run/begun /var/tmp/broken* /var/tmp/slow*")


def test_a_build_outlives_its_connection_and_the_restart_of_sshd(box: Box) -> None:
    stack = box.project.folder / "stacks" / "web"
    with tarfile.open(stack / "greeter.tar", "w") as tar:
        member = tarfile.TarInfo("greeter/Makefile")
        member.size = len(MAKEFILE)
        tar.addfile(member, io.BytesIO(MAKEFILE.encode()))
    digest = hashlib.sha256((stack / "greeter.tar").read_bytes()).hexdigest()
    box.project.write(
        "  package:\n    tools: {names: [make]}\n"
        f"  source_build:\n    greeter: {{source: greeter.tar, sha256: {digest}, binary: /opt/greeter/bin/greeter,\n"
        "      needs: [package.tools]}\n",
        head=HEAD,
    )
    applying = box.apply()
    box.until("test -e /run/begun", applying)
    # the sessions of sshd outlive its restart (KillMode=process): these go too, ours last
    cut = "for p in $(pgrep -x sshd); do [ $p = $(systemctl show -P MainPID ssh) ] || kill -9 $p; done"
    box.sh(f"systemctl restart ssh && {{ {cut}; }}", check=False)
    box.until("touch /run/go")

    assert told(applying).startswith("0\n"), told(applying)
    assert "connection lost to lb1" in told(applying)
    assert box.sh("/opt/greeter/bin/greeter; cat /var/tmp/builds") == "built\nx\n"
    box.sh("rm -f /run/go /run/begun /var/tmp/builds")
