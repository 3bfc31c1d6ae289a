"""Files in the folder of another user: written, backed up and restored as that user, who gets nothing of root's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Action, Change, Work
from hacore_providers.facts.paths import PATHS
from hacore_providers.file.provider import PROVIDER
from hacore_providers.file.spec import FileSpec
from tests.providers.file.here import ADDRESS, Here

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root works as another account")
NOBODY = 65534


@pytest.fixture
def home(here: Here, open_folder: Path) -> Path:
    """The folder of the account `nobody`; everything above it is root's."""
    here.root = open_folder / "root"
    here.root.mkdir()
    home = here.root / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    return home


def spec(home: Path, name: str = ".profile", **fields: Any) -> FileSpec:
    return FileSpec.model_validate({"path": f"{home}/{name}", "owner": "nobody", **fields})


def _file(path: Path) -> None:
    path.write_text("old\n")
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o4640)


def _link(path: Path) -> None:
    path.symlink_to("/etc/shadow")
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def _directory(path: Path) -> None:
    path.mkdir()
    os.chown(path, NOBODY, NOBODY)


BEFORE: dict[str, Callable[[Path], None]] = {
    "nothing": lambda path: None,
    "file": _file,
    "link": _link,
    "directory": _directory,
}
WANTED: dict[str, dict[str, Any]] = {
    "content": {"content": "new\n", "mode": "0600"},
    "checked": {"content": "new\n", "validate": "grep -q new %s"},
    "directory": {"ensure": "directory", "mode": "0711"},
    "link": {"link_to": "/srv/x"},
}


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("before", BEFORE)
def test_there_and_back(here: Here, home: Path, before: str, wanted: str) -> None:
    BEFORE[before](home / ".profile")
    start = here.manifest()
    it = spec(home, **WANTED[wanted])
    images = here.images(it)
    assert (images[ADDRESS].data or {})["worker"] == NOBODY
    here.apply(it)
    assert not here.differs(it)
    assert (home / ".profile").lstat().st_uid == NOBODY
    assert sorted(os.listdir(home)) == [".profile"]
    here.undo(it, images)
    end = here.manifest()
    if before == "directory":  # made anew, it has the time of today
        assert set(end) == set(start)
    else:
        assert {k: v for k, v in end.items() if k != "home"} == {k: v for k, v in start.items() if k != "home"}


def test_a_plan_accepts_what_the_owner_can_write_and_nothing_else(here: Here, home: Path) -> None:
    (home / "of-root").write_text("x")
    asks = [ask for name in (".profile", "of-root") for ask in PROVIDER.facts(spec(home, name)) if ask.fact is PATHS]
    asks += [ask for ask in PROVIDER.facts(spec(home, "other", owner="daemon")) if ask.fact is PATHS]
    asks += [ask for ask in PROVIDER.facts(FileSpec(path=f"{home}/unowned")) if ask.fact is PATHS]
    done = here.shell(PATHS.command(asks))
    assert done.stderr == b""
    foreign = f"the folder {home} belongs to uid {NOBODY}, who could redirect the write"
    assert PATHS.parse(done.stdout) == {
        f"{home}/.profile": "",
        f"{home}/of-root": f"it belongs to uid 0 in a folder of nobody's; give it to nobody first: "
        f"chown -h nobody {home}/of-root",
        f"{home}/other": foreign,
        f"{home}/unowned": foreign,
    }


def test_an_entry_of_roots_is_not_replaced(here: Here, home: Path) -> None:
    (home / ".profile").write_text("of root")
    step = PROVIDER.capture(Work((Change(ADDRESS, Action.UPDATE, spec(home, content="x")),)))
    assert step is not None
    output = here.run(step)
    assert output.rc == 1
    assert f"cannot replace {home}/.profile: it belongs to uid 0 in a folder of nobody's" in output.stderr.decode()


def test_the_account_gets_the_content_and_nothing_else_of_root(here: Here, home: Path) -> None:
    look = "{ id; env; ls -l /proc/self/fd; grep -E NoNewPrivs\\|CapPrm /proc/self/status; } >../seen.txt; true %s"
    (here.root / "seen.txt").touch()
    os.chown(here.root / "seen.txt", NOBODY, NOBODY)
    os.environ["PLANTED_SECRET"] = "not for nobody"
    try:
        here.apply(spec(home, content="x", validate=f"cd {home}; {look}"))
    finally:
        del os.environ["PLANTED_SECRET"]
    seen = (here.root / "seen.txt").read_text()
    assert "uid=65534" in seen and "groups=65534" in seen and "uid=0" not in seen
    assert "PLANTED_SECRET" not in seen and "HACORE_RUN" not in seen
    assert "NoNewPrivs:\t1" in seen and "CapPrm:\t0000000000000000" in seen
    assert {line.split()[-3] for line in seen.splitlines() if "->" in line} <= {"0", "1", "2", "3"}, (
        seen
    )  # 3: ls itself


def test_what_another_account_backed_up_is_never_restored_by_root(here: Here, home: Path, tmp_path: Path) -> None:
    """It could have given an archive with a program of root's that has the suid bit."""
    _file(home / ".profile")
    it = spec(home, content="new\n")
    images = here.images(it)
    (tmp_path / ".profile").write_text("#!/bin/sh\n")
    (tmp_path / ".profile").chmod(0o4755)
    planted = subprocess.run(["tar", "-C", tmp_path, "-cf", "-", "./.profile"], capture_output=True, check=True).stdout
    here.apply(it)
    os.chown(home, 0, 0)
    images = {ADDRESS: replace(images[ADDRESS], blobs={"entry.tar": planted})}
    (step,) = PROVIDER.undo(Work((Change(ADDRESS, Action.UPDATE, it),), images))
    output = here.run(step)
    assert output.rc != 0
    assert f"only nobody could do it safely, and it has no permission to write in {home}" in output.stderr.decode()
    assert (home / ".profile").lstat().st_uid == NOBODY


def test_an_account_cannot_speak_for_other_files(here: Here, home: Path) -> None:
    """What its capture prints counts for its own file, and for one line."""
    fake = here.root / "bin"
    fake.mkdir()
    (fake / "tar").write_text('#!/bin/sh\nexec /usr/bin/tar "$@"\n')
    (fake / "tar").chmod(0o755)
    (fake / "gzip").write_text(
        '#!/bin/sh\n[ "$(id -u)" = 0 ] || printf "\\n0 file planted\\n"\nexec /usr/bin/gzip "$@"\n'
    )
    (fake / "gzip").chmod(0o755)
    here.path = f"{fake}:{here.path}"
    _file(home / ".profile")
    (here.root / "safe").write_text("of root")
    other = replace(ADDRESS, name="other")
    changes = (
        Change(ADDRESS, Action.UPDATE, FileSpec(path=f"{here.root}/safe", content="x")),
        Change(other, Action.UPDATE, spec(home, content="x")),
    )
    step = PROVIDER.capture(Work(changes))
    assert step is not None and step.parse is not None
    output = here.run(step)
    lines = output.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [b"0", b"1:65534"]
    assert b"planted" not in output.stdout
