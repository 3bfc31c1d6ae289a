"""SHA-1 is not used unless ssh_config asks for it: neither in the key exchange, nor in MACs, nor for host keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from hacore.errors import TransportError
from hacore.model import Connection, Host
from hacore.transport.algorithms import OPTIONS, safe_algorithms
from hacore.transport.connect import connect
from hacore.transport.gate import Gate
from hacore.transport.keys import KeyRing
from hacore.transport.settings import resolve

RSA = asyncssh.generate_private_key("ssh-rsa", key_size=2048)


class _Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def login(folder: Path, config: str = "", **server: Any) -> asyncssh.SSHClientConnection:
    """Log in to a server that has only these algorithms, and an RSA key that known_hosts has."""
    listener = await asyncssh.create_server(_Open, "127.0.0.1", 0, server_host_keys=[RSA], **server)
    port = listener.get_port()
    public = " ".join(RSA.export_public_key().decode().split()[:2])
    (folder / "known").write_text(f"[127.0.0.1]:{port} {public}\n")
    (folder / "config").write_text(f"UserKnownHostsFile {folder}/known\nGlobalKnownHostsFile none\n{config}")
    connection = Connection(user="ops", port=port, connect_timeout=20.0)
    target = resolve(Host(name="lb1", address="127.0.0.1", connection=connection), (str(folder / "config"),))
    try:
        link = await connect(
            target, KeyRing(), timeout=20.0, gate=Gate(8), turns=asyncio.Semaphore(8), tunnel=None
        )  # fmt: skip
        link.connection.close()
        await link.connection.wait_closed()
        return link.connection
    finally:
        listener.close()
        await listener.wait_closed()


OLD = [
    ("KexAlgorithms", "diffie-hellman-group14-sha1", {"kex_algs": ["diffie-hellman-group14-sha1"]}),
    ("MACs", "hmac-sha1", {"mac_algs": ["hmac-sha1"], "encryption_algs": ["aes256-ctr"]}),
    ("HostKeyAlgorithms", "ssh-rsa", {"signature_algs": ["ssh-rsa"]}),
]


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
@pytest.mark.parametrize(("option", "name", "server"), OLD[:2], ids=[option for option, _, _ in OLD[:2]])
async def test_a_server_that_has_nothing_but_sha1_is_refused(
    tmp_path: Path, option: str, name: str, server: dict[str, Sequence[str]]
) -> None:
    with pytest.raises(TransportError, match=r"lb1@127\.0\.0\.1"):
        await login(tmp_path, **server)
    assert await login(tmp_path, f"{option} {name}\n", **server)  # allowed by ssh_config


async def test_an_rsa_host_key_signs_with_sha2(tmp_path: Path) -> None:
    assert await login(tmp_path)


def test_what_ssh_config_chooses_is_kept(tmp_path: Path) -> None:
    for option, (argument, _) in OPTIONS.items():
        name = next(name for known, name, _ in OLD if known == option)
        (tmp_path / "config").write_text(f"{option} {name}\n")
        target = resolve(Host(name="lb1", address="192.0.2.1"), (str(tmp_path / "config"),))
        assert target.algorithms == {option}
        assert set(safe_algorithms(target.algorithms)) == {a for a, _ in OPTIONS.values()} - {argument}


def test_no_name_of_sha1_is_left() -> None:
    given: dict[str, Any] = dict(safe_algorithms(()))
    options = asyncssh.SSHClientConnectionOptions(config=None, known_hosts=b"", client_keys=None, **given)
    assert len(given) == len(OPTIONS)
    assert [name for name in (*options.kex_algs, *options.mac_algs) if b"sha1" in name.replace(b"sha1-", b"")] == []
