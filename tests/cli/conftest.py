"""The command line over hosts in memory: streams, exit codes, and a real state file."""

from __future__ import annotations

import functools
import io
import json
import textwrap
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hacore.engine
from hacore.cli.app import run
from hacore.model import Host
from hacore.testing import KINDS, World

HEAD = """
stack: web
variables:
  password: {type: string, sensitive: true, default: hunter2-and-more}
hosts:
  a: {address: 192.0.2.1}
  b: {address: 192.0.2.2}
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Console:
    """A user at a shell: `console("plan", "--json")` in a folder with a stack."""

    def __init__(self, folder: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.world = world
        self.monkeypatch = monkeypatch

    def stack(self, resources: str, head: str = HEAD) -> None:
        body = textwrap.indent(textwrap.dedent(resources).strip("\n"), "  ")
        (self.folder / "stack.yaml").write_text(f"{head}resources:\n{body}\n")

    def __call__(self, *argv: str, stdin: str | io.TextIOBase | None = "") -> Outcome:
        source = io.StringIO(stdin) if isinstance(stdin, str) else stdin
        self.monkeypatch.setattr("sys.stdin", source)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(argv)
        return Outcome(code, out.getvalue(), err.getvalue())


def at_a_shell(folder: Path, monkeypatch: pytest.MonkeyPatch, connect: Callable[[Host], Any]) -> None:
    """In a folder, without what the environment of the tests says to hacore, and with hosts in memory."""
    for name in ("HACORE_STATE", "HACORE_KEY", "HACORE_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("hacore.cli.stack_args.providers", lambda: KINDS)
    monkeypatch.setattr(hacore.engine, "Means", functools.partial(hacore.engine.Means, connect=connect))


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    world = World("a", "b")
    at_a_shell(tmp_path, monkeypatch, world.connect)
    return Console(tmp_path, world, monkeypatch)
