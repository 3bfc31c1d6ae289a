"""Ways to hosts as people have them: over several jump hosts, by certificates, with an ssh_config in many files.

Where ssh(1) can say what it would do (`ssh -G`), it is asked.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.errors import HostKeyError, UnreachableError
from hacore.model import Connection, Host
from hacore.transport import Transport
from hacore.transport.settings import config_files, resolve
from tests.transport.sshd import Agent, Sshd, SshHome, keygen, sign

pytestmark = pytest.mark.machine

NewSshd = Callable[..., Sshd]


async def whoami(host: Host) -> str:
    """The user a session runs as, where it came from, and the port it came in on."""
    async with Transport() as transport:
        output = await (await transport.session(host)).run('set -- $SSH_CONNECTION; echo "$(id -un) $1 $4"')
    return output.text.strip()


def _host(address: str = "127.0.0.1", **connection: object) -> Host:
    settings = Connection.model_validate({"connect_timeout": 20.0, **connection})
    return Host(name="lb1", address=address, connection=settings)


def block(name: str, server: Sshd, *more: str) -> str:
    """A Host block for a server under a name."""
    lines = ["HostName 127.0.0.1", f"Port {server.port}", f"IdentityFile {server.client_key}", *more]
    return f"Host {name}\n" + "".join(f"  {line}\n" for line in lines)


# -- jump hosts -------------------------------------------------------------------------------------


@pytest.fixture
def three(new_sshd: NewSshd, ssh_home: SshHome) -> tuple[Sshd, Sshd, Sshd]:
    """Two jump hosts and a host, all known."""
    outer, middle, inner = new_sshd(), new_sshd(), new_sshd()
    ssh_home.known_hosts(*(server.known() for server in (outer, middle, inner)), inner.known("::1"))
    return outer, middle, inner


async def test_a_jump_host_behind_a_jump_host(three: tuple[Sshd, Sshd, Sshd], ssh_home: SshHome) -> None:
    outer, middle, inner = three
    ssh_home.config(
        block("outer", outer) + block("middle", middle, "ProxyJump outer") + block("inner", inner, "ProxyJump middle")
    )

    assert await whoami(_host("inner")) == f"{inner.user} 127.0.0.1 {inner.port}"
    assert [server.logins() for server in three] == [1, 1, 1]


async def test_a_list_of_jump_hosts(three: tuple[Sshd, Sshd, Sshd], ssh_home: SshHome) -> None:
    outer, middle, inner = three
    ssh_home.config(block("outer", outer) + block("middle", middle) + block("inner", inner, "ProxyJump outer,middle"))

    assert await whoami(_host("inner")) == f"{inner.user} 127.0.0.1 {inner.port}"
    assert [server.logins() for server in three] == [1, 1, 1]


async def test_a_jump_host_by_address_with_user_and_port(three: tuple[Sshd, Sshd, Sshd], ssh_home: SshHome) -> None:
    outer, _, inner = three
    ssh_home.known_hosts(outer.known("::1"), inner.known("::1"))
    ssh_home.config(
        f"Host inner\n  HostName ::1\n  Port {inner.port}\n  ProxyJump ssh://{outer.user}@[::1]:{outer.port}\n"
        f"Host *\n  IdentityFile {outer.client_key}\n  IdentityFile {inner.client_key}\n"
    )

    assert await whoami(_host("inner")) == f"{inner.user} ::1 {inner.port}"
    assert outer.logins() == 1


async def test_none_keeps_a_host_from_the_jump_host_of_all(three: tuple[Sshd, Sshd, Sshd], ssh_home: SshHome) -> None:
    outer, _, inner = three
    ssh_home.config(
        block("outer inner-direct", outer, "ProxyJump none").replace(f"Port {outer.port}\n", "")
        + block("inner", inner)
        + f"Host outer\n  Port {outer.port}\n"
        + f"Host inner-direct\n  Port {inner.port}\n  IdentityFile {inner.client_key}\n"
        + "Host *\n  ProxyJump outer\n"
    )

    assert await whoami(_host("inner-direct")) == f"{inner.user} 127.0.0.1 {inner.port}"
    assert outer.logins() == 0
    assert await whoami(_host("inner")) == f"{inner.user} 127.0.0.1 {inner.port}"
    assert outer.logins() == 1


async def test_a_jump_host_that_may_not_forward(
    new_sshd: NewSshd, three: tuple[Sshd, Sshd, Sshd], ssh_home: SshHome
) -> None:
    closed, inner = new_sshd(AllowTcpForwarding="no"), three[2]
    ssh_home.known_hosts(closed.known(), inner.known())
    ssh_home.config(block("closed", closed) + block("inner", inner, "ProxyJump closed"))

    with pytest.raises(UnreachableError, match=r"cannot reach lb1@.*: the jump host reports: .*AllowTcpForwarding"):
        await whoami(_host("inner"))


# -- certificates -----------------------------------------------------------------------------------


def host_certificate(authority: Path, server: Sshd, *options: str) -> str:
    """Sign a server's host key; the setting that makes it show the certificate."""
    argv = ["ssh-keygen", "-q", "-s", str(authority), "-I", "host", "-h", *options, f"{server.host_key}.pub"]
    subprocess.run(argv, check=True, capture_output=True)
    return f"{server.host_key}-cert.pub"


