"""A stack on one host behind a real sshd, and hacore run on it in processes of its own."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from hacore.cli.app import run
from hacore.store import StateReader
from tests.faults.tools import PATIENCE, Slow
from tests.forking import fork
from tests.transport.sshd import Sshd, read

MAKEFILE = """\
all:
\tprintf '#!/bin/sh\\necho built\\n' >greeter
install:
\tmkdir -p "$(DESTDIR)$(PREFIX)/bin"
\tinstall -m 0755 greeter "$(DESTDIR)$(PREFIX)/bin/greeter"
"""


class Controller:
    """`hacore ARGS` in a process of its own, forked so that it has hacore's folders where the test has them."""

    def __init__(self, folder: Path, *argv: str, out: int | None = None) -> None:
        self.log = folder / f"log{len(list(folder.glob('log*')))}"
        self.code: int | None = None
        sys.stdout.flush()
        self.pid = fork()
        if self.pid == 0:
            code = 99
            try:
                os.setsid()
                os.chdir(folder)
                if out is None:
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
        self.database = self.folder / "state.db"
        self.server = ""  # the URL of a state that is no file
        self.running: list[Controller] = []

    @property
    def state(self) -> str:
        return self.server or f"sqlite:///{self.database}"

    def stack(self, resources: str, *, reconnect: float = 20, name: str = "site") -> None:
        head = (
            f"stack: {name}\nstate: {self.state}\nhosts:\n"
            f"  lb1: {{address: 127.0.0.1, connection: {{port: {self.sshd.port}, reconnect_timeout: {reconnect}}}}}\n"
            "resources:\n"
        )
        (self.folder / "stack.yaml").write_text(head + resources)

    def files(self, *, text: str = "new", slow: bool = True, then: str = ":") -> None:
        """Three files, one after the other; the second one waits in its validate."""
        (self.folder / "wait").write_text(f"#!/bin/sh\n{self.slow.script(then)}")
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

    def hacore(self, *argv: str, out: int | None = None) -> Controller:
        """Run it; what it prints goes to its log, or to the descriptor `out`."""
        self.running.append(Controller(self.folder, *argv, out=out))
        return self.running[-1]

    def apply(self, *more: str) -> Controller:
        return self.hacore("apply", "--auto-approve", *more)

    def begun(self) -> None:
        """Wait until the slow step runs."""
        eventually(lambda: read(self.slow.begun).endswith("\n"), lambda: self.running[-1].said)

    def made(self) -> dict[str, str]:
        return {p.name: p.read_text() for p in sorted(self.target.iterdir()) if p.is_file()}

    def runs(self) -> list[tuple[str, str]]:
        reader = StateReader.open(self.state)
        assert reader is not None
        with reader:
            return [(r.command, r.status) for r in reader.runs()]
