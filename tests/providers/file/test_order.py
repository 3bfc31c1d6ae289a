"""The order of the calls that write a file: what another user, or a power cut, may find in between."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Action
from hacore_providers.file.spec import FileSpec
from tests.providers.file.here import PATH, Here

SPY = r"""#!/bin/sh
for word; do last=$word; done
exec 9>&1 # a substitution has a stdout of its own
echo "NAME ${last##*/} $(stat -Lc '%a %u' /proc/self/fd/9)" >>"LOG"
PATH=${PATH#*:} exec NAME "$@" 9>&-
"""
OTHER = 65534


@pytest.fixture
def spied(tmp_path: Path) -> tuple[Here, Path]:
    """A host of which `cat`, `mv` and `sync` write down their last argument, and the mode and owner of their stdout."""
    folder, log = tmp_path / "bin", tmp_path / "log"
    for each in (folder, tmp_path / "root", tmp_path / "work"):
        each.mkdir()
    for name in ("cat", "mv", "sync"):
        program = folder / name
        program.write_text(SPY.replace("NAME", name).replace("LOG", str(log)))
        program.chmod(0o755)
    log.touch()
    return Here(tmp_path / "root", tmp_path / "work", path=f"{folder}:{PATH}"), log


def calls(log: Path) -> list[str]:
    """Program and file of each call; the name of a temporary file begins with .hacore."""
    words = [line.split() for line in log.read_text().splitlines()]
    return [f"{program} {'new' if name.startswith('.hacore') else name}" for program, name, *_ in words]


def test_a_file_is_on_the_disk_before_it_takes_its_name_and_then_its_folder(spied: tuple[Here, Path]) -> None:
    here, log = spied
    here.apply(FileSpec(path=str(here.root / "it"), content="new"))
    assert calls(log) == ["cat content", "sync new", "mv it", "sync root"]


@pytest.mark.parametrize("removed", [False, True], ids=["changed", "removed"])
def test_a_restored_file_is_on_the_disk_before_it_takes_its_name(spied: tuple[Here, Path], removed: bool) -> None:
    here, log = spied
    path = here.root / "it"
    path.write_text("old")
    spec = FileSpec(path=str(path), **({"ensure": "absent"} if removed else {"content": "new"}))
    images = here.images(spec, Action.UPDATE)
    here.apply(spec)
    log.write_text("")
    here.undo(spec, images)
    assert calls(log) == ["sync it", "mv it", "sync root"]
    assert path.read_text() == "old"


def test_a_new_directory_and_a_link_are_on_the_disk(spied: tuple[Here, Path]) -> None:
    here, log = spied
    here.apply(FileSpec(path=str(here.root / "folder"), ensure="directory"))
    assert calls(log) == ["sync root"]
    log.write_text("")
    here.apply(FileSpec(path=str(here.root / "link"), link_to="folder"))
    assert calls(log) == ["mv link", "sync root"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other accounts")
@pytest.mark.parametrize(
    ("given", "mode", "owner"),
    [({"mode": "0600"}, "600", 0), ({"mode": "0640", "owner": str(OTHER)}, "640", OTHER), ({}, "644", 0)],
)
def test_the_content_is_written_only_after_others_may_not_read_it(
    spied: tuple[Here, Path], given: dict[str, Any], mode: str, owner: int
) -> None:
    here, log = spied
    path = here.root / "it"
    path.write_text("old and public")
    path.chmod(0o644)
    here.apply(FileSpec(path=str(path), content="a secret", **given))
    (written,) = [line for line in log.read_text().splitlines() if line.startswith("cat content")]
    assert written == f"cat content {mode} {owner}"
