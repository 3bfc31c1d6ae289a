from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hacore.model import Connection, Host
from tests.transport.island import Island
from tests.transport.sshd import PROGRAM, Agent, Sshd, SshHome


@pytest.fixture(scope="session")
def shared_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd for all tests that leave it as it is."""
    assert Path(PROGRAM).exists(), "the tests of the transport need openssh-server"
    server = Sshd(tmp_path_factory.mktemp("sshd")).start()
    yield server
    server.stop()


@pytest.fixture
def new_sshd(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Starts an sshd for one test; its arguments are more settings of sshd_config."""
    servers: list[Sshd] = []

    def start(**extra: str) -> Sshd:
        servers.append(Sshd(tmp_path / f"sshd{len(servers)}", extra).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def new_island(tmp_path: Path, ssh_home: SshHome) -> Iterator[Callable[..., Island]]:
    """Starts an sshd with a user of its own, known to and open for this test's ~/.ssh."""
    islands: list[Island] = []

    def start(**given: Any) -> Island:
        islands.append(Island(tmp_path / f"island{len(islands)}", **given).start())
        ssh_home.known_hosts(*(island.known() for island in islands))
        ssh_home.install(islands[-1].client_key)
        return islands[-1]

    yield start
    for island in islands:
        island.stop()


@pytest.fixture(autouse=True)
def ssh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshHome:
    """An empty ~/.ssh and no agent."""
    home = SshHome(tmp_path / "home")
    home.folder.mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(home.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    """A running ssh-agent without keys, announced by SSH_AUTH_SOCK."""
    running = Agent.start(tmp_path_factory.mktemp("a") / "s")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(running.socket))
    yield running
    running.stop()


@pytest.fixture
def server(shared_sshd: Sshd, ssh_home: SshHome) -> Sshd:
    """The shared sshd, known to and open for this test's ~/.ssh."""
    ssh_home.known_hosts(shared_sshd.known(), shared_sshd.known("::1"))
    ssh_home.install(shared_sshd.client_key)
    return shared_sshd


def _host(server: Sshd, name: str = "lb1", address: str = "127.0.0.1", **connection: object) -> Host:
    settings = {"port": server.port, "connect_timeout": 20.0, **connection}
    return Host(name=name, address=address, connection=Connection.model_validate(settings))


@pytest.fixture
def host_of() -> Callable[..., Host]:
    """Makes the Host of an sshd."""
    return _host


@pytest.fixture
def local() -> Host:
    return Host(name="here", address="127.0.0.1", connection=Connection(transport="local"))
