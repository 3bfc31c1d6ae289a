"""A host that reverts automatically: the real watch in a real shell, with hacore's folders in a place of the test."""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hacore.contract import Step
from hacore.model import Connection, Host
from hacore.probe import Frame, SessionLink, revert
from hacore.probe.script import PRELUDE
from hacore.transport import Transport

TOKEN = "the-controller"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = f"HACORE_HOME={tmp_path}/home HACORE_RUN={tmp_path}/run\n"
    for module in ("script", "revert"):
        monkeypatch.setattr(f"hacore.probe.{module}.PRELUDE", PRELUDE + text)
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run" / "lock").write_text(f"{TOKEN}\n{{}}\n")
    return tmp_path / "run"


@pytest.fixture
async def link(run: Path) -> AsyncIterator[SessionLink]:
    transport = Transport()
    host = Host(name="here", address="localhost", connection=Connection(transport="local"))
    yield SessionLink(await transport.session(host))
    await transport.close()


async def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def arm(link: SessionLink, run: Path, name: str, within: int) -> None:
    """Lays a way back that notes its name, and which token locks the host while it runs."""
    note = Step(f'read -r token <"{run}/lock"; echo "{name} $token" >>"{run.parent}/notes"')
    step = revert.arm((note,), name, lineage="1234", what="run 7 of web", within=within)
    done = (await link.steps([Frame("t", (step,))], TOKEN)).results["t"].outputs[0]
    assert done.rc == 0, done.stderr


async def test_all_is_undone_in_reverse_order_under_the_lock_of_the_host_itself(link: SessionLink, run: Path) -> None:
    for name in ("0001.undo", "0002.undo", "0003.settle", "0001.serve", "0010.undo"):
        await arm(link, run, name, 3600)
    await arm(link, run, "0002.settle", 0)
    await until((run / "confirm" / "over").exists)
    await until(lambda: not (run / "lock").exists())

    notes = [line.split() for line in (run.parent / "notes").read_text().splitlines()]
    names = [name for name, _ in notes]
    assert names == ["0010.undo", "0002.undo", "0001.undo", "0002.settle", "0003.settle", "0001.serve"]
    (token,) = {token for _, token in notes}
    assert token.endswith("-puts-itself-back")
    assert (await link.shell(revert.look_script())).rc == revert.PUT_BACK


async def test_the_host_frees_its_own_lock_only(link: SessionLink, run: Path) -> None:
    steal = Step(f'echo another >"{run}/lock"')
    step = revert.arm((steal,), "0001.undo", lineage="1234", what="run 7 of web", within=0)
    await link.steps([Frame("t", (step,))], TOKEN)
    await until((run / "confirm" / "over").exists)
    watch = run / "confirm" / "watch"
    await until(lambda: _is_free(watch))

    assert (run / "lock").read_text() == "another\n"


def _is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
