"""Real builds on a twin: created, changed, repaired, undone and deleted, to the byte."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.lab import manifest
from hacore.model import Action, Image
from hacore_providers.source_build.provider import PROVIDER
from hacore_providers.source_build.spec import SourceBuildSpec
from tests.providers.play import Player, StepFailedError
from tests.providers.source_build.conftest import MAKEFILE, Folder

pytestmark = pytest.mark.twins

ADDRESS = Address("source_build", "greeter", host="one")
BINARY = "/opt/greeter/bin/greeter"
NAME = "greeter~243d87e9"  # of the build on its host: the program's name, and a digest of its path
Make = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def tools(one: Player) -> Player:
    """The twin with a compiler."""
    one.sh(
        "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install gcc make libc6-dev >/dev/null"
    )
    return one


@pytest.fixture
def host(tools: Player) -> Iterator[Player]:
    """The twin with a compiler, and the certainty that a test leaves it as it found it."""
    tools.images, tools.foreign, tools.said = {}, frozenset(), []
    before = manifest.take(tools.lab, tools.twin)
    yield tools
    assert manifest.diff(before, manifest.take(tools.lab, tools.twin)) == []
    assert tools.sh("ls -A /var/lib/hacore/builds /var/lib/hacore/build 2>/dev/null || :") == ""


@pytest.fixture
def build(tmp_path: Path, make_tarball: Make) -> Callable[..., SourceBuildSpec]:
    """Makes resolved specs of the small program."""

    def make(greeting: str = "hello", files: dict[str, str] | None = None, **fields: object) -> SourceBuildSpec:
        source, sha256 = make_tarball(f"{greeting}.tar.gz", greeting, **(files or {}))
        body = {"source": source, "sha256": sha256, "binary": BINARY, "environment": {"WHO": "you"}, **fields}
        return PROVIDER.resolve(SourceBuildSpec.model_validate(body), Folder(tmp_path))

    return make


Build = Callable[..., SourceBuildSpec]


def test_a_build_is_created_changed_repaired_and_deleted(host: Player, build: Build) -> None:
    first = build(directories=[{"path": "/srv/greeter/spool", "mode": "1770", "owner": "daemon", "group": "daemon"}])
    assert host.plan(PROVIDER, ADDRESS, first)[0] is None
    host.apply(PROVIDER, ADDRESS, first, times=2)
    origin = host.images[ADDRESS]
    assert host.sh(BINARY) == "hello\n"
    assert (
        host.sh("stat -c '%a %U:%G' /srv/greeter/spool /opt/greeter/share/*.txt")
        == "1770 daemon:daemon\n640 root:root\n"
    )
    assert host.sh("ls -A /var/lib/hacore/build") == f"{NAME}.lock\n{NAME}.log\n"

    host.sh(f"echo tampered >>{BINARY}")
    observed, desired = host.plan(PROVIDER, ADDRESS, first)
    assert observed is not None
    assert observed.attrs["binary"] == "modified"
    host.apply(PROVIDER, ADDRESS, first)
    assert host.sh(BINARY) == "hello\n"

    # without the link, and with a new file; a file changed by hand stays, whatever the new build says
    changed = MAKEFILE.replace("ln -s greeter", "cp greeter.c").replace("bin/hello-there", "share/source.c")
    second = build("bye", files={"Makefile": changed})
    host.sh("echo mine >>/etc/greeter/greeter.conf")
    before = manifest.take(host.lab, host.twin)
    observed, desired = host.plan(PROVIDER, ADDRESS, second)
    assert observed is not None
    assert observed.texts["stamp"] != desired.texts["stamp"]
    host.apply(PROVIDER, ADDRESS, second, times=2)
    assert host.sh(BINARY) == "bye\n"
    assert "kept /etc/greeter/greeter.conf: modified by hand" in "".join(host.said)
    assert host.sh("cat /etc/greeter/greeter.conf") == "greeting=hello\nmine\n"
    assert host.rc("test -e /opt/greeter/bin/hello-there") != 0
    assert host.rc("test -f /opt/greeter/share/source.c") == 0
    host.undo(PROVIDER, ADDRESS, second, times=2)
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    host.settled(PROVIDER, ADDRESS, first)

    host.apply(PROVIDER, ADDRESS, second)
    before = manifest.take(host.lab, host.twin)
    host.images = host.capture(PROVIDER, host.work(PROVIDER, ADDRESS, second, Action.DELETE))
    host.delete(PROVIDER, ADDRESS, second, origin)
    host.undo(PROVIDER, ADDRESS, PROVIDER.recorded(second), times=2)  # a run that deleted it is rolled back
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    host.settled(PROVIDER, ADDRESS, second)
    host.delete(PROVIDER, ADDRESS, second, origin)
    assert host.plan(PROVIDER, ADDRESS, second)[0] is None


WAITING = """\
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words) { puts("%s"); fflush(stdout); return count > 1 ? pause() : 0; }
"""


def test_a_program_that_runs_is_replaced_and_runs_on(host: Player, build: Build) -> None:
    first, second = (build(said, files={"greeter_c": WAITING % said}) for said in ("one", "two"))
    host.apply(PROVIDER, ADDRESS, first)
    origin = host.images[ADDRESS]
    observed, _ = host.plan(PROVIDER, ADDRESS, first)
    assert observed is not None
    assert "libc.so.6" in observed.info["libraries"]
    host.sh(f"systemd-run -q --unit=run-greeter {BINARY} wait")
    pid = host.sh("systemctl show -P MainPID run-greeter").strip()
    served = manifest.take(host.lab, host.twin)

    host.apply(PROVIDER, ADDRESS, second)
    assert host.sh(BINARY) == "two\n"
    assert host.sh(f"readlink /proc/{pid}/exe") == f"{BINARY} (deleted)\n", "it keeps its file"
    host.undo(PROVIDER, ADDRESS, second)
    assert host.sh(BINARY) == "one\n"
    assert manifest.diff(served, manifest.take(host.lab, host.twin)) == []
    assert host.sh("systemctl show -P MainPID run-greeter").strip() == pid

    host.sh("systemctl stop run-greeter")
    host.delete(PROVIDER, ADDRESS, first, origin)


def test_what_was_there_before_comes_back(host: Player, build: Build) -> None:
    host.sh(
        "mkdir -p /opt/greeter/bin /etc/greeter; cd /opt/greeter/bin; echo old >greeter; ln -s nowhere hello-there\n"
        "chown daemon greeter; chmod 4711 greeter; echo old >/etc/greeter/greeter.conf"
    )
    before = manifest.take(host.lab, host.twin)
    wanted = build()
    observed, _ = host.plan(PROVIDER, ADDRESS, wanted)
    assert observed is not None
    assert dict(observed.attrs) == {"stamp": None, "binary": "modified"}
    host.apply(PROVIDER, ADDRESS, wanted)
    assert host.sh("cat /etc/greeter/greeter.conf") == "old\n"
    host.sh("echo newer >/etc/greeter/greeter.conf")
    host.delete(PROVIDER, ADDRESS, wanted, host.images[ADDRESS])
    assert host.sh("cat /etc/greeter/greeter.conf") == "newer\n", "what hacore never wrote is not put back either"
    host.sh("echo old >/etc/greeter/greeter.conf")
    assert manifest.diff(before, manifest.take(host.lab, host.twin)) == []
    host.sh("rm -r /opt/greeter /etc/greeter")


def test_what_others_own_is_not_touched(host: Player, build: Build) -> None:
    host.foreign = frozenset({"path:/etc/greeter/greeter.conf", "unit:greeter"})
    host.apply(PROVIDER, ADDRESS, build())
    assert host.rc("test -e /etc/greeter/greeter.conf") != 0
    host.sh("echo theirs >/etc/greeter/greeter.conf")
    host.apply(PROVIDER, ADDRESS, build("bye"))
    host.undo(PROVIDER, ADDRESS, build("bye"))
    host.delete(PROVIDER, ADDRESS, build(), PROVIDER.absent(build(), "absent"))
    assert host.sh("cat /etc/greeter/greeter.conf") == "theirs\n"
    host.sh("rm -r /etc/greeter")


def test_undo_at_every_stop_on_the_way(host: Player, build: Build) -> None:
    wanted = build()
    work = host.work(PROVIDER, ADDRESS, wanted, Action.CREATE)
    host.run(PROVIDER.prepare(work))
    host.images = host.capture(PROVIDER, work)
    host.undo(PROVIDER, ADDRESS, wanted, times=2)  # before anything was installed
    host.run(PROVIDER.prepare(work))
    apply = PROVIDER.apply(work)[0]
    marks = [line for line in apply.script.splitlines() if line.startswith(("while ", "mv ", "sed ", "now=", "! grep"))]
    assert len(marks) > 6
    for mark in marks:
        host.run(PROVIDER.prepare(work))
        cut = apply.script[: apply.script.rindex(mark)] + "exit 0\n"
        host.run([dataclasses.replace(apply, script=cut)])
        host.sh(f"! cd /opt/greeter/bin || touch .hacore.{NAME}.new")  # a copy that was cut short
        host.undo(PROVIDER, ADDRESS, wanted)
        assert host.rc("test -e /opt/greeter || test -e /etc/greeter") != 0, f"left after a stop before: {mark}"


def test_what_the_program_makes_goes_with_it_and_the_rest_is_said(host: Player, build: Build) -> None:
    wanted = build(directories=["/srv/greeter"], runtime=["/srv/greeter/*.log", "/opt/greeter/run"])
    host.sh("mkdir -p /opt/greeter/run")
    host.apply(PROVIDER, ADDRESS, wanted)
    host.sh("touch /srv/greeter/a.log /srv/greeter/'b c.log' /srv/greeter/precious")
    host.delete(PROVIDER, ADDRESS, wanted, host.images[ADDRESS])
    assert host.sh("ls -A /srv/greeter") == "precious\n"
    assert "kept /srv/greeter/precious: not part of the build" in "".join(host.said)
    assert host.sh("ls /opt/greeter") == "run\n", "it was there before"
    host.sh("rm -r /srv/greeter /opt/greeter")


def test_failures_say_what_failed(host: Player, build: Build, tmp_path: Path) -> None:
    def failure(spec: SourceBuildSpec) -> str:
        with pytest.raises(StepFailedError) as error:
            host.run(PROVIDER.prepare(host.work(PROVIDER, ADDRESS, spec, Action.CREATE)))
        return str(error.value)

    broken = failure(build("hello", files={"greeter_c": "int main(void) { return nothing; }\n"}))
    assert "'nothing' undeclared" in broken
    assert "cannot build greeter: 'make -j" in broken
    assert "cannot install greeter: nothing was installed" in failure(build(install="true"))
    assert "/usr/bin/x was not installed" in failure(build(binary="/usr/bin/x"))
    assert "its source has no ./configure" in failure(build(configure=["--with-it"]))
    (tmp_path / "fix.patch").write_text("--- a/greeter.c\n+++ b/greeter.c\n")
    assert "the program patch is missing" in failure(build(patches=["fix.patch"]))
    host.sh("rm -r /var/lib/hacore/build")


def test_a_changed_compiler_rebuilds_where_that_is_wanted(host: Player, build: Build) -> None:
    plain, strict = (
        build(environment={"CC": "mycc", "WHO": "x"}),
        build(environment={"CC": "mycc", "WHO": "x"}, rebuild_on="toolchain"),
    )
    host.sh("printf '#!/bin/sh\\nexec gcc \"$@\"\\n' >/usr/local/bin/mycc; chmod +x /usr/local/bin/mycc")
    host.apply(PROVIDER, ADDRESS, plain)
    host.settled(PROVIDER, ADDRESS, strict)
    host.sh(
        'printf \'#!/bin/sh\\n[ "$1" = --version ] && { echo mycc 2; exit; }\\nexec gcc "$@"\\n\' >/usr/local/bin/mycc'
    )
    host.settled(PROVIDER, ADDRESS, plain)
    observed, desired = host.plan(PROVIDER, ADDRESS, strict)
    assert observed is not None
    assert desired.attrs is not None
    assert observed.attrs["toolchain"] != desired.attrs["toolchain"]
    host.apply(PROVIDER, ADDRESS, strict)
    host.sh("rm /usr/local/bin/mycc")
    host.delete(PROVIDER, ADDRESS, strict, Image(data=None))
