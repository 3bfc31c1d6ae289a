"""The state's key: which texts are one, where it is searched, and what the reader of a message can do."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from hacore.errors import StoreError
from hacore.store.images import StoredBlob, StoredImage
from hacore.store.keys import Key, Keyring, find, key_file, make, put_aside

RAW = bytes(range(224, 256))  # base64 of it has both characters that differ in the URL-safe form
ID = "639c18d672c89109"
HMAC = "hmac:5af200fe81addc4e4c38504782f47bc056996d2f5a34f662bffae899e321c58d"
PLAN = "111ed1d1cfe54443ed674ec62fa85a4e3998e527b09c8cd15ba053bf7a056b4e"


def text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


@pytest.mark.parametrize(
    "form",
    [text(RAW), base64.urlsafe_b64encode(RAW).decode(), f"  {text(RAW)}\n"],
    ids=["standard", "url safe", "blanks around it"],
)
def test_both_alphabets_of_base64_are_read(form: str) -> None:
    key = Key.parse(form, "HACORE_KEY")
    assert (key.secret, key.source) == (RAW, "HACORE_KEY")


@pytest.mark.parametrize("wrong", [RAW[:31], RAW + b"x", RAW * 2, b""], ids=["31", "33", "64", "0"])
def test_a_key_has_32_bytes(wrong: bytes) -> None:
    with pytest.raises(StoreError, match="cannot use HACORE_KEY: it must be 32 bytes in base64, as `openssl rand"):
        Key.parse(text(wrong), "HACORE_KEY")


@pytest.mark.parametrize("wrong", ["hunter2", f"{text(RAW)[:20]}\n{text(RAW)[20:]}", "é" * 44, "*" + text(RAW)])
def test_what_is_not_base64_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(StoreError, match="cannot use k: it must be 32 bytes") as caught:
        Key.parse(wrong, "k")
    assert wrong not in str(caught.value)


def test_each_purpose_of_a_key_has_a_subkey() -> None:
    """From one of the four nobody derives another one; a saved plan's MAC is not that of a value."""
    key = Key(RAW, "k")
    token = key.encrypt(b"same")
    found = {key.id, key.hmac("same"), key.plan_mac(b"same"), key.name(b"same").partition(":")[2]}
    assert len(found) == 4
    assert key.decrypt(token) == b"same"
    assert (len(key.id), key.name(b"same").partition(":")[0]) == (16, key.id)
    with pytest.raises(StoreError, match="cannot decrypt: the content is damaged"):
        Key(bytes(32), "other").decrypt(token)


def test_the_texts_that_a_key_makes_never_change() -> None:
    """States and saved plans of earlier versions hold them."""
    key = Key(RAW, "k")
    assert key.id == ID
    assert key.hmac("hunter2\udcff") == HMAC
    assert key.plan_mac(b"plan") == PLAN


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HACORE_KEY", raising=False)


def test_the_environment_is_preferred_and_the_file_serves_if_that_is_of_another_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pair.db.key"
    ours = make(file)
    monkeypatch.setenv("HACORE_KEY", text(RAW))

    def source(key_id: str) -> str:
        key = find(file, key_id).key
        return "" if key is None else key.source

    assert source("") == "HACORE_KEY"
    assert source(Key(RAW, "").id) == "HACORE_KEY"
    assert source(ours.id) == str(file)
    monkeypatch.setenv("HACORE_KEY", "hunter2")
    assert source(ours.id) == str(file)
    monkeypatch.delenv("HACORE_KEY")
    assert source("") == str(file)


def test_the_problem_names_the_places_and_the_causes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pair.db.key"
    assert find(file, "").problem == (
        "cannot record or compare sensitive values: the state has no key yet; "
        f"put one into {file} or HACORE_KEY: `openssl rand -base64 32` creates one"
    )
    assert find(None, "").problem.endswith("put one into HACORE_KEY: `openssl rand -base64 32` creates one")
    assert find(file, "of the state").problem.startswith("cannot use the state's key: it is missing. Without it")
    make(file)
    monkeypatch.setenv("HACORE_KEY", text(RAW))
    problem = find(file, "of the state").problem
    assert f": the key in HACORE_KEY and {file} belongs to another state. Without it" in problem
    assert problem.endswith(f"restore it to {file} or HACORE_KEY")
    monkeypatch.setenv("HACORE_KEY", "hunter2")
    both = find(file, "of the state").problem
    assert ": cannot use HACORE_KEY: it must be 32 bytes" in both
    assert f"; the key in {file} belongs to another state." in both
    file.unlink()
    assert "it is missing" not in find(file, "of the state").problem, "what is in HACORE_KEY is the problem"
    assert find(file, "").problem.startswith("cannot use the state's key: cannot use HACORE_KEY")
    with pytest.raises(StoreError, match="cannot use the state's key"):
        find(file, "").need()
    assert Keyring(Key(RAW, "k")).need().source == "k"


def test_a_key_file_is_private_and_is_not_overwritten(tmp_path: Path) -> None:
    file = key_file(tmp_path / "pair.db")
    assert file == tmp_path / "pair.db.key"
    assert key_file(None) is None
    key = make(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(StoreError, match=f"cannot create the key file {file}: File exists"):
        make(file)
    assert Key.parse(file.read_text(), str(file)) == key


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "pair.db.key"
    make(file)
    file.chmod(mode)
    assert f"{file} is readable by other users: run chmod 600 {file}" in find(file, "").problem
    file.chmod(0o400)
    assert find(file, "").key is not None


def test_the_key_of_another_state_is_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "pair.db.key"
    put_aside(file)
    assert list(tmp_path.iterdir()) == []
    content = make(file) and file.read_text()
    put_aside(file)
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("pair.db.key.old-")
    assert aside.read_text() == content


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "pair.db.key"
    assert f"cannot read {file}: Not a directory" in find(file, "").problem


def test_stored_content_is_in_no_representation() -> None:
    blob = StoredBlob("sha256:0", 7, "raw", b"hunter2")
    image = StoredImage(1, False, "", '"hunter3"', {"f": blob})
    assert "hunter" not in f"{blob!r} {image!r}"
