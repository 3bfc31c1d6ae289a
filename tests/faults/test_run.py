"""Whole runs, in processes of their own, over a real sshd: cut, stopped by signals, killed and gone on with."""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hacore.cli.app import run
from hacore.store import StateReader
from tests.faults.tools import PATIENCE, Slow
from tests.transport.sshd import Sshd, SshHome, read

MAKEFILE = """\
all:
\tprintf '#!/bin/sh\\necho built\\n' >greeter
install:
\tmkdir -p "$(DESTDIR)$(PREFIX)/bin"
\tinstall -m 0755 greeter "$(DESTDIR)$(PREFIX)/bin/greeter"
"""


class Controller:
    """`hacore ARGS` in a process of its own, forked so that it has hacore's folders where the test has them."""

    def __init__(self, folder: Path, *argv: str) -> None:
        self.log = folder / f"log{len(list(folder.glob('log*')))}"
        self.code: int | None = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 99
            try:
                os.setsid()
                os.chdir(folder)
                out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                for number in (1, 2):
                    os.dup2(out, number)
                sys.stdout, sys.stderr, sys.stdin = open(1, "w"), open(2, "w"), io.StringIO()  # noqa: SIM115
                code = run(list(argv))
            finally:
                sys.stdout.flush()
                os._exit(code)

    @property
    def said(self) -> str:
        return read(self.log)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        eventually(lambda: self._ended(), lambda: f"hacore does not end:\n{self.said}")
        assert self.code is not None
        return self.code

    def _ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is not None

    def kill(self) -> None:
        """With SIGKILL, if it still runs."""
        if not self._ended():
            self.signal(signal.SIGKILL)
            self.wait()


def eventually(check: Callable[[], bool], what: Callable[[], str] = str) -> None:
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


class Site:
    """A stack of one host behind the sshd, and hacore run on it."""

    def __init__(self, folder: Path, sshd: Sshd) -> None:
        self.folder, self.sshd, self.slow = folder / "site", sshd, Slow(folder)
        self.folder.mkdir()
        self.target = folder / "target"
        self.target.mkdir()
        self.running: list[Controller] = []

    def stack(self, resources: str, *, reconnect: float = 20, name: str = "site") -> None:
        head = (
            f"stack: {name}\nstate: sqlite:///{self.folder}/state.db\nhosts:\n"
            f"  lb1: {{address: 127.0.0.1, connection: {{port: {self.sshd.port}, reconnect_timeout: {reconnect}}}}}\n"
            "resources:\n"
        )
        (self.folder / "stack.yaml").write_text(head + resources)

    def files(self, *, text: str = "new", slow: bool = True) -> None:
        """Three files, one after the other; the second one waits in its validate."""
        (self.folder / "wait").write_text(f"#!/bin/sh\n{self.slow.script(':')}")
        (self.folder / "wait").chmod(0o755)
        validate = f", validate: '{self.folder}/wait %s'" if slow else ""
        self.stack(
            "  file:\n"
            f"    one: {{path: {self.target}/one, content: '{text}'}}\n"
            f"    two: {{path: {self.target}/two, content: '{text}', needs: [file.one]{validate}}}\n"
            f"    three: {{path: {self.target}/three, content: '{text}', needs: [file.two]}}\n"
        )

    def build(self) -> None:
        """A program whose make waits."""
        with tarfile.open(self.folder / "greeter.tar", "w") as tar:
            member = tarfile.TarInfo("greeter/Makefile")
            member.size = len(MAKEFILE)
            tar.addfile(member, io.BytesIO(MAKEFILE.encode()))
        digest = hashlib.sha256((self.folder / "greeter.tar").read_bytes()).hexdigest()
        (self.folder / "wait").write_text(f"#!/bin/sh\n{self.slow.script(':')}")
        (self.folder / "wait").chmod(0o755)
        self.stack(
            "  source_build:\n"
            f"    greeter: {{source: greeter.tar, sha256: {digest}, binary: {self.target}/bin/greeter,\n"
            f"      environment: {{PREFIX: {self.target}}}, make: ['{self.folder}/wait', make]}}\n"
        )

    def hacore(self, *argv: str) -> Controller:
        self.running.append(Controller(self.folder, *argv))
        return self.running[-1]

    def apply(self, *more: str) -> Controller:
        return self.hacore("apply", "--auto-approve", *more)

    def begun(self) -> None:
        """Wait until the slow step runs."""
        eventually(lambda: read(self.slow.begun).endswith("\n"), lambda: self.running[-1].said)

    def made(self) -> dict[str, str]:
        return {p.name: p.read_text() for p in sorted(self.target.iterdir()) if p.is_file()}

    def runs(self) -> list[tuple[str, str]]:
        reader = StateReader.open(f"sqlite:///{self.folder}/state.db")
        assert reader is not None
        with reader:
            return [(r.command, r.status) for r in reader.runs()]


