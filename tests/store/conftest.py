"""States of a test, and second processes that hold or write them.

These tests are the contract of the store: whatever asks for `url`, and not for the `path` of a file,
runs on SQLite and on a real PostgreSQL server alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.model import Image, Row
from hacore.store import RunRecord, StateWriter, TaskRecord
from tests.postgres import Server

ROOT = Path(__file__).parents[2]

# What every child script starts with. It says a line when it has got somewhere and waits for one to go on.
PRELUDE = """
import asyncio, sqlite3, sys
from hacore.address import Address
from hacore.model import Image, Row
from hacore.store import *
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline().strip()
url = sys.argv[1]
path = url.removeprefix("sqlite:///")
"""


class Child:
    """A second process on the same state."""

    def __init__(self, url: str, script: str, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(script), url, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, word: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; what it had said by then can still be read."""
        self.process.kill()
        self.process.wait(30)

    def close(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


async def put_image(writer: StateWriter, image: Image) -> int:
    """Store an image by itself; its id."""
    return (await writer.commit(images={"": image})).image_ids[""]


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HACORE_KEY", raising=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames and not _chosen(metafunc):
        both = ["sqlite"] if "path" in metafunc.fixturenames else ["sqlite", "postgresql"]
        metafunc.parametrize("backend", getattr(metafunc.module, "BACKENDS", both))


def _chosen(metafunc: pytest.Metafunc) -> bool:
    return any(mark.args[0] == "backend" for mark in metafunc.definition.iter_markers("parametrize"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of an SQLite state."""
    return tmp_path / "state" / "pair.db"


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where there is no state yet. One on a server has its key in the environment."""
    if backend == "sqlite":
        return f"sqlite:///{request.getfixturevalue('path')}"
    monkeypatch.setenv("HACORE_KEY", "B" * 43 + "=")
    server: Server = request.getfixturevalue("postgres")
    return server.new_database() if hasattr(request.module, "BACKENDS") else server.new_schema()


@pytest.fixture
async def open_writer(url: str) -> AsyncIterator[Callable[..., Awaitable[StateWriter]]]:
    writers: list[StateWriter] = []

    async def open_it(**options: object) -> StateWriter:
        writer = await StateWriter.open(url, **{"who": "ann@desk", "what": "apply", **options})  # type: ignore[arg-type]
        writers.append(writer)
        return writer

    yield open_it
    for writer in writers:
        await writer.close()


@pytest.fixture
async def writer(open_writer: Callable[..., Awaitable[StateWriter]]) -> StateWriter:
    return await open_writer()


@pytest.fixture
def child(url: str) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(script: str, *more: str) -> Child:
        children.append(Child(url, script, *more))
        return children[-1]

    yield start
    for one in children:
        one.close()


@pytest.fixture
def make_row() -> Callable[..., Row]:
    def make(address: str = "file.nginx.conf@lb1", **fields: object) -> Row:
        values = {"spec": {"path": "/etc/x"}, "schema_version": 1, "attrs": {"mode": "0644"}, **fields}
        return Row(Address.parse(address), **values)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_run() -> Callable[..., RunRecord]:
    def make(**fields: object) -> RunRecord:
        values = {
            "id": 0,
            "command": "apply",
            "status": "running",
            "started": 1700000000.25,
            "ended": None,
            "who": "ann@desk",
            "stack": "pair",
            "stack_digest": "d1",
            "on_failure": "rollback",
            **fields,
        }
        return RunRecord(**values)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_task() -> Callable[..., TaskRecord]:
    def make(name: str = "t1", **fields: object) -> TaskRecord:
        values = {
            "run": 0,
            "id": name,
            "op": "change",
            "kind": "file",
            "host": "lb1",
            "addresses": ("file.nginx.conf@lb1",),
            "status": "do",
            **fields,
        }
        return TaskRecord(**values)  # type: ignore[arg-type]

    return make
