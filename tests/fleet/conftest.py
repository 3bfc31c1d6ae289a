"""Fleets over machines in memory, one world for each row, and a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hacore.model import Host
from hacore.testing import World
from tests.cli.conftest import Console as Shell
from tests.cli.conftest import Outcome, at_a_shell

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


class Console(Shell):
    """A user at a shell in the folder of a fleet; each row has machines of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, World(), monkeypatch)
        self.worlds = [World("a", "b") for _ in range(ROWS + 1)]

    async def connect(self, host: Host) -> Any:
        return await self.worlds[int(host.address.rpartition(".")[2])].connect(host)

    def template(self, text: str = "") -> None:
        (self.folder / "edge").mkdir(exist_ok=True)
        (self.folder / "edge" / "stack.yaml").write_text(STACK.replace("TEXT", text))

    def fleet(self, text: str = FLEET) -> None:
        (self.folder / "fleet.yaml").write_text(text)

    def go(self, verb: str, *argv: str, stdin: str = "") -> Outcome:
        """A command of `hacore fleet` whose units run in this process."""
        return self("fleet", verb, *argv, "--processes", "0", stdin=stdin)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(tmp_path, monkeypatch)
    at_a_shell(tmp_path, monkeypatch, console.connect)
    console.template()
    console.fleet()
    rows = [f"edge-{n},{'lab' if n == 1 else 'eu'},{n}" for n in range(1, ROWS + 1)]
    (tmp_path / "pairs.csv").write_text("\n".join(["name,site,number", *rows]) + "\n")
    return console
