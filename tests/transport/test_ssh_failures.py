"""Each way a host cannot be reached has its own words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from hacore.errors import HostKeyError, TransportError, UnreachableError
from hacore.model import Host
from hacore.transport import Transport
from tests.transport.sshd import Agent, Sshd, SshHome, free_port, keygen

HostOf = Callable[..., Host]


async def refusal(host: Host) -> str:
    """The message with which a host cannot be reached."""
    async with Transport() as transport:
        with pytest.raises(UnreachableError) as caught:
            await transport.session(host)
    return str(caught.value)


async def test_an_unknown_host_key_names_host_fingerprint_and_what_to_type(
    server: Sshd, host_of: HostOf, ssh_home: SshHome
) -> None:
    ssh_home.known_hosts("# nobody\n")
    async with Transport() as transport:
        with pytest.raises(HostKeyError) as caught:
            await transport.session(host_of(server, user="deploy"))

    message = str(caught.value)
    assert message.startswith(
        f"cannot trust lb1@127.0.0.1:{server.port}: its host key is unknown: presented is ssh-ed25519 "
    )
    assert _fingerprint(server.host_key) in message
    assert message.endswith("with: hacore trust lb1")
    assert (ssh_home.folder / "known_hosts").read_text() == "# nobody\n"


async def test_no_known_hosts_file_trusts_nobody(server: Sshd, host_of: HostOf, ssh_home: SshHome) -> None:
    (ssh_home.folder / "known_hosts").unlink()

    assert "its host key is unknown" in await refusal(host_of(server))


@pytest.mark.parametrize(
    "setting", ["UserKnownHostsFile none", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking no"]
)
async def test_ssh_config_cannot_switch_host_keys_off(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, setting: str
) -> None:
    ssh_home.config(f"Host *\n{setting}\n")

    assert "its host key is unknown" in await refusal(host_of(server))


async def test_a_changed_host_key_shows_both_fingerprints(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, tmp_path: Path
) -> None:
    other = keygen(tmp_path / "other")
    ssh_home.known_hosts(server.known(key=other))
    async with Transport() as transport:
        with pytest.raises(HostKeyError, match="its host key has changed") as caught:
            await transport.session(host_of(server))

    message = str(caught.value)
    assert (
        f"known is ssh-ed25519 {_fingerprint(other)} ({ssh_home.folder}/known_hosts:1), "
        f"presented is ssh-ed25519 {_fingerprint(server.host_key)}" in message
    )
    assert f"ssh-keygen -f {ssh_home.folder}/known_hosts -R '[127.0.0.1]:{server.port}'" in message


async def test_a_host_key_of_another_type_has_changed_too(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, tmp_path: Path
) -> None:
    other = keygen(tmp_path / "other", "-N", "", "-t", "ecdsa")
    ssh_home.known_hosts(server.known(key=other))
    async with Transport() as transport:
        with pytest.raises(HostKeyError, match="has changed") as caught:
            await transport.session(host_of(server))

    assert f"known is ecdsa-sha2-nistp256 {_fingerprint(other)} (" in str(caught.value)


async def test_a_revoked_host_key(server: Sshd, host_of: HostOf, ssh_home: SshHome) -> None:
    ssh_home.known_hosts(server.known(), f"@revoked {server.known()}")
    async with Transport() as transport:
        with pytest.raises(HostKeyError, match="marked as revoked"):
            await transport.session(host_of(server))


async def test_a_wrong_user_key_names_user_and_what_was_tried(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, tmp_path: Path
) -> None:
    stranger = ssh_home.install(keygen(tmp_path / "stranger"))

    message = await refusal(host_of(server, user="root"))

    assert message.startswith(
        f"cannot reach lb1@127.0.0.1:{server.port}: login as root was refused; tried key {stranger}"
    )
    assert message.endswith(f"not {ssh_home.folder}/id_rsa (no such file or directory), no agent")


async def test_an_encrypted_key_is_told_not_asked_about(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, tmp_path: Path
) -> None:
    locked = keygen(tmp_path / "locked", "-N", "a passphrase")

    message = await refusal(host_of(server, identity_file=str(locked)))

    assert message.endswith(f"login as {server.user} was refused; tried not {locked} (needs a passphrase), no agent")


async def test_a_stale_agent_is_told(
    server: Sshd, host_of: HostOf, ssh_home: SshHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ssh_home.install(keygen(tmp_path / "stranger"))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))

    assert f"no answer from the agent at {tmp_path}/gone" in await refusal(host_of(server))


async def test_too_many_keys_in_the_agent(
    new_sshd: Callable[..., Sshd], host_of: HostOf, ssh_home: SshHome, agent: Agent, tmp_path: Path
) -> None:
    server = new_sshd(MaxAuthTries="2")
    ssh_home.known_hosts(server.known())
    for name in ("one", "two", "three", "four"):
        agent.add(keygen(tmp_path / name))

    message = await refusal(host_of(server))
    assert "was refused (Too many authentication failures); tried" in message
    assert message.endswith("4 keys in the agent")

    # The key that the stack names goes first, and alone.
    async with Transport() as transport:
        session = await transport.session(host_of(server, identity_file=str(server.client_key)))
        assert (await session.run("echo in")).text == "in\n"


async def test_a_port_where_nobody_listens(ssh_home: SshHome) -> None:
    port = free_port()
    host = Host.model_validate({"name": "lb1", "address": "127.0.0.1", "connection": {"port": port}})

    assert await refusal(host) == f"cannot reach lb1@127.0.0.1:{port}: connection refused"


async def test_a_name_that_does_not_exist(ssh_home: SshHome) -> None:
    message = await refusal(Host(name="lb1", address="no-such-host.invalid"))

    assert message.startswith("cannot reach lb1@no-such-host.invalid:22: n")
    assert message.endswith(("name not found", "no name server answered (temporary failure in name resolution)"))


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port whose backlog is full: SYNs are dropped there, as by a firewall."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_an_address_that_never_answers(deaf: int) -> None:
    host = Host.model_validate(
        {"name": "lb1", "address": "127.0.0.1", "connection": {"port": deaf, "connect_timeout": 0.3}}
    )

    assert await refusal(host) == f"cannot reach lb1@127.0.0.1:{deaf}: no answer within 0.3s"


async def test_the_second_address_of_a_name_has_its_turn(
    deaf: int, server: Sshd, host_of: HostOf, ssh_home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        return [(*kind, ("127.0.0.1", deaf)), (*kind, ("127.0.0.1", server.port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    ssh_home.known_hosts(server.known("two-addresses.example"))
    async with Transport() as transport:
        session = await transport.session(host_of(server, address="two-addresses.example", connect_timeout=4))

        assert (await session.run("echo second")).text == "second\n"


async def test_hosts_that_never_answer_take_no_turn_from_others(deaf: int, server: Sshd, host_of: HostOf) -> None:
    dead = [
        Host.model_validate({"name": f"dead{n}", "address": "127.0.0.1", "connection": {"port": deaf}})
        for n in range(3)
    ]
    async with Transport(parallel_handshakes=1) as transport:
        waiting = [asyncio.create_task(transport.session(host)) for host in dead]
        await asyncio.sleep(0)
        session = await transport.session(
            host_of(server)
        )  # connect_timeout of the dead is 10 s, and 1 may go at a time

        assert (await session.run("echo first")).text == "first\n"
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@contextlib.asynccontextmanager
async def speaking(*replies: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A server that sends a line to each caller and hangs up; its port, and a list with an item per caller."""
    callers: list[int] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(1)
        with contextlib.suppress(ConnectionError):
            for reply in replies:
                writer.write(reply)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], callers


