"""Before-images: the bytes come back, equal content lies there once, secrets lie there encrypted."""

# ruff: noqa: ASYNC240 - a test may block its own loop
from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hacore.errors import StoreError
from hacore.model import Image
from hacore.store import PutRow, StateReader, StateWriter
from hacore.store.images import decode, encode
from hacore.store.keys import Key, Keyring, make
from tests.store.conftest import put_image

OpenWriter = Callable[..., Awaitable[StateWriter]]
KEY = Keyring(Key(bytes(range(32)), "the test"))
SECRET = b"virtual_server password hunter2-"

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
values = st.recursive(
    st.none() | st.integers(-(2**53), 2**53) | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=4
)
images = st.builds(
    Image,
    data=values,
    blobs=st.dictionaries(st.text(), st.binary(max_size=200), max_size=3),
    sensitive=st.booleans(),
    run=st.integers(0, 2**31 - 1),
)


def test_the_name_of_a_secret_blob_cannot_be_guessed_from_its_content() -> None:
    other = Keyring(Key(bytes(range(1, 33)), "another"))
    image = Image(None, {"f": b"hunter2"}, sensitive=True)
    ours, again, theirs = (encode(image, keyring).blobs["f"].id for keyring in (KEY, KEY, other))

    assert ours == again, "equal content is stored once"
    assert ours.partition(":")[2] != theirs.partition(":")[2], "the name depends on the key"
    for algorithm in sorted(hashlib.algorithms_guaranteed):
        digest = hashlib.new(algorithm, b"hunter2")
        text = digest.hexdigest(32) if algorithm.startswith("shake") else digest.hexdigest()  # type: ignore[call-arg]
        assert text not in ours


def test_a_new_key_is_on_disk_with_its_name(tmp_path: Path, synced: list[str]) -> None:
    key = make(tmp_path / "pair.db.key")

    assert synced == [(tmp_path / "pair.db.key").read_text(), f"{tmp_path.name}/"]
    assert Key.parse(synced[0], key.source) == key


@unhurried
@given(images)
def test_an_image_comes_back(image: Image) -> None:
    assert image == decode(encode(image, KEY), KEY, 1)


async def test_equal_content_is_stored_once(path: Path, writer: StateWriter) -> None:
    big, noise = b"nginx" * 100_000, os.urandom(1000)
    for sensitive in (False, True):
        for run in (1, 2, 3):
            await put_image(writer, Image(run, {"a": big, "b": noise, "c": big}, sensitive, run))
    await writer.close()

    db = sqlite3.connect(path)
    sizes = sorted(db.execute("SELECT size, coding FROM blob").fetchall())
    db.close()
    assert sizes == [(1000, "fernet"), (1000, "raw"), (500_000, "fernet"), (500_000, "zlib")]
    assert path.stat().st_size < 150_000


async def test_a_large_image_comes_back(writer: StateWriter) -> None:
    image = Image(None, {"bin": os.urandom(3_000_000)})

    assert writer.image(await put_image(writer, image)) == image


async def test_no_byte_of_a_sensitive_image_is_in_the_files(path: Path, writer: StateWriter) -> None:
    number = await put_image(writer, Image({"line": SECRET.decode()}, {"f": SECRET * 3}, sensitive=True))
    shown = await put_image(writer, Image({"line": "nothing but hunter3"}))
    await writer.close()

    content = b"".join(entry.read_bytes() for entry in path.parent.iterdir())
    assert b"hunter3" in content
    assert b"hunter2" not in content
    with StateReader.open(f"sqlite:///{path}") as reader:
        assert reader.image(number).blobs["f"] == SECRET * 3
        assert reader.image(shown).data == {"line": "nothing but hunter3"}


