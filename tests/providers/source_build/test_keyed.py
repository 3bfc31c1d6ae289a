"""The stamp of a build with a secret in it: an HMAC with the key of the state, from which nothing can be guessed."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hacore.contract import Image
from hacore.engine import drift
from hacore.load import load_providers
from hacore.testing import ThisMachine
from hacore_providers.source_build.spec import SourceBuildSpec, stamp
from tests.engine.play import Play
from tests.providers.source_build.conftest import tarball

HEAD = """
stack: test
variables:
  pin: {type: string, sensitive: true, default: "7391"}
hosts:
  a: {address: 192.0.2.1}
resources:
"""
MAKEFILE = """\
greeter:
\tprintf '#!/bin/sh\\necho hello\\n' >greeter
install:
\tmkdir -p "$(DESTDIR)$(PREFIX)/bin"
\tinstall -m 0755 greeter "$(DESTDIR)$(PREFIX)/bin/greeter"
"""


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    monkeypatch.delenv("HACORE_KEY", raising=False)
    room, folder = ThisMachine(tmp_path / "room"), tmp_path / "stack"
    folder.mkdir()
    with tempfile.TemporaryDirectory() as states:
        yield Play(folder, Path(states), options={"providers": load_providers(), "connect": room.connect})


def write(play: Play, pin: str = "{{ var.pin }}") -> None:
    name, sha256 = tarball(play.folder, "one.tar.gz", "one", Makefile=MAKEFILE)
    prefix = play.folder.parent / "target"
    play.stack(
        f"source_build: {{greeter: {{source: {name}, sha256: {sha256}, binary: {prefix}/bin/greeter, "
        f'environment: {{PREFIX: {prefix}, SIGN_PIN: "{pin}"}}}}}}',
        HEAD,
    )


def record_of(play: Play) -> Path:
    (found,) = (play.folder.parent / "room").rglob("builds/*.json")
    return found


def plain_stamp(play: Play) -> str:
    """What the stamp is without a key: a digest of all inputs, the secret included."""
    (instance,) = play.load().instances.values()
    assert isinstance(instance.spec, SourceBuildSpec)
    return stamp(instance.spec)


async def test_the_record_of_a_build_tells_nothing_of_a_secret(play: Play) -> None:
    write(play)
    result = await play.apply()
    assert result.ok, play.story(result)

    record = record_of(play)
    kept = json.loads(record.read_text())["stamp"]
    assert kept.startswith("hmac:")
    assert kept == play.row("source_build.greeter@a").attrs["stamp"]  # type: ignore[call-overload,index]
    assert plain_stamp(play) not in record.read_text()
    assert hashlib.sha256(plain_stamp(play).encode()).hexdigest() not in record.read_text()
    assert await play.actions() == {}
    assert not (await drift(play.url, play.request.means)).drift


async def test_another_secret_is_another_build(play: Play) -> None:
    write(play)
    assert (await play.apply()).ok
    before = record_of(play).read_text()
    text = (play.folder / "stack.yaml").read_text()
    (play.folder / "stack.yaml").write_text(text.replace("7391", "7392"))
    assert await play.actions() == {"source_build.greeter@a": "update"}
    assert (await play.apply()).ok
    assert json.loads(record_of(play).read_text())["stamp"] != json.loads(before)["stamp"]
    assert (await play.rollback(providers=play.options["providers"], connect=play.options["connect"])).ok
    assert json.loads(record_of(play).read_text())["stamp"] == json.loads(before)["stamp"]


async def test_a_plain_stamp_of_an_earlier_version_is_understood(play: Play) -> None:
    """Nothing is built again because of an update of hacore."""
    write(play)
    assert (await play.apply()).ok
    record = record_of(play)
    kept = json.loads(record.read_text())
    record.write_text(record.read_text().replace(kept["stamp"], plain_stamp(play)))
    assert await play.actions() == {}
    assert not (await drift(play.url, play.request.means)).drift


async def test_a_build_without_a_secret_keeps_its_plain_stamp(play: Play) -> None:
    """Two states, or a new key, do not build it twice."""
    write(play, pin="open")
    assert (await play.apply()).ok
    assert json.loads(record_of(play).read_text())["stamp"] == plain_stamp(play)


def test_an_image_with_a_record_is_sensitive() -> None:
    from hacore.contract import Output
    from hacore_providers.source_build.install import read_image

    image = read_image(Output(0, b'record {"stamp": "hmac:1"}\ncontent 644\n'), sensitive=False)
    assert image.sensitive
    assert image.modes == (0o644,)
    assert read_image(Output(0, b"absent /x\n"), sensitive=False) == Image({"record": None}, image_blobs(b"/x\n"))


def image_blobs(absent: bytes) -> dict[str, bytes]:
    return {"absent": absent, "had": b"", "dir": b"", "folder": b"", "runtime": b""}
