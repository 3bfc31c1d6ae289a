"""A package that is written for an earlier hacore: refused by name, and in nobody else's way.

`data/api1` is such a package as pip lays it out: the example of docs/providers.md as it was with api 1,
under a kind of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REFUSED = (
    "cannot load the kind 'shell' of hacore-shell 0.1.0 (entry point hacore_shell:PROVIDER): "
    "it is written for api 1: rename `indelible` to `delete_irreversible`, declare `api = 2`; see docs/providers.md"
)
STACK = """\
stack: s
hosts: {h: {address: localhost, connection: {transport: local}}}
resources:
  file: {x: {path: FOLDER/x, content: hello}}
"""
SHELL = '  shell: {y: {check: "true", do: "true", undo: "true"}}\n'


def hacore(folder: Path, *args: str, packages: Path = HERE / "data" / "api1") -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "hacore.cli", *args],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "HOME": str(folder)},
    )


@pytest.mark.parametrize("args", [("--version",), ("--help",), ("version",), ("schema",), ("validate",), ("plan",)])
def test_what_does_not_use_the_kind_works(tmp_path: Path, args: tuple[str, ...]) -> None:
    (tmp_path / "stack.yaml").write_text(STACK.replace("FOLDER", str(tmp_path)))

    done = hacore(tmp_path, *args)

    assert done.returncode == 0, done.stderr
    assert done.stderr == (f"warning: {REFUSED}\n" if args == ("version",) else "")


@pytest.mark.parametrize("command", ["validate", "plan", "apply"])
def test_a_stack_that_uses_the_kind_is_told_why_it_cannot(tmp_path: Path, command: str) -> None:
    (tmp_path / "stack.yaml").write_text(STACK.replace("FOLDER", str(tmp_path)) + SHELL)

    done = hacore(tmp_path, command)

    assert done.returncode == 1
    assert done.stderr == f"stack.yaml:5:3: {REFUSED}\nerror: 1 mistake in the stack\n"


def test_a_recorded_resource_of_the_kind_is_named(tmp_path: Path) -> None:
    """A state that knows such a resource: its plan says which package to bring up to date."""
    ported = tmp_path / "packages"
    old = HERE / "data" / "api1"
    for file in ("hacore_shell-0.1.0.dist-info/METADATA", "hacore_shell-0.1.0.dist-info/entry_points.txt"):
        (ported / file).parent.mkdir(parents=True, exist_ok=True)
        (ported / file).write_text((old / file).read_text())
    text = (old / "hacore_shell" / "__init__.py").read_text()
    (ported / "hacore_shell").mkdir()
    text = text.replace("def indelible", "def delete_irreversible").replace("    kind =", "    api = 2\n    kind =")
    (ported / "hacore_shell" / "__init__.py").write_text(text)
    stack = tmp_path / "stack.yaml"
    stack.write_text(STACK.replace("FOLDER", str(tmp_path)) + SHELL)
    done = hacore(tmp_path, "apply", "--auto-approve", packages=ported)
    assert done.returncode == 0, done.stderr
    stack.write_text(STACK.replace("FOLDER", str(tmp_path)))

    for command in ("plan", "drift", "destroy"):
        done = hacore(tmp_path, command)

        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith(f"error: cannot plan shell.y@h: {REFUSED};"), done.stderr
