"""The command line, and what the package costs to import."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from hacore.model import Connection, Host
from hacore.transport.become import refusal
from hacore.transport.session import argv, command

SHELLS = [shell for shell in ("sh", "dash", "bash", "ksh", "mksh", "zsh", "fish", "tcsh", "csh") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_any_login_shell_runs_the_command_line(shell: str) -> None:
    line = command(Host(name="lb1", address="localhost"))
    script = "x='a b'; echo \"$x\"; cat; exit 5"
    done = subprocess.run([shell, "-c", line], input=script.encode(), capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (5, b"a b\n", b"")


def test_command_and_argv_say_the_same() -> None:
    host = Host(name="lb1", address="localhost", connection=Connection(become="sudo"))

    script = 'echo hacore"-"root >&2; eval "$(cat)"'
    assert argv(host) == ["sudo", "-n", "-H", "--", "sh", "-c", script]
    assert command(host) == f"exec sudo -n -H -- sh -c '{script}'"
    assert command(host, answers=True) == f"exec sudo -S -p hacore-sudo-password: -H -- sh -c '{script}'"


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ("dash", "sh: 1: exec: sudo: not found"),
        ("bash", "bash: line 1: exec: sudo: not found"),
        ("zsh", "zsh:1: command not found: sudo"),
        ("fish", "exec: Unknown command 'sudo'"),
    ],
)
def test_a_host_without_sudo_is_recognized_by_what_its_shell_says(shell: str, said: str) -> None:
    assert refusal(127, said) == "sudo is not installed", shell


def test_importing_the_package_does_not_import_asyncssh() -> None:
    program = "import sys, hacore.transport; sys.exit('asyncssh' in sys.modules or 'cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
