"""Large content is sent beside the script: whole, verified and private, or the step does not begin."""

# ruff: noqa: ASYNC240 - small local files

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hacore.contract import Source, Step
from hacore.errors import FencedError, TransportError, UnreachableError
from hacore.probe import Frame, Result, SessionLink
from hacore.probe import upload as uploading
from hacore.probe.upload import EMBEDDED, SMALL, detach
from hacore.walk import Holder, acquire, release
from tests.faults.tools import Slow, until
from tests.transport.sshd import Sshd, appears

Controllers = Callable[..., Awaitable[SessionLink]]

MB = 1 << 20
LOOK = """
echo "$(sha256sum <"$HACORE_WORK/content")"
file=$(readlink -f "$HACORE_WORK/content"); folder=${file%/*}
stat -c '%a %F' "$file" "$folder" "${folder%/*}"
"""


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path)


@pytest.fixture
def uploads(here: Path) -> Path:
    return here.parent / "home-of-hacore" / "uploads"


def big(folder: Path, size: int = 3 * MB, name: str = "big") -> Source:
    """A file of pseudo-random bytes, as a source that has been fetched."""
    file = folder / name
    block = hashlib.shake_256(name.encode()).digest(MB)
    with file.open("wb") as out:
        for _ in range(size // MB):
            out.write(block)
    return Source(file.as_uri(), hashlib.sha256(file.read_bytes()).hexdigest(), size)


async def run(link: SessionLink, *steps: Step, token: str = "") -> Result:
    return (await link.steps([Frame("t1", steps)], token)).results["t1"]


async def lock(link: SessionLink, token: str) -> None:
    await acquire(link, Holder(token, {"who": "test"}), alive=lambda _info: False)


async def test_content_arrives_whole_in_a_private_place_and_is_gone_after_the_job(
    controllers: Controllers, tmp_path: Path, uploads: Path
) -> None:
    link = await controllers()
    source = big(tmp_path)

    (output,) = (await run(link, Step(LOOK, sources={"content": source}))).outputs

    digest, *modes = output.text.splitlines()
    assert digest.split()[0] == source.sha256
    assert modes == ["600 regular file", "700 directory", "700 directory"]
    assert list(uploads.iterdir()) == []


async def test_several_contents_and_small_ones_beside_them(controllers: Controllers, tmp_path: Path) -> None:
    link = await controllers()
    one, same, other = b"\0\n" * MB, b"\0\n" * MB, b"@nonce\n" * MB
    step = Step(
        'cd "$HACORE_WORK"; for f in file one same other small empty; do sha256sum <$f; done',
        blobs={"one": one, "same": same, "other": other, "small": b"s", "empty": b""},
        sources={"file": big(tmp_path)},
    )

    (output,) = (await run(link, step)).outputs

    sums = [line.split()[0] for line in output.text.splitlines()]
    contents = [(tmp_path / "big").read_bytes(), one, same, other, b"s", b""]
    assert sums == [hashlib.sha256(content).hexdigest() for content in contents]


async def test_a_connection_that_is_cut_in_an_upload(
    sshd: Sshd, controllers: Controllers, tmp_path: Path, uploads: Path, slow: Slow
) -> None:
    link = await controllers()
    step = Step(slow.script("sha256sum <$HACORE_WORK/content"), sources={"content": big(tmp_path, 200 * MB)})
    running = asyncio.create_task(run(link, step))
    await until(lambda: any(uploads.glob("*/new.*")))
    sshd.cut()
    slow.go.touch()

    (output,) = (await running).outputs

    assert output.rc == 0
    assert output.text.split()[1] == step.sources["content"].sha256
    assert (slow.times, sshd.logins()) == (1, 2)
    assert list(uploads.iterdir()) == []


async def test_what_a_killed_controller_left_is_removed_with_the_next_lock(
    sshd: Sshd, controllers: Controllers, tmp_path: Path, uploads: Path, slow: Slow
) -> None:
    first = await controllers(reconnect_timeout=0.0)
    await lock(first, "first")
    step = Step(slow.script(), sources={"content": big(tmp_path, 200 * MB)})
    running = asyncio.create_task(run(first, step, token="first"))
    await until(lambda: any(uploads.glob("*/new.*")))
    sshd.down()
    with pytest.raises(UnreachableError):
        await running
    assert any(uploads.iterdir())
    sshd.start()

    second = await controllers()
    await lock(second, "second")

    assert not uploads.exists()
    assert slow.times == 0


async def test_nothing_is_stored_for_a_run_that_lost_its_lock(
    controllers: Controllers, tmp_path: Path, uploads: Path, slow: Slow
) -> None:
    link = await controllers()
    await lock(link, "mine")
    await lock(await controllers(), "theirs")

    with pytest.raises(FencedError, match="held by another run"):
        await run(link, Step(slow.script(), sources={"content": big(tmp_path)}), token="mine")
    assert not uploads.exists()
    assert slow.times == 0


async def test_releasing_a_lock_leaves_the_uploads_of_the_next_holder(controllers: Controllers, uploads: Path) -> None:
    link = await controllers()
    await lock(link, "mine")
    for name, token in (("a", "mine"), ("b", "theirs")):
        (uploads / name).mkdir(parents=True)
        (uploads / name / "token").write_text(f"{token}\n")

    await release(link, "mine")

    assert [one.name for one in uploads.iterdir()] == ["b"]


async def test_a_running_job_keeps_its_upload(
    controllers: Controllers, tmp_path: Path, uploads: Path, slow: Slow
) -> None:
    """Work in scratch space goes on while the next run has the lock."""
    link = await controllers()
    await lock(link, "mine")
    step = Step(slow.script("sha256sum <$HACORE_WORK/content"), sources={"content": big(tmp_path)}, detached=True)
    running = asyncio.create_task(link.steps([Frame("t1", (step,), scope="run 1")], "mine"))
    await appears(slow.begun)
    await lock(await controllers(), "theirs")
    slow.go.touch()

    (output,) = (await running).results["t1"].outputs
    assert output.text.split()[1] == step.sources["content"].sha256


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.write_bytes(b"short"), "it became shorter"),
        (lambda file: file.write_bytes(bytes(3 * MB)), "it was changed or cut off"),
    ],
)
async def test_a_source_that_changes_meanwhile_is_never_used(
    controllers: Controllers, tmp_path: Path, slow: Slow, change: Callable[[Path], object], why: str
) -> None:
    link = await controllers()
    source = big(tmp_path)
    change(tmp_path / "big")

    with pytest.raises(TransportError, match=why):
        await run(link, Step(slow.script(), sources={"content": source}))
    assert slow.times == 0


