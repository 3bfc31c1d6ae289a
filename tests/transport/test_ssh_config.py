"""ssh_config is honoured as ssh(1) does, and what the stack says wins."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.errors import UnreachableError
from hacore.model import Connection, Host
from hacore.transport import Transport
from tests.transport.sshd import Agent, Sshd, SshHome, keygen, sign

HostOf = Callable[..., Host]


async def whoami(host: Host, config: list[Path] | None = None) -> str:
    """The user a session runs as, and the port it came in on."""
    async with Transport(config=config) as transport:
        output = await (await transport.session(host)).run('set -- $SSH_CONNECTION; echo "$(id -un) $4"')
    return output.text.strip()


@pytest.fixture
def hidden(shared_sshd: Sshd, ssh_home: SshHome) -> Sshd:
    """The shared sshd, with its key where only ssh_config can point to."""
    ssh_home.known_hosts(shared_sshd.known())
    return shared_sshd


async def test_an_alias_with_host_name_port_user_and_key(hidden: Sshd, ssh_home: SshHome) -> None:
    ssh_home.config(
        f"Host lb1-alias\n  HostName 127.0.0.1\n  Port {hidden.port}\n  User {hidden.user}\n"
        f"  IdentityFile {hidden.client_key}\n"
        "Host *\n  Port 1\n  User nobody\n  SendEnv LANG LC_*\n  HashKnownHosts yes\n  SomeFutureKeyword yes\n"
    )

    assert await whoami(Host(name="lb1", address="lb1-alias")) == f"{hidden.user} {hidden.port}"


async def test_what_the_stack_says_wins(hidden: Sshd, ssh_home: SshHome, tmp_path: Path) -> None:
    stranger = keygen(tmp_path / "stranger")
    ssh_home.config(f"Host 127.0.0.1\n  Port 1\n  User nobody\n  IdentityFile {stranger}\n")
    connection = Connection(port=hidden.port, user=hidden.user, identity_file=str(hidden.client_key))

    assert await whoami(Host(name="lb1", address="127.0.0.1", connection=connection)) == f"{hidden.user} {hidden.port}"


async def test_the_users_file_wins_over_the_systems(hidden: Sshd, ssh_home: SshHome, tmp_path: Path) -> None:
    user, system, more = tmp_path / "user", tmp_path / "system", tmp_path / "conf.d"
    more.mkdir()
    user.write_text(f"Host 127.0.0.1\n  Port {hidden.port}\n")
    system.write_text(f"Include {more}/*.conf\nHost *\n  Port 2\n  SendEnv LANG LC_*\n  GSSAPIAuthentication yes\n")
    (more / "lab.conf").write_text(f"Host *\n  Port 1\n  IdentityFile {hidden.client_key}\n")

    assert await whoami(Host(name="lb1", address="127.0.0.1"), [user, system]) == f"{hidden.user} {hidden.port}"


async def test_known_hosts_of_user_and_system_both_count(hidden: Sshd, ssh_home: SshHome, tmp_path: Path) -> None:
    (tmp_path / "system_known").write_text(hidden.known())
    ssh_home.known_hosts("other.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\n", "not a line at all |1|\n")
    ssh_home.config(
        f"GlobalKnownHostsFile {tmp_path}/absent {tmp_path}/system_known\nIdentityFile {hidden.client_key}\n"
    )

    assert await whoami(_host(hidden)) == f"{hidden.user} {hidden.port}"


async def test_hashed_known_hosts_and_a_host_key_alias(hidden: Sshd, ssh_home: SshHome) -> None:
    ssh_home.known_hosts(hidden.known())
    assert ssh_home.hash_known_hosts().startswith("|1|")
    ssh_home.config(f"IdentityFile {hidden.client_key}\n")
    assert await whoami(_host(hidden)) == f"{hidden.user} {hidden.port}"

    ssh_home.known_hosts(hidden.known("the-pair"))
    ssh_home.config(
        f"IdentityFile {hidden.client_key}\n"
        "HostKeyAlias the-pair\nUserKnownHostsFile ~/.ssh/%k.known %d/.ssh/known_hosts\n"
    )
    assert await whoami(_host(hidden)) == f"{hidden.user} {hidden.port}"


async def test_a_missing_key_of_ssh_config_is_passed_over(hidden: Sshd, ssh_home: SshHome) -> None:
    ssh_home.config(
        f"IdentityFile ~/.ssh/absent\nCertificateFile ~/.ssh/absent-cert\nIdentityFile {hidden.client_key}\n"
    )

    assert await whoami(_host(hidden)) == f"{hidden.user} {hidden.port}"


async def test_the_agent_alone_lets_us_in(hidden: Sshd, agent: Agent) -> None:
    agent.add(hidden.client_key)

    assert await whoami(_host(hidden)) == f"{hidden.user} {hidden.port}"


async def test_a_key_named_by_its_public_half_comes_from_the_agent(
    hidden: Sshd, agent: Agent, ssh_home: SshHome, tmp_path: Path
) -> None:
    agent.add(keygen(tmp_path / "other"))
    agent.add(hidden.client_key)
    public = ssh_home.install(Path(f"{hidden.client_key}.pub"), "only.pub")
    connection = {"port": hidden.port, "identity_file": str(public)}
    host = Host.model_validate({"name": "lb1", "address": "127.0.0.1", "connection": connection})

    assert await whoami(host) == f"{hidden.user} {hidden.port}"


async def test_identity_agent_none_and_identities_only(hidden: Sshd, agent: Agent, ssh_home: SshHome) -> None:
    agent.add(hidden.client_key)
    ssh_home.config("IdentityAgent none\n")
    with pytest.raises(UnreachableError, match="no agent"):
        await whoami(_host(hidden))

    ssh_home.config("IdentitiesOnly yes\n")
    with pytest.raises(UnreachableError, match="was refused"):
        await whoami(_host(hidden))


async def test_rsa_and_ecdsa_keys(new_sshd: Callable[..., Sshd], ssh_home: SshHome, tmp_path: Path) -> None:
    server = new_sshd()
    ssh_home.known_hosts(server.known())
    for kind, bits in (("rsa", "2048"), ("ecdsa", "256")):
        key = keygen(tmp_path / kind, "-N", "", "-t", kind, "-b", bits)
        server.authorize(key)
        host = _host(server).model_copy(
            update={"connection": Connection(port=server.port, identity_file=str(key), connect_timeout=20)}
        )

        assert await whoami(host) == f"{server.user} {server.port}"


async def test_a_user_certificate_beside_its_key(
    new_sshd: Callable[..., Sshd], ssh_home: SshHome, tmp_path: Path
) -> None:
    authority, key = keygen(tmp_path / "ca"), keygen(tmp_path / "certified")
    server = new_sshd(TrustedUserCAKeys=f"{authority}.pub")
    sign(authority, key, server.user)
    ssh_home.known_hosts(server.known())
    ssh_home.config(f"IdentityFile {key}\n")

    assert await whoami(_host(server)) == f"{server.user} {server.port}"


async def test_a_proxy_command(hidden: Sshd, ssh_home: SshHome) -> None:
    relay = (
        "import socket,sys,threading,os;s=socket.create_connection((sys.argv[1],int(sys.argv[2])));"
        "threading.Thread(target=lambda:[s.sendall(d) for d in iter(lambda:os.read(0,65536),b'')],daemon=True).start();"
        "[os.write(1,d) for d in iter(lambda:s.recv(65536),b'')]"
    )
    script = ssh_home.folder / "relay.py"
    script.write_text(relay)
    ssh_home.config(
        f"Host lb1-far\n  HostName 127.0.0.1\n  IdentityFile {hidden.client_key}\n"
        f"  ProxyCommand python3 {script} %h %p\n"
        f"Host lb1-dead\n  ProxyCommand false\n"
    )
    connection = Connection(port=hidden.port, connect_timeout=20)

    assert await whoami(Host(name="lb1", address="lb1-far", connection=connection)) == f"{hidden.user} {hidden.port}"
    with pytest.raises(UnreachableError, match=r"closed before SSH began \(the proxy command ended\)"):
        await whoami(Host(name="lb1", address="lb1-dead", connection=connection))


async def test_programs_of_ssh_config_get_no_secret(
    hidden: Sshd, ssh_home: SshHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in their environment nor as an argument: of hacore's own environment they get an allow list."""
    monkeypatch.setenv("HACORE_KEY", "key-of-the-state")
    monkeypatch.setenv("PGPASSWORD", "it's a password")
    monkeypatch.setenv("HACORE_VAR_pw", "canary")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    monkeypatch.setenv("AWS_PROFILE", "ops")
    monkeypatch.setenv("HACORE_PASS_ENV", "AWS_* OTHER")
    seen = ssh_home.folder / "seen"
    script = ssh_home.folder / "program.py"
    script.write_text(
        "import os,sys\n"
        "name=sys.argv[1]\n"
        f"folder={str(seen)!r}\n"
        "os.makedirs(folder, exist_ok=True)\n"
        "open(folder+'/'+name,'wb').write(open('/proc/self/environ','rb').read())\n"
        "open(folder+'/'+name+'.up','wb').write(open('/proc/%d/cmdline' % os.getppid(),'rb').read())\n"
        "if name=='proxy': os.execvp('nc', ['nc', *sys.argv[2:]])\n"
    )
    ssh_home.config(
        f'Match host lb1-far exec "python3 {script} match %h && true"\n  Compression no\n'
        f"Host lb1-far\n  HostName 127.0.0.1\n  IdentityFile {hidden.client_key}\n"
        f"  ProxyCommand python3 {script} proxy %h %p\n"
        f"Host lb1-direct\n  ProxyCommand none\n  HostName 127.0.0.1\n  IdentityFile {hidden.client_key}\n"
    )
    connection = Connection(port=hidden.port, connect_timeout=20)
    for address in ("lb1-far", "lb1-direct"):
        name = f"{hidden.user} {hidden.port}"
        with contextlib.suppress(UnreachableError):  # without nc(1) the program ends; it was started all the same
            assert await whoami(Host(name="lb1", address=address, connection=connection)) == name

    assert sorted(path.name for path in seen.iterdir()) == ["match", "match.up", "proxy", "proxy.up"]
    for path in seen.iterdir():
        content = path.read_bytes()
        assert not any(word in content for word in (b"key-of-the-state", b"a password", b"canary")), path
        if path.suffix != ".up":
            names = {line.partition(b"=")[0].decode() for line in content.split(b"\0")}
            assert {"PATH", "HOME", "SSH_AUTH_SOCK", "AWS_PROFILE"} <= names
            assert not names & {"HACORE_KEY", "PGPASSWORD", "HACORE_VAR_pw", "HACORE_PASS_ENV"}


