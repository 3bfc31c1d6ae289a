"""What stands in the way of a replacement is reported before anything is changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hacore.contract import Action, Change, Work
from hacore_providers.file.provider import PROVIDER
from hacore_providers.file.spec import FileSpec
from tests.providers.file.here import ADDRESS, Here

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can set these attributes")


@pytest.fixture
def root_here(tmp_path: Path) -> Here:
    for name in ("root", "work"):
        (tmp_path / name).mkdir()
    return Here(tmp_path / "root", tmp_path / "work")


@pytest.mark.parametrize(("flag", "word"), [("i", "immutable"), ("a", "append-only")])
@pytest.mark.parametrize("where", ["file", "folder"])
def test_an_attribute_of_the_file_system(root_here: Here, flag: str, word: str, where: str) -> None:
    path = root_here.root / "app.conf"
    path.write_text("old")
    named = path if where == "file" else root_here.root
    if subprocess.run(["chattr", f"+{flag}", named], capture_output=True).returncode:
        pytest.skip("this file system has no such attributes")
    try:
        step = PROVIDER.capture(Work((Change(ADDRESS, Action.UPDATE, FileSpec(path=str(path), content="new")),)))
        assert step is not None
        output = root_here.run(step)
    finally:
        subprocess.run(["chattr", f"-{flag}", named], check=True)
    said = f"cannot write {path}: {named} is {word}; to allow changes run chattr -{flag} {named}\n"
    assert (output.rc, output.stderr.decode()) == (1, said)


def test_a_mount(root_here: Here) -> None:
    path = root_here.root / "hosts"
    path.write_text("old")
    step = PROVIDER.capture(Work((Change(ADDRESS, Action.UPDATE, FileSpec(path=str(path), content="new")),)))
    assert step is not None
    assert root_here.run(step).rc == 0
    mounted = 'mount --bind "$1" "$1" && shift && exec "$@"'
    root_here.prefix = ("unshare", "--mount", "sh", "-c", mounted, "sh", str(path))
    output = root_here.run(step)
    said = f"cannot write {path}: another file is mounted on it; unmount it first: umount {path}\n"
    assert (output.rc, output.stderr.decode()) == (1, said)


def test_hard_links_that_a_write_breaks_are_in_the_plan(root_here: Here) -> None:
    path = root_here.root / "app.conf"
    path.write_text("old")

    def warnings(**fields: str) -> list[str]:
        spec = FileSpec.model_validate({"path": str(path), **fields})
        found = list(PROVIDER.examine(root_here.view(spec)))
        assert all(mistake.warning for mistake in found)
        return [str(mistake) for mistake in found]

    assert warnings(content="new") == []
    (root_here.root / "second").hardlink_to(path)
    said = (
        f"{path} has 2 names (hard links): the others keep the current content, and a rollback does not link them again"
    )
    assert warnings(content="new") == warnings(ensure="absent") == warnings(link_to="/x") == [said]
    assert warnings(content="old") == warnings(content="old", mode="0600") == []
