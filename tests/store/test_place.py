"""Where a state is: what is absent, what cannot be used, and with which modes it is created."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hacore.errors import StoreError
from hacore.store.place import Place


def place(path: Path) -> Place:
    return Place.parse(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["sqlite:", "sqlite:///", "sqlite:///:memory:", "sqlite://x.db", "sqlite:///x.db?a=b"])
def test_an_sqlite_url_names_a_file(url: str) -> None:
    with pytest.raises(StoreError, match=r"cannot use the state .*: write sqlite:///FOLDER/NAME.db"):
        Place.parse(url)


def test_a_missing_or_empty_file_is_no_state(tmp_path: Path) -> None:
    file = tmp_path / "folder/state.db"
    assert place(file).absent()
    place(file).make()
    assert place(file).absent()
    file.write_bytes(b"x")
    assert not place(file).absent()


def test_what_is_created_is_private_and_an_old_file_becomes_so(tmp_path: Path) -> None:
    file = tmp_path / "folder/state.db"
    place(file).make()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file.parent, file)] == [0o700, 0o600]
    file.chmod(0o640)
    place(file).make()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_place_below_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file/state.db"
    with pytest.raises(StoreError, match=f"cannot read the state {file}: Not a directory"):
        place(file).absent()
    with pytest.raises(StoreError, match=f"cannot create the state {file}: "):
        place(file).make()


def test_a_file_is_known_by_its_inode_until_it_is_deleted(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    place(file).make()
    assert place(file).identity() == (file.stat().st_dev, file.stat().st_ino)
    file.unlink()
    with pytest.raises(StoreError, match=f"cannot write the state {file}: the file was deleted"):
        place(file).identity()
