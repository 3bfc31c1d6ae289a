"""Host keys against a server in this process: only a key that known_hosts has lets a login through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from hacore.errors import HostKeyError
from hacore.model import Connection, Host
from hacore.transport.connect import Link, connect
from hacore.transport.gate import Gate
from hacore.transport.keys import KeyRing
from hacore.transport.settings import Target, resolve
from hacore.transport.trust import HostKey, PresentedKeys, trust

ED25519 = asyncssh.generate_private_key("ssh-ed25519")
ECDSA = asyncssh.generate_private_key("ecdsa-sha2-nistp256")


class _Open(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, username: str) -> bool:
        return False


@dataclass
class Server:
    """An SSH server whose only host key is of type ed25519, and its client's known_hosts."""

    port: int
    known_hosts: Path
    handshakes: list[object]

    @property
    def target(self) -> Target:
        connection = Connection(user="ops", port=self.port, connect_timeout=20.0)
        config = self.known_hosts.parent / "config"
        config.write_text(f"UserKnownHostsFile {self.known_hosts}\nGlobalKnownHostsFile none\n")
        return resolve(Host(name="lb1", address="127.0.0.1", connection=connection), (str(config),))

    def know(self, *keys: asyncssh.SSHKey, marker: str = "") -> None:
        with self.known_hosts.open("a") as file:
            for key in keys:
                public = " ".join(key.export_public_key().decode().split()[:2])
                file.write(f"{marker}[127.0.0.1]:{self.port} {public}\n")

    async def connect(self, target: Target, tunnel: Link | None) -> Link:
        gate, turns = Gate(8), asyncio.Semaphore(8)
        return await connect(target, KeyRing(), timeout=20.0, gate=gate, turns=turns, tunnel=tunnel)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    handshakes: list[object] = []

    def factory() -> asyncssh.SSHServer:
        handshakes.append(object())
        return _Open()

    listener = await asyncssh.create_server(factory, "127.0.0.1", 0, server_host_keys=[ED25519])
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()
    yield Server(listener.get_port(), known_hosts, handshakes)
    listener.close()
    await listener.wait_closed()


async def _trust(server: Server) -> tuple[list[PresentedKeys], Exception | None]:
    """The questions that `trust` asks, each answered with yes, and how it ends."""
    asked: list[PresentedKeys] = []

    async def accept(keys: PresentedKeys) -> Sequence[HostKey]:
        asked.append(keys)
        return keys.keys

    links: list[Link] = []
    try:
        await trust([server.target], server.connect, accept, links, 20.0)
    except HostKeyError as error:
        return asked, error
    finally:
        for link in links:
            link.connection.abort()
            await link.connection.wait_closed()
    return asked, None


async def test_an_unknown_host_is_asked_about_and_known_from_then_on(server: Server) -> None:
    asked, error = await _trust(server)

    assert error is None
    assert [key.algorithm for presented in asked for key in presented.keys] == ["ssh-ed25519"]
    assert await _trust(server) == ([], None)


@pytest.mark.parametrize(("marker", "why"), [("", "has changed"), ("@revoked ", "is marked as revoked")])
async def test_a_key_of_another_type_is_never_offered_as_new(server: Server, marker: str, why: str) -> None:
    server.know(ECDSA, marker=marker)
    before = server.known_hosts.read_text()

    asked, error = await _trust(server)

    assert asked == []
    assert why in str(error)
    assert server.known_hosts.read_text() == before


async def test_a_changed_key_names_both(server: Server) -> None:
    server.know(ECDSA)
    with pytest.raises(HostKeyError) as caught:
        await server.connect(server.target, None)

    assert f"known is ecdsa-sha2-nistp256 {ECDSA.get_fingerprint()} ({server.known_hosts}:1)" in str(caught.value)
    assert f"presented is ssh-ed25519 {ED25519.get_fingerprint()}" in str(caught.value)
    assert len(server.handshakes) == 2  # the known types, then any


async def test_a_revoked_key_is_refused_at_once_whatever_else_is_known(server: Server) -> None:
    server.know(ECDSA)
    server.know(ED25519)
    server.know(ED25519, marker="@revoked ")
    with pytest.raises(HostKeyError, match=f"marked as revoked in {server.known_hosts}:3"):
        await server.connect(server.target, None)

    assert len(server.handshakes) == 1
