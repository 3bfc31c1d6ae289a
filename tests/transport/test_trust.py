"""First contact: what a host shows is written down only after a yes, and a changed key never."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hacore.model import Host
from hacore.transport import Transport
from tests.transport.sshd import Sshd, SshHome, keygen

pytestmark = pytest.mark.machine

HACORE = [sys.executable, "-m", "hacore.cli"]


@dataclass
class Site:
    """A stack of one host, and hacore run on it as at a prompt."""

    folder: Path
    home: SshHome

    def config(self, text: str) -> None:
        """The ssh_config; names are not hashed, whatever the system's says."""
        self.home.config(f"HashKnownHosts no\n{text}")

    def write(self, server: Sshd, address: str = "127.0.0.1", user: str = "") -> None:
        user = user or server.user
        (self.folder / "stack.yaml").write_text(
            f"stack: site\nhosts:\n  lb1: {{address: '{address}', connection: {{port: {server.port}, user: {user}}}}}\n"
            "variables:\n  password: {type: string, sensitive: true}\n"  # has no value here
            'resources:\n  file:\n    it: {path: /nowhere/it, content: "{{ var.password }}"}\n'
        )

    def trust(self, *words: str, answer: str = "yes\n") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*HACORE, "trust", *(words or ("lb1",))],
            input=answer,
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def known(self) -> Path:
        return self.home.folder / "known_hosts"


@pytest.fixture
def site(ssh_home: SshHome, tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder, ssh_home)
    site.config("")
    return site


@pytest.fixture
def server(new_sshd: Callable[..., Sshd], ssh_home: SshHome) -> Sshd:
    """An sshd with a key of each type that nobody has met yet, open for this test's key."""
    server = new_sshd()
    server.stop()
    for kind, bits in (("ecdsa", "256"), ("rsa", "2048")):
        keygen(server.folder / kind, "-N", "", "-t", kind, "-b", bits)
    server.extra["HostKey"] = f"{server.host_key}\nHostKey {server.folder}/ecdsa\nHostKey {server.folder}/rsa"
    ssh_home.install(server.client_key)
    return server.start()


def subprocess_output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def fingerprints(server: Sshd) -> dict[str, str]:
    """By type, as ssh-keygen(1) says them."""
    files = {"ssh-ed25519": server.host_key, "ecdsa": server.folder / "ecdsa", "rsa": server.folder / "rsa"}
    said = {
        kind: subprocess.run(["ssh-keygen", "-lf", f"{file}.pub"], check=True, capture_output=True, text=True).stdout
        for kind, file in files.items()
    }
    return {kind: text.split()[1] for kind, text in said.items()}


async def reached(server: Sshd, address: str = "127.0.0.1") -> str:
    host = Host.model_validate(
        {"name": "lb1", "address": address, "connection": {"port": server.port, "user": server.user}}
    )
    async with Transport() as transport:
        return (await (await transport.session(host)).run("echo in")).text


def test_a_yes_writes_what_ssh_keyscan_would(site: Site, server: Sshd) -> None:
    site.write(server)
    done = site.trust()

    assert done.returncode == 0, done.stderr
    for fingerprint in fingerprints(server).values():
        assert fingerprint in done.stderr
    assert done.stdout == f"lb1@127.0.0.1:{server.port} is trusted now: 3 keys added to {site.known}.\n"
    assert stat.S_IMODE(site.known.stat().st_mode) == 0o600
    argv = ["ssh-keyscan", "-p", str(server.port), "-t", "ed25519,ecdsa,rsa", "127.0.0.1"]
    scanned = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert sorted(site.known.read_text().splitlines()) == sorted(scanned.splitlines())

    assert asyncio.run(reached(server)) == "in\n"
    ssh = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={site.known}", "-o", "BatchMode=yes", "-i"]
    argv = [*ssh, str(server.client_key), "-p", str(server.port), f"{server.user}@127.0.0.1", "echo plain ssh"]
    assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == "plain ssh\n"

    before = site.known.read_text()
    assert site.trust().stdout == "lb1 is already trusted.\n"
    assert site.known.read_text() == before


async def test_names_are_hashed_where_ssh_config_says_so(site: Site, server: Sshd) -> None:
    site.write(server)
    site.home.config("HashKnownHosts yes\n")
    assert site.trust().returncode == 0

    lines = site.known.read_text().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("|1|") for line in lines)
    assert len({line.split()[0] for line in lines}) == 3  # a salt for each
    found = subprocess_output("ssh-keygen", "-f", str(site.known), "-F", f"[127.0.0.1]:{server.port}")
    assert found.count("found: line") == 3
    assert await reached(server) == "in\n"


@pytest.mark.parametrize(("answer", "words"), [("no\n", "trust cancelled"), ("y\n", "trust cancelled"), ("", "closed")])
def test_without_a_yes_nothing_is_written(site: Site, server: Sshd, answer: str, words: str) -> None:
    site.write(server)
    done = site.trust(answer=answer)

    assert done.returncode == 1
    assert words in done.stderr
    assert not site.known.exists()


async def test_no_line_is_lost_and_none_is_glued_to_another(site: Site, server: Sshd) -> None:
    site.write(server)
    before = "# mine\nother.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\nno key at all"
    site.known.write_text(before)
    site.known.chmod(0o640)

    assert site.trust().returncode == 0
    assert site.known.read_text().startswith(before + "\n[127.0.0.1]:")
    assert stat.S_IMODE(site.known.stat().st_mode) == 0o640
    assert await reached(server) == "in\n"


