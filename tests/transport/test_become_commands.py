"""sudo's password on the command line's side: typed, or from the environment; shown nowhere."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.transport.island import PASSWORD, WITH_PASSWORD, Island

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(os.geteuid() != 0, reason="users of a machine's own need a mount namespace"),
]
HACORE = [sys.executable, "-m", "hacore.cli"]
VARIABLE = "HACORE_BECOME_PASSWORD"


@dataclass
class Site:
    """A stack of one file that only root may write, on an island where sudo asks."""

    server: Island
    folder: Path

    @property
    def managed(self) -> Path:
        return self.folder / "managed.conf"

    def write(self, content: str = "as wanted") -> None:
        (self.folder / "stack.yaml").write_text(
            f"stack: site\nstate: sqlite:///{self.folder}/state.db\n"
            "connection: {user: ops, become: sudo}\n"
            f"hosts:\n  lb1: {{address: 127.0.0.1, connection: {{port: {self.server.port}}}}}\n"
            f'resources:\n  file:\n    it: {{path: {self.managed}, content: "{content}\\n", mode: "0600"}}\n'
        )

    def run(self, *args: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, VARIABLE: password}
        return subprocess.run(
            [*HACORE, *args],
            cwd=self.folder,
            env=env,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            timeout=60,
        )

    def ok(self, *args: str, code: int = 0) -> str:
        done = self.run(*args)
        assert done.returncode == code, done.stdout + done.stderr
        assert "battery" not in done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def site(new_island: Callable[..., Island], tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(new_island(sudoers="Defaults use_pty\n" + WITH_PASSWORD), folder)
    site.write()
    return site


def test_a_whole_life_with_the_password_from_the_environment(site: Site) -> None:
    site.ok("apply", "--auto-approve")
    assert site.managed.read_text() == "as wanted\n"
    assert site.managed.stat().st_uid == 0

    before = (site.server.logins(), site.server.execs())
    assert json.loads(site.ok("plan", "--json"))["summary"]["noop"] == 1
    assert (site.server.logins(), site.server.execs()) == (before[0] + 1, before[1] + 1)

    site.managed.write_text("by hand\n")
    assert "file.it" in site.ok("drift", code=2)
    site.ok("--log", "debug", "apply", "--auto-approve")
    site.write("something else")
    site.ok("apply", "--auto-approve")
    site.ok("rollback", "--auto-approve")
    assert site.managed.read_text() == "as wanted\n"
    site.ok("destroy", "--auto-approve")
    assert not site.managed.exists()

    for file in site.folder.iterdir():
        assert b"battery" not in file.read_bytes(), file


def test_without_it_a_plan_says_what_to_do(site: Site) -> None:
    done = site.run("plan", password="")

    assert done.returncode == 1
    assert "sudo prompts for a password; use --ask-become-pass or HACORE_BECOME_PASSWORD" in done.stdout


def test_a_wrong_one_is_not_shown(site: Site) -> None:
    done = site.run("plan", password="incorrect zebra")

    assert done.returncode == 1
    assert "sudo refused the password (tried once)" in done.stdout
    assert "zebra" not in done.stdout + done.stderr


def test_no_child_inherits_it(site: Site, tmp_path: Path) -> None:
    config = Path(os.environ["HOME"]) / ".ssh" / "config"
    config.write_text(f'Match exec "env >{tmp_path}/environment"\n')
    site.ok("plan")

    assert "HOME=" in (tmp_path / "environment").read_text()
    assert VARIABLE not in (tmp_path / "environment").read_text()


def typed(site: Site, words: str, *, line: str) -> tuple[int, str]:
    """Run on a terminal, where `line` is typed when the password is asked for; the exit code, and all that was seen."""
    command = " ".join([*HACORE, words])
    argv = ["script", "--quiet", "--return", "--echo", "never", "--command", command, "/dev/null"]
    with subprocess.Popen(argv, cwd=site.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        seen = b""
        # A prompt that is never shown ends the test, where a read would wait until somebody types.
        while b"password of the hosts: " not in seen:
            assert select.select([child.stdout], [], [], 60)[0], f"nothing was asked: {seen.decode()}"
            chunk = child.stdout.read(4096)
            assert chunk, f"it ended and asked nothing: {seen.decode()}"
            seen += chunk
        child.stdin.write(line.encode() + b"\n")
        seen += child.stdout.read()
        code = child.wait(60)
    return code, seen.decode()


def test_it_is_typed_without_an_echo(site: Site) -> None:
    code, seen = typed(site, "apply --auto-approve --ask-become-pass", line=PASSWORD)

    assert code == 0, seen
    assert site.managed.read_text() == "as wanted\n"
    assert "battery" not in seen
    code, seen = typed(site, "plan -K", line=PASSWORD)
    assert code == 0, seen


def test_an_empty_one_and_no_terminal_are_errors(site: Site) -> None:
    code, seen = typed(site, "plan -K", line="")
    assert (code, "cannot use the password: it is empty" in seen) == (64, True)

    done = site.run("plan", "-K")
    assert done.returncode == 1
    assert "cannot ask for the sudo password: no terminal; set HACORE_BECOME_PASSWORD" in done.stderr


def test_none_of_it_needs_to_execute_anything_in_tmp_or_run(site: Site) -> None:
    """Steps, jobs and a validation work where /tmp, /var/tmp, /dev/shm and /run are mounted noexec."""
    text = (site.folder / "stack.yaml").read_text()
    mine = f"{{0}}/{os.urandom(8).hex()}"
    probe = f"cp /bin/true {mine} && ! {mine} 2>/dev/null; rc=$?; rm -f {mine}; test $rc = 0"
    check = " && ".join(f"{{ {probe.format(place)}; }}" for place in site.server.noexec)
    commands = f"  command:\n    noexec:\n      check: test -e {site.folder}/seen\n      do: |\n        {check}\n"
    commands += f"        touch {site.folder}/seen\n      undo: rm -f {site.folder}/seen\n"
    text = text.replace('mode: "0600"}', 'mode: "0600", validate: "grep -q wanted %s"}')
    (site.folder / "stack.yaml").write_text(text + commands)

    site.ok("apply", "--auto-approve")
    assert (site.folder / "seen").exists()
    site.ok("rollback", "--auto-approve")
    assert not (site.folder / "seen").exists()
    assert not site.managed.exists()
