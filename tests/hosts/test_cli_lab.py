"""`hacore lab` as a user types it, from up to down."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hacore.errors import LabError
from hacore.lab import Lab

pytestmark = pytest.mark.twins

HACORE = str(Path(sys.executable).with_name("hacore"))
NAME = f"typed-{os.getpid()}"
ADDRESS = "192.0.2.11"
STACK = f"""\
stack: {NAME}
connection: {{user: root}}
hosts:
  box: {{address: {ADDRESS}, vars: {{interface: eth5}}}}
resources:
  file:
    note: {{path: /etc/note, content: "hello\\n"}}
"""


class Shell:
    """A folder with a stack, and a prompt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "stacks/tiny").mkdir(parents=True)
        (folder / "stacks/tiny/stack.yaml").write_text(STACK)

    def __call__(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [HACORE, *words], check=False, capture_output=True, text=True, cwd=self.folder, timeout=300
        )
        assert done.returncode == code, f"hacore {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr if code else done.stdout

    def listed(self) -> dict[str, bool]:
        return {lab["name"]: lab["alive"] for lab in json.loads(self("lab", "list", "--json"))["labs"]}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    yield Shell(tmp_path)
    with contextlib.suppress(LabError):
        Lab.named(NAME).down()


def test_a_lab_from_up_to_down(shell: Shell) -> None:
    assert f"box {ADDRESS}" in shell("lab", "up", "--trusted-stack", "stacks/tiny")
    assert shell.listed()[NAME]
    assert f"{NAME}  up  {ADDRESS}" in shell("lab", "list")
    assert "already up" in shell("lab", "up", "--trusted-stack", code=1)
    assert shell.listed()[NAME]

    # by the stack's folder, its file or its name; the command's own code comes out, and its words go in as they are
    assert shell("lab", "exec", "stacks/tiny", "--", "ssh", f"root@{ADDRESS}", "hostname").strip() == "box"
    assert "eth5" in shell("lab", "exec", "stacks/tiny/stack.yaml", "--", "ssh", "box", "ip", "-br", "address")
    assert shell("lab", "exec", NAME, "--", "printf", "%s|", "a b", "--", "-h") == "a b|--|-h|"
    shell("lab", "exec", NAME, "--", "sh", "-c", "exit 7", code=7)
    shell("lab", "exec", NAME, "--", "ssh", "box", "exit 3", code=3)
    shell("lab", "exec", NAME, "--", "sh", "-c", "kill -TERM $$", code=128 + 15)
    shell("lab", "exec", NAME, "--", "no-such-program", code=127)
    shell("lab", "exec", NAME, code=64)

    inside = ("lab", "exec", "stacks/tiny", "--", HACORE)
    shell(*inside, "plan", "--detailed-exitcode", code=2)
    shell(*inside, "apply", "--auto-approve")
    shell(*inside, "plan", "--detailed-exitcode")
    assert shell("lab", "exec", NAME, "--", "ssh", "box", "cat", "/etc/note") == "hello\n"
    assert sorted(p.name for p in shell.folder.rglob("*") if p.is_file()) == ["stack.yaml"]  # the state is the lab's

    shell("lab", "down", "stacks/tiny")
    assert NAME not in shell.listed()
    assert "cannot find lab" in shell("lab", "exec", NAME, "--", "true", code=1)


def test_what_is_not_there_cannot_be_taken_down(shell: Shell) -> None:
    before = shell.listed()
    assert f"cannot find lab {NAME}" in shell("lab", "down", "stacks/tiny", code=1)
    assert "cannot find lab no-such-lab" in shell("lab", "down", "no-such-lab", code=1)
    shell("lab", "down", "no/such/stack", code=64)
    assert shell.listed().get(NAME) == before.get(NAME)


def test_a_stack_that_does_not_load_has_its_lab_still_taken_down(shell: Shell) -> None:
    shell("lab", "up", "--trusted-stack", "stacks/tiny")
    (shell.folder / "stacks/tiny/stack.yaml").write_text(STACK.replace("content:", "contnet:"))
    assert "contnet" in shell("lab", "up", "--trusted-stack", code=1)
    assert shell.listed()[NAME]
    shell("lab", "down")
    assert NAME not in shell.listed()
