"""Where a state is: what is absent, what cannot be used, and with which modes it is created."""

from __future__ import annotations

import hashlib
import re
import stat
from pathlib import Path

import pytest

from hacore.errors import StoreError
from hacore.store.place import Place
from hacore.store.queries import Meta
from hacore.store.reader import check_usable

ID_OF_EDGE_1 = 2_315_589_704_703_991_981


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


def test_where_the_file_system_is_not_known_nothing_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hacore.store.place.proc.mount_of", lambda _: None)
    assert place(tmp_path / "state.db").network_file_system() == ""
    assert Place.parse("postgresql://db/x").network_file_system() == ""


def test_a_state_on_a_server_has_no_file(tmp_path: Path) -> None:
    server = Place.parse("postgresql://ops:hunter2@db/x?state=edge")
    server.make()
    assert (server.absent(), server.identity(), server.path) == (False, None, None)
    assert "hunter2" not in server.name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 200])
def test_a_name_has_up_to_200_characters(length: int) -> None:
    assert Place.parse(f"postgresql://db/x?state={'n' * length}").state == "n" * length


def test_the_id_of_a_name_never_changes() -> None:
    """Rows of states that exist have it; the digest is BLAKE2b (RFC 7693) of the name, 62 bits of it."""
    number = 2 + (int.from_bytes(hashlib.blake2b(b"edge-1", digest_size=8).digest(), "big") >> 2)
    assert Place.parse("postgresql://db/x?state=edge-1").state_id == number == ID_OF_EDGE_1


def test_only_a_mode_that_lets_others_in_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    place(file).make()
    for before, after in ((0o400, 0o400), (0o604, 0o600), (0o610, 0o600), (0o700, 0o700)):
        file.chmod(before)
        place(file).make()
        assert stat.S_IMODE(file.stat().st_mode) == after


SERVER, FILE = "postgresql://db/x?state=edge-1", "sqlite:///x.db"


@pytest.mark.parametrize(
    ("url", "name", "moved_to", "moving_to", "why"),
    [
        (SERVER, "edge-1", "", "", ""),
        (SERVER, "edge-2", "", "", "choose another name; 'edge-2' has the same id"),
        (FILE, "", "", "", ""),
        (FILE, "edge-1", "", "", ""),  # a file that was moved to a server and back
        (FILE, "", "there", "", "it was moved to there; set `state:` or HACORE_STATE to that"),
        (FILE, "", "there", "there", ""),  # the move is resumed
        (FILE, "", "there", "elsewhere", "it was moved to there"),
        (FILE, "", "", "there", ""),
        (SERVER, "edge-2", "there", "there", "has the same id"),
    ],
)
def test_which_state_can_be_used(url: str, name: str, moved_to: str, moving_to: str, why: str) -> None:
    found, meta = Place.parse(url), Meta("lineage", 3, "", None, name, moved_to)
    if not why:
        check_usable(found, meta, moving_to)
        return
    with pytest.raises(StoreError, match=f"cannot use the state {re.escape(found.name)}: .*{re.escape(why)}"):
        check_usable(found, meta, moving_to)
