"""The automatic revert, as a real shell runs it: the order of its scripts, and the host's lock."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from hacore.contract import Step
from hacore.probe.jobs import WAIT
from hacore.probe.revert import arm, disarm

NAMES = ("0001.undo", "0002.undo", "0003.undo", "0001.settle", "0002.settle", "0001.serve")


class Armed:
    """A host whose $HACORE_RUN is a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.run, self.work, self.log = folder / "run", folder / "work", folder / "log"
        self.run.mkdir(mode=0o700)
        self.work.mkdir()

    def sh(self, step: Step) -> None:
        for name, blob in step.blobs.items():
            (self.work / name).write_bytes(blob)
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C",
            "HACORE_RUN": str(self.run),
            "HACORE_WORK": str(self.work),
            "HACORE_HOME": str(self.run.parent / "home"),
            "LOG": str(self.log),
        }
        done = subprocess.run(
            ["sh", "-c", "set -eu\n" + step.script], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr

    def over(self) -> str:
        """How it ended, once it has."""
        end = time.monotonic() + 60
        while not (self.run / "confirm/over").exists() or (self.run / "lock").exists():
            assert time.monotonic() < end, "the host never reverted"
            time.sleep(0.05)
        return (self.run / "confirm/over").read_text().strip()


@pytest.fixture
def host(tmp_path: Path, own_folders: Path) -> Armed:
    return Armed(tmp_path)


def revert(host: Armed, script: str) -> str:
    for name in NAMES:
        within = 0 if name == NAMES[-1] else 60
        host.sh(arm((Step(script.replace("NAME", name)),), name, lineage="l", what="a run", within=within))
    return host.over()


def test_the_latest_change_is_undone_first_then_daemons_load_then_the_host_serves(host: Armed) -> None:
    assert revert(host, f"echo NAME >>'{host.log}'") == "put back"

    assert host.log.read_text().split() == [
        *("0003.undo", "0002.undo", "0001.undo"),
        *("0001.settle", "0002.settle"),
        "0001.serve",
    ]


def test_the_host_holds_its_own_lock_while_it_reverts(host: Armed) -> None:
    """So a controller that is still connected is fenced."""
    (host.run / "lock").write_text("token-of-the-run\nabout\n")

    revert(host, f"head -n 1 '{host.run}/lock' >>'{host.log}' 2>&1 || echo 'no lock' >>'{host.log}'")

    tokens = set(host.log.read_text().splitlines())
    assert len(tokens) == 1
    assert tokens.pop().endswith("-puts-itself-back")
    assert not (host.run / "lock").exists()


def test_a_script_that_fails_does_not_stop_the_others(host: Armed) -> None:
    ended = revert(host, f"echo NAME >>'{host.log}'; case NAME in 0002.undo) exit 1;; esac")

    assert ended == "put back, but for 0002.undo"
    assert len(host.log.read_text().split()) == len(NAMES)


def test_the_host_frees_its_own_lock_only(host: Armed) -> None:
    host.sh(arm((Step(f"echo another >'{host.run}/lock'"),), "0001.undo", lineage="l", what="a run", within=0))
    end = time.monotonic() + 60
    watched = ["flock", "-n", str(host.run / "confirm/watch"), "true"]
    while not (host.run / "confirm/over").exists() or subprocess.run(watched, check=False).returncode != 0:
        assert time.monotonic() < end, "the host never reverted"
        time.sleep(0.05)

    assert (host.run / "lock").read_text() == "another\n"


@pytest.mark.parametrize(
    ("lineage", "over", "left"), [("mine", False, False), ("other", False, True), ("other", True, False)]
)
def test_a_run_cancels_its_own_revert_and_what_is_over(host: Armed, lineage: str, over: bool, left: bool) -> None:
    """The revert of another state's run that still waits for its confirmation stays."""
    folder = host.run / "confirm"
    folder.mkdir()
    (folder / "lineage").write_text("mine\n")
    (folder / "what").write_text("a run\n")
    if over:
        (folder / "over").write_text("put back\n")

    host.sh(Step(f"{disarm(lineage)}\n[ \"$__waits\" = '{'a run' if left else ''}' ]"))

    assert folder.exists() is left


@pytest.mark.parametrize(("days", "left"), [(1, True), (30, False)])
def test_the_result_of_work_in_scratch_space_is_kept_for_a_week(host: Armed, days: int, left: bool) -> None:
    job = host.run / "jobs/one"
    job.mkdir(parents=True)
    for name in ("begun", "rc", "scratch"):
        (job / name).touch()
    (job / "token").write_text("of another run\n")
    then = time.time() - days * 86400
    os.utime(job, (then, then))

    host.sh(Step(f"{WAIT}\n__tidy of-this-run"))

    assert job.exists() is left