@pytest.fixture
async def two_images(open_writer: OpenWriter) -> tuple[int, int]:
    writer = await open_writer()
    plain = await put_image(writer, Image("plain"))
    secret = await put_image(writer, Image("secret", sensitive=True))
    await writer.close()
    return plain, secret


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("lost", "it is missing"),
        ("other", "belongs to another state"),
        ("garbage", "32 bytes"),
        ("group", "chmod 600"),
        ("others", "chmod 600"),
    ],
)
async def test_a_key_that_is_lost_costs_only_what_it_protects(
    url: str,
    path: Path,
    two_images: tuple[int, int],
    open_writer: OpenWriter,
    make_row: Callable,
    loss: str,
    words: str,
) -> None:
    plain, secret = two_images
    file = path.with_name("pair.db.key")
    if loss == "lost":
        file.unlink()
    elif loss in ("group", "others"):
        file.chmod(0o640 if loss == "group" else 0o604)
    else:
        file.write_text("A" * 43 + "=" if loss == "other" else "hunter2")

    with StateReader.open(url) as reader:
        assert reader.image(plain).data == "plain"
        assert not reader.has_key
        with pytest.raises(StoreError, match=f"before-image {secret}: .*{words}.*restore it to"):
            reader.image(secret)
        with pytest.raises(StoreError, match=words):
            reader.hmac("x")
    assert loss != "lost" or not file.exists()

    writer = await open_writer()
    assert words in writer.key_problem
    await writer.commit(PutRow(make_row()), images={"i": Image("more")})
    with pytest.raises(StoreError, match=words):
        await put_image(writer, Image("secret", sensitive=True))
    assert writer.broken is None


async def test_the_key_may_come_from_the_environment(
    url: str, path: Path, two_images: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = path.with_name("pair.db.key")
    monkeypatch.setenv("HACORE_KEY", file.read_text())
    file.unlink()

    with StateReader.open(url) as reader:
        assert reader.image(two_images[1]).data == "secret"


async def test_a_state_made_with_a_key_from_the_environment_writes_no_key_file(
    url: str, path: Path, open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HACORE_KEY", "B" * 43 + "=")
    writer = await open_writer()
    mac = writer.hmac("hunter2")
    await writer.close()

    assert [entry.name for entry in path.parent.iterdir()] == ["pair.db"]
    with StateReader.open(url) as reader:
        assert reader.hmac("hunter2") == mac
        assert reader.hmac("hunter3") != mac


@pytest.mark.parametrize("loss", ["lost", "other"])
async def test_a_new_key_can_take_the_place_of_a_lost_one(
    path: Path, two_images: tuple[int, int], open_writer: OpenWriter, loss: str
) -> None:
    file = path.with_name("pair.db.key")
    file.unlink()
    if loss == "other":
        file.write_text("A" * 43 + "=")
        file.chmod(0o600)

    writer = await open_writer(new_key=True)
    number = await put_image(writer, Image("new secret", sensitive=True))

    assert writer.image(number).data == "new secret"
    assert "A" * 43 not in file.read_text()
    assert ["A" * 43 in old.read_text() for old in path.parent.glob("*.old-*")] == [True] * (loss == "other")
    with pytest.raises(StoreError, match="a key other than"):
        writer.image(two_images[1])


async def test_a_key_that_is_there_is_not_replaced(path: Path, writer: StateWriter, open_writer: OpenWriter) -> None:
    before = path.with_name("pair.db.key").read_text()
    await writer.close()
    await open_writer(new_key=True)

    assert path.with_name("pair.db.key").read_text() == before


async def test_hmacs_of_two_states_differ(tmp_path: Path) -> None:
    macs = set()
    for name in ("a", "b"):
        writer = await StateWriter.open(f"sqlite:///{tmp_path}/{name}.db", who="w", what="apply")
        macs.add(writer.hmac("hunter2"))
        await writer.close()

    assert len(macs) == 2
    assert all(mac.startswith("hmac:") and len(mac) == 69 for mac in macs)


async def test_damaged_content_is_noticed(url: str, path: Path, open_writer: OpenWriter) -> None:
    writer = await open_writer()
    plain = await put_image(writer, Image(None, {"b": b"0123456789"}))
    secret = await put_image(writer, Image(None, {"b": b"0123456789"}, sensitive=True))
    await writer.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE blob SET body = CAST('9123456789' AS BLOB)")
    db.commit()
    db.close()

    with StateReader.open(url) as reader:
        for number in (plain, secret):
            with pytest.raises(StoreError, match=f"before-image {number}: .*damaged"):
                reader.image(number)


def test_a_key_never_shows_itself() -> None:
    key = KEY.need()
    assert repr(key.secret) not in repr(KEY)
    assert key.secret.hex() not in repr(key)
