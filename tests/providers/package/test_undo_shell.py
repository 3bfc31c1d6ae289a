"""The undo of packages, as a real shell runs it over a package manager of a few functions: a list in a file."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hacore_providers.package.shell import COMMON, RECORDS
from hacore_providers.package.undo_shell import UNDO

MANAGER = r"""
manager=toy
log() { printf '%s\n' "$*" >>"$LOG"; }
packages() { sort "$LIST"; }
installed() { packages | there | grep -qxF -- "$1"; }
along() { :; }
mark_along() { log mark_along "$@"; }
mark_wanted() { log mark_wanted "$@"; }
hold_names() { log hold "$@"; }
release_names() { log release "$@"; }
hold_services() { :; }
free_services() { :; }
broken() { return 1; }
repair() { :; }
only_these() { return 0; }
take_off() { log take_off "$@"; }
take_away() { log take_away "$@"; }
purge_list() { cat "$image/may"; }
"""


@dataclass
class Toy:
    """A host with a package manager that only writes down what it is asked for."""

    folder: Path

    def undo(
        self,
        *,
        before: str,
        now: str,
        mode: str = "undo",
        names: str = "a",
        kept: str = "",
        holding: str = "",
        held: str = "",
    ) -> list[str]:
        """The calls that change something; `before` and `now` are lines NAME VERSION STATE.

        `holding`: the names of which the task decides the hold; `held`: those that were held before.
        """
        work, calls, installed = (self.folder / name for name in ("work", "calls", "list"))
        work.mkdir()
        files = {"packages": before, "auto": "", "paths": "", "foreign": "", "held": held}
        for name, text in files.items():
            (work / name).write_text(text.replace(" ", "\t"))
        installed.write_text(now.replace(" ", "\t"))
        calls.touch()
        variables = f"names='{names}' governed= kept='{kept}' mode={mode} blank= key=k holding='{holding}'\n"
        done = subprocess.run(
            ["sh", "-c", "set -eu\n" + variables + COMMON + MANAGER + RECORDS + UNDO],
            env={
                "PATH": os.environ["PATH"],
                "LC_ALL": "C",
                "HACORE_WORK": str(work),
                "HACORE_HOME": str(self.folder / "home"),
                "LOG": str(calls),
                "LIST": str(installed),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return [line for line in calls.read_text().splitlines() if not line.startswith("mark_")]


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def test_an_added_package_is_purged(toy: Toy) -> None:
    assert toy.undo(before="b 1 ii\n", now="a 1 ii\nb 1 ii\n") == ["take_away a"]


def test_a_package_of_another_resource_is_not_purged(toy: Toy) -> None:
    assert toy.undo(before="b 1 ii\n", now="a 1 ii\nb 1 ii\n", mode="delete", kept="a") == []


def test_a_package_with_only_configuration_files_before_is_removed_to_that(toy: Toy) -> None:
    assert toy.undo(before="a 1 rc\n", now="a 1 ii\n") == ["take_off a"]


def test_a_package_of_another_resource_is_not_removed_to_its_configuration_files(toy: Toy) -> None:
    assert toy.undo(before="a 1 rc\n", now="a 1 ii\n", mode="delete", kept="a") == []


def test_a_hold_of_the_stack_is_released_before_the_removal_of_its_package(toy: Toy) -> None:
    assert toy.undo(before="", now="a 1 ii\n", holding="a") == ["release a", "take_away a"]


def test_a_hold_that_was_there_before_the_stack_decided_it_is_back(toy: Toy) -> None:
    both = "a 1 ii\nb 1 ii\n"
    assert toy.undo(before=both, now=both, names="a b", holding="a b", held="a\n") == [
        "release a",
        "release b",
        "hold a",
    ]


def test_a_hold_that_the_stack_does_not_decide_is_not_touched(toy: Toy) -> None:
    assert toy.undo(before="a 1 ii\n", now="a 1 ii\n", held="a\n") == []