async def test_hosts_behind_a_jump_host_share_one_connection_to_it(
    hidden: Sshd, new_sshd: Callable[..., Sshd], ssh_home: SshHome
) -> None:
    jump = new_sshd()
    ssh_home.known_hosts(hidden.known(), jump.known())
    ssh_home.config(
        f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.port}\n  IdentityFile {jump.client_key}\n"
        f"Host inner-*\n  HostName 127.0.0.1\n  Port {hidden.port}\n  IdentityFile {hidden.client_key}\n"
        "  ProxyJump bastion\n"
    )
    before = hidden.logins()
    async with Transport() as transport:
        hosts = [Host(name=f"lb{n}", address=f"inner-{n}") for n in (1, 2, 3)]
        sessions = await asyncio.gather(*(transport.session(host) for host in hosts))
        outputs = [await session.run("echo through") for session in sessions]

    assert [output.text for output in outputs] == ["through\n"] * 3
    assert hidden.logins() - before == 3
    assert jump.logins() == 1


async def test_jump_hosts_must_be_trusted_and_must_not_go_round(
    hidden: Sshd, new_sshd: Callable[..., Sshd], ssh_home: SshHome
) -> None:
    jump = new_sshd()
    ssh_home.config(
        f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.port}\n  IdentityFile {jump.client_key}\n"
        f"Host inner\n  HostName 127.0.0.1\n  Port {hidden.port}\n  ProxyJump bastion\n"
        "Host round\n  ProxyJump about\nHost about\n  ProxyJump round\n"
        "Host direct\n  ProxyJump none\n  Port 1\n  HostName 127.0.0.1\n"
    )
    with pytest.raises(
        UnreachableError,
        match=r"cannot trust bastion@127.0.0.1:.*is unknown.*hacore trust lb1 .jump host of lb1@127.0.0.1",
    ):
        await whoami(Host(name="lb1", address="inner"))
    with pytest.raises(UnreachableError, match="form a loop"):
        await whoami(Host(name="lb1", address="round"))
    with pytest.raises(UnreachableError, match="connection refused"):
        await whoami(Host(name="lb1", address="direct"))


