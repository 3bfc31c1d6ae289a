"""Fleets over machines in memory, one world for each row, and a command line."""

from __future__ import annotations

import functools
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hacore.engine
from hacore.cli.app import run
from hacore.model import Host
from hacore.testing import KINDS, World

ROWS = 6
STACK = """
stack: edge
variables:
  number: {type: int}
  text: {type: string, default: v1}
  password: {type: string, sensitive: true, default: hunter2-and-more}
hosts:
  a: {address: "192.0.2.{{ var.number }}"}
  b: {address: "198.51.100.{{ var.number }}"}
resources:
  thing:
    conf: {key: /etc/edge.conf, text: "TEXT {{ var.text }}"}
    key: {key: /etc/edge.key, text: "{{ var.password }}"}
"""
FLEET = """
fleet: edge
stacks: {template: edge, table: pairs.csv, labels: [site]}
rollout:
  waves: [1, 50%]
  at_once: 3
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Console:
    """A user at a shell in the folder of a fleet; each row has machines of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.worlds = [World("a", "b") for _ in range(ROWS + 1)]

    async def connect(self, host: Host) -> Any:
        return await self.worlds[int(host.address.rpartition(".")[2])].connect(host)

    def template(self, text: str = "") -> None:
        (self.folder / "edge").mkdir(exist_ok=True)
        (self.folder / "edge" / "stack.yaml").write_text(STACK.replace("TEXT", text))

    def fleet(self, text: str = FLEET) -> None:
        (self.folder / "fleet.yaml").write_text(text)

    def __call__(self, *argv: str, stdin: str = "") -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.stdin", io.StringIO(stdin))
            code = run(argv)
        return Outcome(code, out.getvalue(), err.getvalue())

    def go(self, verb: str, *argv: str, stdin: str = "") -> Outcome:
        """A command of `hacore fleet` whose units run in this process."""
        return self("fleet", verb, *argv, "--processes", "0", stdin=stdin)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    for name in ("HACORE_STATE", "HACORE_KEY", "HACORE_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    console = Console(tmp_path)
    monkeypatch.setattr("hacore.cli.stack_args.providers", lambda: KINDS)
    monkeypatch.setattr(hacore.engine, "Means", functools.partial(hacore.engine.Means, connect=console.connect))
    console.template()
    console.fleet()
    rows = [f"edge-{n},{'lab' if n == 1 else 'eu'},{n}" for n in range(1, ROWS + 1)]
    (tmp_path / "pairs.csv").write_text("\n".join(["name,site,number", *rows]) + "\n")
    return console
