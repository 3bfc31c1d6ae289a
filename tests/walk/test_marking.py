"""Locks and markers in a real shell, with hacore's folders in a place of the test."""

# ruff: noqa: ASYNC240 - small local files

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hacore.errors import FencedError, LockedError, TransportError
from hacore.model import Connection, Host
from hacore.probe import ASK_MARKERS, MARKERS, Marker, SessionLink
from hacore.probe.script import PRELUDE
from hacore.transport import Transport
from hacore.walk import Holder, acquire, marking, release, unmarking, write_marks

MINE = Holder("my-token", {"who": "me", "pid": 1})
MARKER = Marker("web", "", "lb1", "11111111-2222", 7, "it's me@desk", 1_790_000_000.5, {"own 0a": 'file.x["it\'s"]'})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = f"HACORE_HOME={tmp_path}/lib/home HACORE_RUN={tmp_path}/run\n"
    for module in ("probe.script", "walk.hostlock", "probe.marker"):
        monkeypatch.setattr(f"hacore.{module}.PRELUDE", PRELUDE + text)
    (tmp_path / "lib").mkdir()
    return tmp_path / "lib/home"


@pytest.fixture
async def link(home: Path) -> AsyncIterator[SessionLink]:
    transport = Transport()
    host = Host(name="here", address="localhost", connection=Connection(transport="local"))
    yield SessionLink(await transport.session(host))
    await transport.close()


async def markers(link: SessionLink) -> tuple[Marker, ...]:
    return (await link.facts([ASK_MARKERS])).get(MARKERS, "") or ()


async def test_a_marker_is_written_read_and_taken_away(link: SessionLink, home: Path) -> None:
    assert await markers(link) == ()
    await acquire(link, MINE)
    await write_marks(link, "my-token", marking(MARKER))
    other = replace(MARKER, lineage="33333333-4444", stack="other")
    await write_marks(link, "my-token", marking(other))
    newer = replace(MARKER, serial=8)
    await write_marks(link, "my-token", marking(newer))

    assert sorted(await markers(link), key=lambda m: m.stack) == [other, newer]
    files = sorted(p.name for p in (home / "stacks").iterdir())
    assert files == ["11111111-2222.lb1.json", "33333333-4444.lb1.json"]
    assert {p.stat().st_mode & 0o7777 for p in (home / "stacks").iterdir()} == {0o600}
    assert (home / "stacks").stat().st_mode & 0o7777 == 0o700

    await write_marks(link, "my-token", unmarking([newer]))
    assert await markers(link) == (other,)
    await release(link, "my-token", unmarking([other]))
    assert not home.exists()
    assert not (home.parents[1] / "run/lock").exists()


async def test_what_others_keep_in_the_folder_stays(link: SessionLink, home: Path) -> None:
    await acquire(link, MINE)
    (home / "stamp").write_text("of a build")
    await release(link, "my-token", marking(MARKER))
    await acquire(link, MINE)
    await release(link, "my-token", unmarking([MARKER]))
    assert [p.name for p in home.iterdir()] == ["stamp"]


async def test_nothing_is_marked_without_the_lock(link: SessionLink, home: Path) -> None:
    await acquire(link, MINE)
    with pytest.raises(LockedError, match="held by me"):
        await acquire(link, Holder("another", {}))
    with pytest.raises(FencedError, match="held by another run"):
        await write_marks(link, "another", marking(MARKER))
    await release(link, "another", marking(MARKER))
    assert await markers(link) == ()
    await release(link, "my-token")
    await acquire(link, Holder("another", {}))


async def test_a_marker_that_cannot_be_written_keeps_no_lock(link: SessionLink, home: Path) -> None:
    await acquire(link, MINE)
    home.rmdir()
    home.write_text("a file in the folder's place")
    with pytest.raises(TransportError, match=r"cannot mark here@localhost: cannot use the folder .* not a folder"):
        await write_marks(link, "my-token", marking(MARKER))
    with pytest.raises(TransportError, match=r"cannot mark here@localhost: cannot use the folder .* not a folder"):
        await release(link, "my-token", marking(MARKER))
    assert not (home.parents[1] / "run/lock").exists()


@pytest.mark.parametrize("text", ["not a marker", "[]", "{}", MARKER.text().replace("lb1", "../lb1")])
async def test_what_is_no_marker_is_told(link: SessionLink, home: Path, text: str) -> None:
    (home / "stacks").mkdir(parents=True)
    (home / "stacks/web.json").write_text(text + "\n")
    failed = (await link.facts([ASK_MARKERS])).failed["markers"]
    assert re.search(r"markers: its output cannot be read: .*remove it", failed)


async def test_the_probe_of_a_host_without_markers_writes_nothing(link: SessionLink, home: Path) -> None:
    assert await markers(link) == ()
    assert not home.exists()