async def test_the_file_is_the_one_that_ssh_config_names(site: Site, server: Sshd, tmp_path: Path) -> None:
    site.write(server)
    site.config(
        f"Host 127.0.0.1\n  HostKeyAlias the-pair\n  UserKnownHostsFile {tmp_path}/deep/%k.known ~/.ssh/known_hosts\n"
    )
    assert site.trust().returncode == 0

    file = tmp_path / "deep" / "the-pair.known"
    assert file.read_text().count(f"[the-pair]:{server.port} ") == 3
    assert not site.known.exists()
    assert await reached(server) == "in\n"


def test_where_ssh_config_names_no_file_it_says_so(site: Site, server: Sshd) -> None:
    site.write(server)
    for value in ("none", "/dev/null"):
        site.config(f"UserKnownHostsFile {value}\n")
        done = site.trust()
        assert done.returncode == 1
        assert "UserKnownHostsFile names no file" in done.stderr


def test_a_changed_key_is_refused_and_its_line_named(site: Site, server: Sshd, tmp_path: Path) -> None:
    site.write(server)
    old = keygen(tmp_path / "old")
    site.known.write_text(f"# a comment\n{server.known(key=old)}")
    before = site.known.read_text()
    done = site.trust()

    assert done.returncode == 1
    assert "its host key has changed" in done.stderr
    assert f"({site.known}:2)" in done.stderr
    assert f"ssh-keygen -f {site.known} -R '[127.0.0.1]:{server.port}', then hacore trust lb1" in done.stderr
    assert site.known.read_text() == before

    # what it says works
    argv = ["ssh-keygen", "-f", str(site.known), "-R", f"[127.0.0.1]:{server.port}"]
    subprocess.run(argv, check=True, capture_output=True)
    assert site.trust().returncode == 0


def test_a_revoked_key_is_refused_and_its_line_named(site: Site, server: Sshd) -> None:
    site.write(server)
    site.known.write_text(f"@revoked {server.known()}")
    done = site.trust()

    assert done.returncode == 1
    assert f"marked as revoked in {site.known}:1" in done.stderr
    assert site.known.read_text() == f"@revoked {server.known()}"


def test_another_key_at_port_22_is_another_machine(site: Site, server: Sshd, tmp_path: Path) -> None:
    """Port forwards: many machines behind one address."""
    site.write(server)
    other = keygen(tmp_path / "other")
    site.known.write_text(" ".join(["127.0.0.1", *Path(f"{other}.pub").read_text().split()[:2]]) + "\n")

    assert site.trust().returncode == 0
    assert asyncio.run(reached(server)) == "in\n"


async def test_a_fingerprint_takes_the_place_of_the_question(site: Site, server: Sshd) -> None:
    site.write(server)
    wrong = site.trust("lb1", "--fingerprint", "SHA256:AAAA", answer="")
    assert wrong.returncode == 1
    assert "none of its keys has this fingerprint; it presents" in wrong.stderr
    assert not site.known.exists()

    right = fingerprints(server)["ssh-ed25519"]
    done = site.trust("lb1", "--fingerprint", right, answer="")
    assert (done.returncode, "1 key added" in done.stdout) == (0, True)
    assert site.known.read_text() == server.known()
    assert await reached(server) == "in\n"


async def test_jump_hosts_are_met_first(site: Site, server: Sshd, new_sshd: Callable[..., Sshd]) -> None:
    jump = new_sshd()
    site.write(server, address="inner")
    site.config(
        f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.port}\n  IdentityFile {jump.client_key}\n"
        "Host inner\n  HostName 127.0.0.1\n  ProxyJump bastion\n"
    )
    done = site.trust(answer="yes\nyes\n")

    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(f"bastion@127.0.0.1:{jump.port} is trusted")
    assert second.startswith(f"lb1@127.0.0.1:{server.port} is trusted")
    assert await reached(server, "inner") == "in\n"


def test_a_login_that_fails_afterwards_is_a_warning(site: Site, server: Sshd) -> None:
    site.write(server, user="nobody-known")
    done = site.trust()

    assert done.returncode == 0
    assert "warning: the host is trusted now, but cannot reach lb1@" in done.stderr
    assert "login as nobody-known was refused" in done.stderr


def test_an_unknown_word_is_told_what_it_may_mean(site: Site, server: Sshd) -> None:
    site.write(server)
    done = site.trust("lb2")

    assert done.returncode == 64
    assert "cannot trust lb2: not a host of the stack; did you mean lb1?" in done.stderr


def test_a_file_that_cannot_be_written_is_named(site: Site, server: Sshd, tmp_path: Path) -> None:
    site.write(server)
    (tmp_path / "file").write_text("")
    site.config(f"UserKnownHostsFile {tmp_path}/file/known\n")
    done = site.trust()

    assert done.returncode == 1
    assert f"{tmp_path}/file/known cannot be written" in done.stderr


async def test_the_ssh_config_of_the_environment_is_the_only_one(
    site: Site, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HACORE_SSH_CONFIG is to hacore what -F is to ssh(1)."""
    (tmp_path / "known").write_text(server.known("the-lab"))
    site.config("Host *\n  Port 1\n  User nobody\n")
    config = tmp_path / "lab_config"
    config.write_text(
        f"Host the-lab\n  HostName 127.0.0.1\n  Port {server.port}\n  HostKeyAlias the-lab\n"
        f"  UserKnownHostsFile {tmp_path}/known\n  IdentityFile {server.client_key}\n"
    )
    monkeypatch.setenv("HACORE_SSH_CONFIG", str(config))
    host = Host(name="lb1", address="the-lab")
    async with Transport() as transport:
        assert (await (await transport.session(host)).run("echo in")).text == "in\n"

    config.unlink()
    async with Transport() as transport:
        with pytest.raises(Exception, match=rf"cannot reach lb1: ssh_config cannot be read: .*{config}"):
            await transport.session(host)
