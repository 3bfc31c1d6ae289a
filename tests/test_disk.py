"""Durable files: content and name are synced, readers see all or nothing, and nothing is left of a failure."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from hacore import disk


def test_a_new_file_is_synced_with_its_folder(tmp_path: Path, synced: list[str]) -> None:
    disk.create_file(tmp_path / "key", b"secret\n")

    assert synced == ["secret\n", f"{tmp_path.name}/"]
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        disk.create_file(tmp_path / "key", b"another\n")
    assert (tmp_path / "key").read_text() == "secret\n"


def test_a_file_is_replaced_whole(tmp_path: Path, synced: list[str]) -> None:
    path = tmp_path / "plan"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        disk.replace_file(path, b"new")
        assert reader.read() == "old"

    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert synced == ["new", f"{tmp_path.name}/"]


@pytest.mark.parametrize("write", [disk.replace_file, disk.create_file])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "plan", b"new")  # type: ignore[operator]
    assert os.listdir(tmp_path) == []


def test_lines_are_appended_and_synced(tmp_path: Path, synced: list[str]) -> None:
    path = tmp_path / "folder" / "known_hosts"
    disk.append_lines(path, ["one", "two"])
    disk.append_lines(path, ["three"])

    assert synced == ["one\ntwo\n", "folder/", "one\ntwo\nthree\n", "folder/"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_line_that_was_cut_off_stays_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "spill"
    path.write_text('{"cut')
    disk.append_lines(path, ['{"whole": 1}'])
    assert path.read_text() == '{"cut\n{"whole": 1}\n'


def test_a_folder_that_cannot_be_synced_is_no_error_but_a_broken_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(number: int) -> None:
        def sync(_descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", sync)

    fails(errno.EINVAL)
    disk.sync_folder(tmp_path)
    fails(errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        disk.sync_folder(tmp_path)