@pytest.mark.parametrize("reply", [b"", b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"])
async def test_a_connection_closed_before_ssh_begins_is_tried_three_times(reply: bytes) -> None:
    async with speaking(reply) as (port, callers):
        host = Host.model_validate({"name": "lb1", "address": "127.0.0.1", "connection": {"port": port}})
        message = await refusal(host)

    assert "the connection was closed before SSH began (MaxStartups, a penalty or a firewall)" in message
    assert len(callers) == 3


async def test_what_is_no_ssh_server_is_said_and_not_tried_again() -> None:
    async with speaking(b"SSH-1.5-ancient\r\n") as (port, callers):
        host = Host.model_validate({"name": "lb1", "address": "127.0.0.1", "connection": {"port": port}})
        message = await refusal(host)

    assert message == f"cannot reach lb1@127.0.0.1:{port}: the server on this port is not an SSH server"
    assert len(callers) == 1


async def test_a_server_that_says_nothing_runs_into_the_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        port = listener.getsockname()[1]
        host = Host.model_validate(
            {"name": "lb1", "address": "127.0.0.1", "connection": {"port": port, "connect_timeout": 0.3}}
        )
        message = await refusal(host)

    assert message == f"cannot reach lb1@127.0.0.1:{port}: connected, but no SSH login within 0.3s"


async def test_twenty_hosts_behind_an_sshd_that_takes_three_at_a_time(
    new_sshd: Callable[..., Sshd], ssh_home: SshHome, host_of: HostOf
) -> None:
    server = new_sshd(MaxStartups="3", LogLevel="DEBUG1")
    ssh_home.known_hosts(server.known())
    ssh_home.install(server.client_key)
    async with Transport() as transport:
        hosts = [host_of(server, name=f"web{n}") for n in range(20)]
        sessions = await asyncio.gather(*(transport.session(host) for host in hosts))
        outputs = await asyncio.gather(*(session.run("echo $PPID") for session in sessions))

    assert len({output.text for output in outputs}) == 20
    assert server.logins() == 20


async def test_a_failed_host_is_tried_again_when_asked_again(server: Sshd, ssh_home: SshHome, host_of: HostOf) -> None:
    ssh_home.known_hosts("")
    host = host_of(server)
    async with Transport() as transport:
        with pytest.raises(HostKeyError):
            await transport.session(host)
        ssh_home.known_hosts(server.known())

        assert (await (await transport.session(host)).run("echo now")).text == "now\n"


async def test_sudo_that_asks_for_a_password(
    new_sshd: Callable[..., Sshd], ssh_home: SshHome, host_of: HostOf, tmp_path: Path
) -> None:
    bin = tmp_path / "bin"
    bin.mkdir()
    _program(bin / "sudo", "echo 'sudo: a password is required' >&2; exit 1")
    server = new_sshd(SetEnv=f"SHLVL=3 PATH={bin}:{os.environ['PATH']}")
    ssh_home.known_hosts(server.known())
    ssh_home.install(server.client_key)
    async with Transport() as transport:
        session = await transport.session(host_of(server, become="sudo"))
        with pytest.raises(
            TransportError, match=r"cannot become root on lb1@.*: sudo prompts for a password; .*NOPASSWD"
        ):
            await session.run("id")


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _fingerprint(key: Path) -> str:
    import base64
    import hashlib

    blob = base64.b64decode(Path(f"{key}.pub").read_text().split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
