"""A state that is lost in the middle of a run: nothing more begins, nothing is undone, and nothing is forgotten."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.site import Site, eventually
from tests.postgres import Server

ALL = {"one": "new", "three": "new", "two": "new"}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k,mode=0700", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def stopped(site: Site, why: str) -> None:
    """The run ends when its slow step does; that step's effect stays, and it is known in which file."""
    applying = site.running[0]
    site.slow.go.touch()
    assert applying.wait() == 1, applying.said
    assert why in applying.said
    assert "nothing more was begun and nothing undone" in applying.said
    assert site.made() == {"one": "new", "two": "new"}


def gone_on_with(site: Site, said: str) -> None:
    """The run goes on as the same run; what was done is not done again."""
    resuming = site.apply("--resume")
    assert resuming.wait() == 0, resuming.said
    assert said in resuming.said
    assert site.made() == ALL
    assert site.runs() == [("apply", "done")]
    assert not list(site.folder.glob("*.spill"))


def test_a_disk_that_is_full(site: Site, small: Path, ssh_home: object) -> None:
    site.database = small / "state.db"
    site.files()
    site.apply()
    site.begun()
    with (small / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(b"x" * 4096)
    stopped(site, "the disk is full")
    assert list(Path(os.environ["XDG_STATE_HOME"]).glob("hacore/*.spill"))
    (small / "filler").unlink()
    gone_on_with(site, "the results of 1 of its tasks are now recorded")
    assert site.slow.times == 1
    assert not list(Path(os.environ["XDG_STATE_HOME"]).glob("hacore/*.spill"))


def test_a_lock_that_was_broken(site: Site) -> None:
    site.files()
    site.apply()
    site.begun()
    assert site.hacore("unlock", "--force").wait() == 0
    stopped(site, "its lock was broken")
    gone_on_with(site, "the results of 1 of its tasks are now recorded")
    assert site.slow.times == 1


def test_a_state_that_somebody_else_wrote(site: Site) -> None:
    site.files()
    site.apply()
    site.begun()
    with sqlite3.connect(site.database) as other:
        other.execute("UPDATE meta SET serial = serial + 1")
    other.close()
    stopped(site, "another process wrote it")
    gone_on_with(site, "no longer fit the state; the hosts are checked instead")


def test_a_state_that_was_replaced(site: Site) -> None:
    """A copy in its place is another file, whatever it says."""
    site.files()
    site.apply()
    site.begun()
    shutil.copy(site.database, site.folder / "copy")
    (site.folder / "copy").replace(site.database)
    stopped(site, "the file was replaced")
    gone_on_with(site, "the results of 1 of its tasks are now recorded")


def test_a_server_that_goes_down(site: Site, postgres: Server) -> None:
    site.server = postgres.new_database()
    site.files()
    site.apply()
    site.begun()
    postgres.stop("immediate")
    try:
        stopped(site, "cannot use the state")
    finally:
        postgres.start()
    assert list(Path(os.environ["XDG_STATE_HOME"]).glob("hacore/*.spill"))
    gone_on_with(site, "the results of 1 of its tasks are now recorded")
    assert site.slow.times == 1


def test_a_failure_after_the_state_was_lost_undoes_nothing_until_somebody_goes_on(site: Site) -> None:
    site.files(then="exit 1")
    applying = site.apply()
    site.begun()
    assert site.hacore("unlock", "--force").wait() == 0
    site.slow.go.touch()
    assert applying.wait() == 1
    assert site.made() == {"one": "new"}
    back = site.hacore("rollback", "--auto-approve")

    assert back.wait() == 0, back.said
    assert "the results of 3 of its tasks are now recorded" in back.said
    assert site.made() == {}


def test_a_rollback_that_lost_its_state_is_taken_up_again(site: Site) -> None:
    site.files(slow=False)
    assert site.apply().wait() == 0
    site.files(text="newer")
    site.slow.go.touch()
    assert site.apply().wait() == 0
    with sqlite3.connect(site.database) as other:
        other.execute("CREATE TRIGGER no BEFORE UPDATE OF attrs ON resource BEGIN SELECT RAISE(ABORT, 'no'); END")
    failing = site.hacore("rollback", "--auto-approve")
    assert failing.wait() == 1
    assert "cannot use the state" in failing.said
    with sqlite3.connect(site.database) as other:
        other.execute("DROP TRIGGER no")
    other.close()
    back = site.hacore("rollback", "--auto-approve", "--force")

    assert back.wait() == 0, back.said
    assert site.made() == ALL


def test_a_reader_that_takes_its_time_ends_no_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hacore.store.source.BUSY", 0.1)
    site.files()
    applying = site.apply()
    site.begun()
    reading = sqlite3.connect(site.database, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT * FROM run").fetchall()
    site.slow.go.touch()
    eventually(lambda: "two" in site.made())
    eventually(lambda: Path(f"{site.database}-journal").exists())  # it has written, and waits to commit
    reading.close()

    assert applying.wait() == 0, applying.said
    assert site.made() == ALL