def with_certificate(server: Sshd, authority: Path, *options: str) -> Sshd:
    """The server again, with a certificate for its key."""
    server.stop()
    server.extra["HostCertificate"] = host_certificate(authority, server, *options)
    return server.start()


def trusting(authority: Path, pattern: str) -> str:
    """The line of known_hosts that trusts an authority."""
    return f"@cert-authority {pattern} {Path(f'{authority}.pub').read_text()}"


@pytest.mark.parametrize("address", ["127.0.0.1", "lb1.example.org"])
async def test_a_host_certificate_needs_no_first_contact(
    new_sshd: NewSshd, ssh_home: SshHome, tmp_path: Path, address: str
) -> None:
    authority = keygen(tmp_path / "authority")
    server = with_certificate(new_sshd(), authority, "-n", "lb1.example.org,127.0.0.1")
    ssh_home.known_hosts(trusting(authority, "*.example.org,127.0.0.*"))
    ssh_home.config(
        f"Host *\n  IdentityFile {server.client_key}\n  Port {server.port}\n"
        "Host lb1.example.org\n  HostName 127.0.0.1\n  HostKeyAlias lb1.example.org\n"
    )

    assert await whoami(_host(address)) == f"{server.user} 127.0.0.1 {server.port}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-n", "other.example.org"], "principal"),
        (["-n", "127.0.0.1", "-V", "20200101:20200201"], "expired"),
        (["-n", "127.0.0.1", "-V", "20990101:20990201"], "not yet valid"),
    ],
)
async def test_a_host_certificate_that_does_not_hold(
    new_sshd: NewSshd, ssh_home: SshHome, tmp_path: Path, options: list[str], words: str
) -> None:
    authority = keygen(tmp_path / "authority")
    server = with_certificate(new_sshd(), authority, *options)
    ssh_home.known_hosts(trusting(authority, "127.0.0.1"))
    ssh_home.install(server.client_key)

    with pytest.raises(HostKeyError, match=rf"cannot trust lb1@127\.0\.0\.1:\d+: .*certificate.*{words}"):
        await whoami(_host(port=server.port))


async def test_a_host_certificate_of_a_stranger(new_sshd: NewSshd, ssh_home: SshHome, tmp_path: Path) -> None:
    server = with_certificate(new_sshd(), keygen(tmp_path / "stranger"), "-n", "127.0.0.1")
    ssh_home.known_hosts(trusting(keygen(tmp_path / "authority"), "127.0.0.1"))
    ssh_home.install(server.client_key)

    with pytest.raises(HostKeyError, match=r"cannot trust lb1@"):
        await whoami(_host(port=server.port))


@pytest.mark.parametrize("options", [["-n", "127.0.0.1"], ["-n", "127.0.0.1", "-V", "20200101:20200201"]])
@pytest.mark.parametrize("issuer", ["stranger", "authority"])
async def test_a_known_key_counts_whatever_certificate_is_shown_with_it(
    new_sshd: NewSshd, ssh_home: SshHome, tmp_path: Path, issuer: str, options: list[str]
) -> None:
    """A certificate that does not hold is as none, and the key itself is known: so it is for ssh(1)."""
    authorities = {name: keygen(tmp_path / name) for name in ("stranger", "authority")}
    server = with_certificate(new_sshd(), authorities[issuer], *options)
    ssh_home.known_hosts(trusting(authorities["authority"], "*"), server.known())
    ssh_home.install(server.client_key)

    assert await whoami(_host(port=server.port)) == f"{server.user} 127.0.0.1 {server.port}"