async def test_an_upload_that_disappears_fails_the_step_before_it_begins(
    controllers: Controllers, tmp_path: Path, uploads: Path, slow: Slow
) -> None:
    link = await controllers()
    gone = Step(f'echo begun >{tmp_path}/begun; cat "$HACORE_WORK/content"', sources={"content": big(tmp_path)})
    running = asyncio.create_task(run(link, slow.step(), gone))
    await appears(slow.begun)
    for file in uploads.glob("*/*"):
        file.unlink()
    slow.go.touch()

    output = (await running).failed

    assert output is not None
    assert b"its uploaded content is missing" in output.stderr
    assert not (tmp_path / "begun").exists()


async def test_an_upload_that_hangs_is_a_failure_and_no_doubt(
    sshd: Sshd, controllers: Controllers, tmp_path: Path, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "GRACE", -119.5)  # half a second in place of two minutes
    monkeypatch.setattr(uploading, "SLOWEST", 1 << 60)
    link = await controllers()
    step = Step(slow.script(), sources={"content": big(tmp_path, 400 * MB)})

    with pytest.raises(TransportError, match=r"it did not end within 0\.5s; nothing was done"):
        await run(link, step)
    assert slow.times == 0


def test_little_content_stays_in_the_script() -> None:
    few, many = Step("", {"a": b"x" * 1000}), [Step("", {"a": bytes([n]) * 9000, "b": b"y" * SMALL}) for n in range(40)]
    assert detach([[few]], "id") == ([(few,)], None)

    light, upload = detach([many], "id")

    assert upload is not None
    assert (len(upload.contents), upload.size) == (40, 40 * 9000)
    assert all(step.blobs == {"b": b"y" * SMALL} and set(step.sources) == {"a"} for step in light[0])
    assert sum(len(blob) for step in many for blob in step.blobs.values()) > EMBEDDED
