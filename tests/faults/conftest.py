"""Faults with the real thing: a sshd of our own, this machine's shell, its processes and file systems."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from hacore.model import Host
from hacore.probe import SessionLink
from hacore.probe.script import PRELUDE
from hacore.transport import Transport
from tests.faults.site import Site
from tests.transport.conftest import host_of, local, new_sshd, shared_sshd, ssh_home
from tests.transport.sshd import Sshd, SshHome

__all__ = ["host_of", "local", "new_sshd", "shared_sshd", "ssh_home"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("machine")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """hacore's run folder on the host, in a place of the test, for root as for a user."""
    text = f"HACORE_HOME={tmp_path}/home-of-hacore HACORE_RUN={tmp_path}/run\n"
    monkeypatch.setattr("hacore.probe.script.PRELUDE", PRELUDE + text)
    for module in ("walk.hostlock", "probe.marker"):
        monkeypatch.setattr(f"hacore.{module}.PRELUDE", PRELUDE + text)
    return tmp_path / "run"


@pytest.fixture
def sshd(new_sshd: Callable[..., Sshd], ssh_home: SshHome) -> Sshd:
    """An sshd for this test alone: it may be cut and restarted."""
    server = new_sshd()
    ssh_home.known_hosts(server.known(), server.known("::1"))
    ssh_home.install(server.client_key)
    return server


@pytest.fixture
async def controllers(
    sshd: Sshd, host_of: Callable[..., Host], here: Path
) -> AsyncIterator[Callable[..., Awaitable[SessionLink]]]:
    """Makes links to the host, each over a transport of its own, as each run of hacore has."""
    transports: list[Transport] = []

    async def make(**connection: object) -> SessionLink:
        transport = Transport()
        transports.append(transport)
        host = host_of(sshd, **{"reconnect_timeout": 20.0, **connection})
        return SessionLink(await transport.session(host), again=lambda: transport.session(host))

    yield make
    for transport in transports:
        await transport.close()


@pytest.fixture
def site(tmp_path: Path, sshd: Sshd, here: Path, monkeypatch: pytest.MonkeyPatch, ssh_home: SshHome) -> Iterator[Site]:
    for name in ("HACORE_STATE", "HACORE_KEY", "HACORE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(ssh_home.home / "state"))
    made = Site(tmp_path, sshd)
    yield made
    made.slow.go.touch()
    for controller in made.running:
        controller.kill()