async def test_a_jump_host_that_cannot_reach_the_host(new_sshd: Callable[..., Sshd], ssh_home: SshHome) -> None:
    jump = new_sshd()
    ssh_home.known_hosts(jump.known())
    ssh_home.config(
        f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.port}\n  IdentityFile {jump.client_key}\n"
        "Host inner\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump bastion\n"
    )
    with pytest.raises(UnreachableError, match=r"cannot reach lb1@127.0.0.1:1: the jump host reports: .*refused"):
        await whoami(Host(name="lb1", address="inner"))


async def test_match_blocks(hidden: Sshd, ssh_home: SshHome) -> None:
    ssh_home.config(
        f'Match exec false\n  Port 1\nMatch host 127.0.0.1 exec "sleep 0.3"\n  Port {hidden.port}\n'
        f"Match all\n  Port 2\n  IdentityFile {hidden.client_key}\n"
    )
    async with Transport() as transport:
        hosts = [Host(name=name, address="127.0.0.1") for name in ("lb1", "lb2")]
        outputs = [await (await transport.session(host)).run("echo in") for host in hosts]

    assert [output.text for output in outputs] == ["in\n", "in\n"]


async def test_a_config_that_cannot_be_read_is_named(ssh_home: SshHome) -> None:
    path = ssh_home.config("Host *\n  Port many\n")
    with pytest.raises(UnreachableError, match=rf"cannot reach lb1: ssh_config cannot be read: {path} line 2: .*many"):
        await whoami(Host(name="lb1", address="127.0.0.1"))


def _host(server: Sshd) -> Host:
    return Host(name="lb1", address="127.0.0.1", connection=Connection(port=server.port, connect_timeout=20))