@pytest.fixture
def by_certificate(new_sshd: NewSshd, ssh_home: SshHome, tmp_path: Path) -> tuple[Sshd, Path, Path]:
    """An sshd that lets in whom an authority has signed, that authority, and a key without a certificate."""
    authority, key = keygen(tmp_path / "authority"), keygen(tmp_path / "key")
    server = new_sshd(TrustedUserCAKeys=f"{authority}.pub")
    ssh_home.known_hosts(server.known())
    return server, authority, key


def moved(path: str, to: Path) -> None:
    Path(path).rename(to)


async def test_a_user_certificate_under_another_name(
    by_certificate: tuple[Sshd, Path, Path], ssh_home: SshHome, tmp_path: Path
) -> None:
    server, authority, key = by_certificate
    sign(authority, key, server.user)
    moved(f"{key}-cert.pub", tmp_path / "issued-today.pub")
    ssh_home.config(f"IdentityFile {key}\nCertificateFile {tmp_path}/issued-today.pub\n")

    assert await whoami(_host(port=server.port)) == f"{server.user} 127.0.0.1 {server.port}"


async def test_a_user_certificate_in_the_agent(
    by_certificate: tuple[Sshd, Path, Path], agent: Agent, ssh_home: SshHome, tmp_path: Path
) -> None:
    server, authority, key = by_certificate
    sign(authority, key, server.user)
    agent.add(key)  # ssh-add takes the certificate beside it along
    for suffix in ("", ".pub", "-cert.pub"):
        moved(f"{key}{suffix}", tmp_path / f"away{suffix}")

    assert await whoami(_host(port=server.port)) == f"{server.user} 127.0.0.1 {server.port}"


async def test_a_key_in_the_agent_and_its_certificate_in_a_file(
    by_certificate: tuple[Sshd, Path, Path], agent: Agent, ssh_home: SshHome
) -> None:
    server, authority, key = by_certificate
    agent.add(key)
    sign(authority, key, server.user)
    key.unlink()
    ssh_home.config(f"IdentityFile {key}\nIdentitiesOnly yes\nCertificateFile {key}-cert.pub\n")

    assert await whoami(_host(port=server.port)) == f"{server.user} 127.0.0.1 {server.port}"


async def test_an_expired_user_certificate_is_said(by_certificate: tuple[Sshd, Path, Path], ssh_home: SshHome) -> None:
    server, authority, key = by_certificate
    sign(authority, key, server.user, "-V", "20200101:20200201")
    ssh_home.config(f"IdentityFile {key}\n")

    with pytest.raises(UnreachableError, match=rf"login as {server.user} was refused; tried .*certificate.*expired"):
        await whoami(_host(port=server.port))


# -- the agent --------------------------------------------------------------------------------------


async def test_identities_only_picks_the_one_key_of_a_full_agent(
    new_sshd: NewSshd, ssh_home: SshHome, agent: Agent, tmp_path: Path
) -> None:
    server = new_sshd(MaxAuthTries="1")
    ssh_home.known_hosts(server.known())
    for name in ("one", "two", "three"):
        agent.add(keygen(tmp_path / name))
    agent.add(server.client_key)
    public = ssh_home.install(Path(f"{server.client_key}.pub"), "right.pub")
    with pytest.raises(UnreachableError, match="Too many authentication failures"):
        await whoami(_host(port=server.port))

    ssh_home.config(f"IdentityFile {public}\nIdentitiesOnly yes\n")
    assert await whoami(_host(port=server.port)) == f"{server.user} 127.0.0.1 {server.port}"

    ssh_home.config(f"IdentityAgent {agent.socket}\nIdentityFile {public}\nIdentitiesOnly yes\n")
    assert await whoami(_host(port=server.port)) == f"{server.user} 127.0.0.1 {server.port}"


# -- ssh_config -------------------------------------------------------------------------------------