@pytest.fixture
def site(tmp_path: Path, sshd: Sshd, here: Path, monkeypatch: pytest.MonkeyPatch, ssh_home: SshHome) -> Iterator[Site]:
    for name in ("HACORE_STATE", "HACORE_KEY", "HACORE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(ssh_home.home / "state"))
    made = Site(tmp_path, sshd)
    yield made
    made.slow.go.touch()
    for controller in made.running:
        controller.kill()


def test_an_sshd_that_restarts_while_make_runs(site: Site) -> None:
    site.build()
    applying = site.apply()
    site.begun()
    site.sshd.restart()
    site.slow.go.touch()

    assert applying.wait() == 0, applying.said
    assert "connection lost to lb1" in applying.said
    assert site.slow.times == 1
    assert subprocess.run([site.target / "bin/greeter"], capture_output=True).stdout == b"built\n"


def test_a_killed_run_goes_on_with_the_make_that_still_runs(site: Site) -> None:
    site.build()
    applying = site.apply()
    site.begun()
    applying.kill()
    resuming = site.apply("--resume")
    eventually(lambda: "building greeter" in resuming.said, lambda: resuming.said)
    site.slow.go.touch()

    assert resuming.wait() == 0, resuming.said
    assert site.slow.times == 1
    assert site.runs() == [("apply", "done")]


def test_a_killed_run_goes_on_with_the_make_that_has_ended(site: Site, here: Path) -> None:
    site.build()
    applying = site.apply()
    site.begun()
    applying.kill()
    site.slow.go.touch()
    eventually(lambda: any(here.glob("jobs/*/rc")))
    resuming = site.apply("--resume")

    assert resuming.wait() == 0, resuming.said
    assert site.slow.times == 1
    assert not any(here.glob("jobs/*"))


def test_a_killed_run_whose_step_still_changes_the_host_is_waited_for(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    applying.kill()
    back = site.hacore("rollback", "--auto-approve")
    eventually(lambda: "waiting for what an earlier run left running on lb1" in back.said, lambda: back.said)
    assert site.made().get("one") == "new"
    site.slow.go.touch()

    assert back.wait() == 0, back.said
    assert site.made() == {}


def test_a_connection_that_is_cut_in_an_effect(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    site.sshd.cut()
    site.slow.go.touch()

    assert applying.wait() == 0, applying.said
    assert site.made() == {"one": "new", "three": "new", "two": "new"}
    assert site.slow.times == 1
    assert site.hacore("plan", "--detailed-exitcode").wait() == 0


def test_a_host_that_stays_away_in_an_effect_leaves_it_in_doubt_and_the_next_apply_looks(site: Site) -> None:
    site.files()
    site.stack(re.sub(r"(?s).*resources:\n", "", (site.folder / "stack.yaml").read_text()), reconnect=0.3)
    applying = site.apply()
    site.begun()
    site.sshd.cut()
    site.sshd.stop()
    assert applying.wait() == 1
    assert "not back within 0.3 s" in applying.said
    site.slow.go.touch()
    site.sshd.start()
    again = site.apply()

    assert again.wait() == 0, again.said
    assert site.made() == {"one": "new", "three": "new", "two": "new"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_lets_what_runs_end_and_begins_nothing_new(site: Site, number: signal.Signals) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    applying.signal(number)
    eventually(lambda: "stopping" in applying.said)
    site.slow.go.touch()

    assert applying.wait() == 1
    assert site.made() == {"one": "new", "two": "new"}
    assert site.runs() == [("apply", "interrupted")]
    assert site.apply("--resume").wait() == 0
    assert site.made() == {"one": "new", "three": "new", "two": "new"}


def test_a_second_signal_waits_for_nothing(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    applying.signal(signal.SIGINT)
    eventually(lambda: "stopping" in applying.said)
    applying.signal(signal.SIGINT)

    assert applying.wait() == 130
    assert "left at once: the run is unfinished" in applying.said
    site.slow.go.touch()
    resuming = site.apply("--resume")
    assert resuming.wait() == 0, resuming.said
    assert site.made() == {"one": "new", "three": "new", "two": "new"}


def test_two_runs_of_one_stack(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    second = site.apply()

    assert second.wait() == 1
    assert f"pid {applying.pid}" in second.said
    site.slow.go.touch()
    assert applying.wait() == 0, applying.said


def test_two_stacks_on_one_host(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    text = (site.folder / "stack.yaml").read_text()
    other = site.folder / "other.yaml"
    other.write_text(
        re.sub(r"(?s)resources:.*", "resources:\n", text).replace("state.db", "other.db").replace("site", "other", 1)
        + f"  file:\n    four: {{path: {site.target}/four, content: four}}\n"
    )
    second = site.hacore("apply", "--auto-approve", "other.yaml")

    assert second.wait() == 1
    assert re.search(rf"cannot lock lb1@127.0.0.1: it is held by .*pid {applying.pid}, stack site", second.said)
    site.slow.go.touch()
    assert applying.wait() == 0, applying.said
    assert site.hacore("apply", "--auto-approve", "other.yaml").wait() == 0
