"""A test's own folder, as a host: reached by root, and by a plain user over SSH and sudo."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hacore.model import Connection, Host
from hacore.transport import Password, Session, Transport
from tests.providers.file.here import Here, ThroughSudo
from tests.transport.island import NO_PASSWORD, PASSWORD, USER, WITH_PASSWORD, Island

Way = tuple[asyncio.Runner, Session]


WAYS = {"sudo": NO_PASSWORD, "sudo with a password": WITH_PASSWORD}
"""What sudoers says of the plain user."""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Way]]:
    """Gives a session as a plain user for each of WAYS."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda way: stack.enter_context(_session(WAYS[way], tmp_path_factory.mktemp("island"))))


@contextlib.contextmanager
def _session(sudoers: str, folder: Path) -> Iterator[Way]:
    server = Island(folder / "sshd", sudoers=sudoers, noexec=()).start()
    (folder / "known").write_text(server.known())
    config = folder / "config"
    config.write_text(f"UserKnownHostsFile {folder}/known\n")
    connection = Connection(user=USER, port=server.port, become="sudo", identity_file=str(server.client_key))
    host = Host(name="lb1", address="127.0.0.1", connection=connection)
    transport = Transport(config=[config], password=Password(PASSWORD))
    with asyncio.Runner() as runner:
        yield runner, runner.run(transport.session(host))
        runner.run(transport.close())
    server.stop()


@pytest.fixture(params=["root", *(pytest.param(way, marks=pytest.mark.machine) for way in WAYS)])
def here(tmp_path: Path, request: pytest.FixtureRequest) -> Here:
    root, work = tmp_path / "root", tmp_path / "work"
    root.mkdir()
    work.mkdir()
    if request.param == "root":
        return Here(root, work)
    if os.geteuid() != 0:
        pytest.skip("users of a machine's own need a mount namespace")
    runner, session = request.getfixturevalue("sessions")(request.param)
    return ThroughSudo(root, work, runner=runner, session=session)