def as_ssh_says(config: Path, host: str) -> dict[str, str]:
    """What ssh(1) itself makes of a config."""
    done = subprocess.run(["ssh", "-F", str(config), "-G", host], check=True, capture_output=True, text=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def same_as_ssh(home: SshHome, names: list[str]) -> list[tuple[str, int, str]]:
    """Where to and as whom, for each name; the same as ssh(1) says."""
    found = []
    for name in names:
        said = as_ssh_says(home.folder / "config", name)
        target = resolve(Host(name="lb1", address=name), config_files([home.folder / "config"]))
        mine = (target.host, target.port, target.user)
        assert mine == (said["hostname"], int(said["port"]), said["user"]), name
        assert (target.jump or "none") == said.get("proxyjump", "none"), name
        found.append(mine)
    return found


def test_match_and_host_hold_as_in_ssh(ssh_home: SshHome) -> None:
    ssh_home.config(
        "Host lb?.example.org !lb9.example.org\n  Port 2201\n"
        "Match originalhost lb1,lb2\n  HostName %h.example.org\n  User first\n"
        "Match host lb*.example.org,!lb2.example.org user first\n  Port 2202\n"
        'Match host lb2.example.org exec "test %h:%n = lb2.example.org:lb2"\n  Port 2203\n'
        "Match originalhost lb3 exec \"test -n '%n' && test %p = 22\"\n  Port 2204\n"
        "Match !originalhost lb1 localuser *\n  User second\n"
        "Match localuser nobody-at-all\n  Port 1\n"
        "Host lb9*\n  ProxyJump none\n"
        "Host lb* \n  ProxyJump bastion\n"
        "Host *\n  Port 2299\n  User last\n"
    )

    found = same_as_ssh(ssh_home, ["lb1", "lb2", "lb3", "lb1.example.org", "lb9.example.org", "elsewhere"])

    assert found[:3] == [
        ("lb1.example.org", 2202, "first"),
        ("lb2.example.org", 2203, "first"),
        ("lb3", 2204, "second"),
    ]


def test_include_holds_as_in_ssh(ssh_home: SshHome, tmp_path: Path) -> None:
    more = ssh_home.folder / "conf.d"
    more.mkdir()
    # made in this order, which is that of a directory, as little as its reverse; ssh takes them by name
    for number in (50, 10, 90, 30, 20, 70):
        (more / f"{number}.conf").write_text(f"Host many\n  Port {2200 + number}\n")
    (more / "nested").write_text(f"Host deep\n  Include {tmp_path}/deeper\n  User nested\n")
    (tmp_path / "deeper").write_text("Port 2222\nHost other\n  User wrong\n")
    (tmp_path / "only lb1").write_text("Port 2233\n")
    ssh_home.config(
        f'Include {more}/*.conf {more}/nested {tmp_path}/absent*\nHost lb1\n  Include "{tmp_path}/only lb1"\n'
        "Host *\n  Port 2244\n  User all\n"
    )

    found = same_as_ssh(ssh_home, ["many", "deep", "lb1", "other"])

    assert found == [("many", 2210, "all"), ("deep", 2222, "nested"), ("lb1", 2233, "all"), ("other", 2244, "all")]


async def test_a_relative_include_is_in_the_users_folder(new_sshd: NewSshd, ssh_home: SshHome) -> None:
    server = new_sshd()
    ssh_home.known_hosts(server.known())
    (ssh_home.folder / "conf.d").mkdir()
    (ssh_home.folder / "conf.d" / "site").write_text(block("lb1-alias", server))
    ssh_home.config("Include conf.d/*\nHost *\n  Port 1\n")

    assert await whoami(_host("lb1-alias")) == f"{server.user} 127.0.0.1 {server.port}"


# -- addresses --------------------------------------------------------------------------------------


async def test_an_address_family_of_ssh_config(new_sshd: NewSshd, ssh_home: SshHome) -> None:
    server = new_sshd()
    ssh_home.known_hosts(server.known())
    ssh_home.config(f"AddressFamily inet\nIdentityFile {server.client_key}\n")
    assert await whoami(_host(port=server.port)) == f"{server.user} 127.0.0.1 {server.port}"

    ssh_home.config(f"AddressFamily inet6\nIdentityFile {server.client_key}\n")
    with pytest.raises(UnreachableError, match=r"cannot reach lb1@127\.0\.0\.1:\d+: name not found"):
        await whoami(_host(port=server.port))
