"""A test's own folder, as a host: reached by root, and by a plain user over SSH and sudo."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hacore.model import Connection, Host
from hacore.transport import Password, Session, Transport
from tests.providers.file.here import Here, ThroughSudo
from tests.transport.island import PASSWORD, USER, WITH_PASSWORD, Island

Way = tuple[asyncio.Runner, Session]


@pytest.fixture(scope="module")
def through_sudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """A session as a plain user who becomes root with a password."""
    folder = tmp_path_factory.mktemp("island")
    server = Island(folder / "sshd", sudoers=WITH_PASSWORD, noexec=()).start()
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


@pytest.fixture(params=["root", "sudo"])
def here(tmp_path: Path, request: pytest.FixtureRequest) -> Here:
    root, work = tmp_path / "root", tmp_path / "work"
    root.mkdir()
    work.mkdir()
    if request.param == "root":
        return Here(root, work)
    if os.geteuid() != 0:
        pytest.skip("users of a machine's own need a mount namespace")
    runner, session = request.getfixturevalue("through_sudo")
    return ThroughSudo(root, work, runner=runner, session=session)
