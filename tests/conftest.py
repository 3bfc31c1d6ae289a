"""What several folders of tests share."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Server, running


def pytest_configure(config: pytest.Config) -> None:
    """Settings of each process that runs tests.

    The clock does not judge properties: a busy machine is not a fault. Signals have the meaning they have for a
    user's command, also where nohup or a shell's `&` ignores them.
    """
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a server of its own is no part of the quick tests."""
    for item in items:
        given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
        if "postgres" in getattr(item, "fixturenames", ()) or "postgresql" in given:
            item.add_marker("machine")
            item.add_marker("server")


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(settings: Any) -> Iterator[None]:
    """A test that its timeout does not end, as one that waits for a process while it fails, gets it again and again."""
    done = yield
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    if left:
        signal.setitimer(signal.ITIMER_REAL, left, settings.timeout / 10)
    return done


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced to the disk: `FOLDER/`, or the content that a file had then."""
    found: list[str] = []
    real = os.fsync

    def spy(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        found.append(f"{path.name}/" if path.is_dir() else path.read_text())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    return found


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of this machine can reach.

    No folder of pytest's own is one: whenever a run begins, pytest closes the folder above them all to other users,
    also to those of a run that began earlier.
    """
    with tempfile.TemporaryDirectory(prefix="hacore-open-") as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path


@pytest.fixture
def whole_machine() -> Iterator[None]:
    """For a run on this machine itself, which takes its host lock: one at a time, in all processes of pytest."""
    with (Path(tempfile.gettempdir()) / f"hacore-tests-{os.geteuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL server; each process of pytest-xdist has its own."""
    with running() as server:
        yield server
