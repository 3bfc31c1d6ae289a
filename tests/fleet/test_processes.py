"""Real processes are killed in the middle of a real apply: nothing is lost, and nothing is done twice.

The stacks write files on this machine. The validation of a file stops at a pipe, so what is killed is surely in the
middle of a step; it continues when the test writes to the pipe.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("whole_machine")]

# Notes each attempt; the first one reports that it is there, and waits.
VALIDATE = """#!/bin/sh
echo "$2" >> "$1/attempts"
[ -e "$1/stopped" ] && exit 0
: > "$1/stopped"
echo here > "$1/arrived"
read -r _ < "$1/go"
"""
STACK = """
stack: {name}
hosts: {{here: {{address: localhost, connection: {{transport: local}}}}}}
resources:
  file:
    note: {{path: "{out}/{name}", content: "{name}\\n"{more}}}
"""


class Place:
    """A folder with a fleet of three stacks; the second one stops in the middle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.out.mkdir()
        self.gate = folder / "gate"
        self.gate.mkdir()
        for name in ("arrived", "go"):
            os.mkfifo(self.gate / name)
        self.pipe = os.open(self.gate / "go", os.O_RDWR)
        script = folder / "validate"
        script.write_text(VALIDATE)
        script.chmod(0o755)
        for name in ("s1", "s2", "s3"):
            (folder / "sites" / name).mkdir(parents=True)
            more = f', validate: "{script} {self.gate} %s"' if name == "s2" else ""
            text = STACK.format(name=name, out=self.out, more=more)
            (folder / "sites" / name / "stack.yaml").write_text(text)
        (folder / "fleet.yaml").write_text(
            "fleet: local\nstacks: 'sites/*/stack.yaml'\nrollout: {waves: [1, 1, 1], at_once: 1}\n"
        )

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "hacore.cli", "fleet", *argv, "--auto-approve", "--json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def arrived(self) -> None:
        assert (self.gate / "arrived").read_text() == "here\n"

    def go_on(self) -> None:
        os.write(self.pipe, b"go\n")  # whether or not somebody reads it by now

    def record(self) -> list[Any]:
        lines = (self.folder / "state" / "local.fleet" / "000001.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def begun(self) -> list[str]:
        return [line["stack"].removeprefix("sites.") for line in self.record() if line["type"] == "begun"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[[], Place]]:
    made: list[Place] = []

    def make() -> Place:
        made.append(Place(tmp_path))
        return made[0]

    yield make
    for each in made:
        os.close(each.pipe)
        for name in ("s1", "s2", "s3"):
            subprocess.run(
                [sys.executable, "-m", "hacore.cli", "destroy", f"sites/{name}", "--auto-approve"],
                cwd=each.folder,
                capture_output=True,
                check=False,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        assert list(each.out.iterdir()) == []


def children(pid: int) -> list[int]:
    """The processes of the pool, found by their command line."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    tasks = [Path(f"/proc/{pid}/task/{t}/children").read_text().split() for t in os.listdir(f"/proc/{pid}/task")]
    every = {int(child) for group in (found, *tasks) for child in group}
    return sorted(c for c in every if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes())


def test_a_process_of_the_pool_is_killed(place: Callable[[], Place]) -> None:
    here = place()
    fleet = here.start("apply")
    here.arrived()
    (worker,) = children(fleet.pid)

    os.kill(worker, signal.SIGKILL)
    here.go_on()

    out, err = fleet.communicate(timeout=300)
    assert fleet.returncode == 0, out + err
    run = json.loads(out)
    assert (run["status"], run["summary"]) == ("done", {"changed": 3})
    assert here.begun() == ["s1", "s2", "s3"], "for the record each began once"
    assert sorted(path.name for path in here.out.iterdir()) == ["s1", "s2", "s3"]
    assert {stack["run"] for stack in run["stacks"]} == {1}, "the interrupted run was resumed, and is one run"


def test_the_coordinator_is_killed(place: Callable[[], Place]) -> None:
    here = place()
    fleet = here.start("apply")
    here.arrived()
    (worker,) = children(fleet.pid)
    watched = os.pidfd_open(worker)

    fleet.kill()
    fleet.wait(timeout=60)
    here.go_on()

    assert select.select([watched], [], [], 120)[0], "the process of the pool ends after its stack"
    os.close(watched)
    fleet.communicate(timeout=60)
    assert here.begun() == ["s1", "s2"], "nothing new began"
    assert sorted(path.name for path in here.out.iterdir()) == ["s1", "s2"], "the stack that ran has ended"
    again = here.start("apply", "--resume", "1")
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, out + err
    assert json.loads(out)["summary"] == {"changed": 3}, "what the stack did alone is of this rollout, too"
    assert here.begun() == ["s1", "s2", "s2", "s3"]
