"""A package that is written for an earlier hacore: refused by name, and in nobody else's way.

`data/api1` is such a package as pip lays it out: the example of docs/providers.md as it was with api 1,
under a kind of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from hacore.engine import LoadRequest, Means, Request, apply
from hacore.load import load_providers
from hacore.testing import ThisMachine

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


async def test_a_recorded_resource_of_the_kind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that knows such a resource, of when the package fitted: each command says what is to be done."""
    text = (HERE / "data" / "api1" / "hacore_shell" / "__init__.py").read_text()
    text = text.replace("def indelible", "def delete_irreversible").replace("    kind =", "    api = 2\n    kind =")
    text = text.replace("hosts: object)", "hosts: object, lifecycle: object)")
    (tmp_path / "ported_shell.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    shell = EntryPoint("shell", "ported_shell:PROVIDER", "hacore.providers")
    stack, state = tmp_path / "stack.yaml", f"sqlite:///{tmp_path}/state.db"
    stack.write_text(STACK.replace("FOLDER", str(tmp_path)) + SHELL)
    kinds = load_providers([*entry_points(group="hacore.providers", name="file"), shell])
    request = Request(LoadRequest(stack, state_url=state), Means(kinds, connect=ThisMachine(tmp_path / "here").connect))
    assert (await apply(request, approve=yes)).ok
    stack.write_text(STACK.replace("FOLDER", str(tmp_path)))

    for command in ("plan", "drift", "destroy"):
        done = hacore(tmp_path, command, "--state", state)

        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith(f"error: cannot plan shell.y@h: {REFUSED};"), done.stderr


async def yes(*_: Any) -> bool:
    return True
