"""A real sshd of our own on a loopback port, and an SSH home to go with it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PROGRAM = "/usr/sbin/sshd"
PATIENCE = 10.0


def keygen(path: Path, *options: str) -> Path:
    """A key pair without a passphrase (unless `options` say else); its private file."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-C", "test", "-f", str(path)]
    subprocess.run([*argv, *(options or ("-N", ""))], check=True, stdin=subprocess.DEVNULL)
    return path


def free_port() -> int:
    """A TCP port nobody listens on, on both loopback addresses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def sign(authority: Path, key: Path, user: str, *options: str) -> None:
    """Make a user certificate for `key`, beside it."""
    argv = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", user, *options, f"{key}.pub"]
    subprocess.run(argv, check=True, capture_output=True)


def read(path: Path) -> str:
    """The text of a file; empty when it is not there."""
    return path.read_text() if path.exists() else ""


async def appears(path: Path) -> str:
    """The text of a file that somebody else writes, a line long at least."""
    async with asyncio.timeout(PATIENCE):
        while not read(path).endswith("\n"):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    return read(path)


def runs(pid: int) -> bool:
    """Whether a process is there, and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    async with asyncio.timeout(PATIENCE):
        while runs(pid):  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.01)


@dataclass
class Sshd:
    """One sshd: started by `start`, stopped by `stop`; what it logs can be counted."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str:
        return getpass.getuser()

    @property
    def host_key(self) -> Path:
        return self.folder / "host_key"

    @property
    def client_key(self) -> Path:
        return self.folder / "id_client"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def settings(self) -> dict[str, str]:
        """What its sshd_config says."""
        return {
            "Port": str(self.port),
            "HostKey": str(self.host_key),
            "PidFile": "none",
            "AuthorizedKeysFile": str(self.folder / "authorized_keys"),
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "StrictModes": "no",
            "UsePAM": "no",
            "UseDNS": "no",
            "AcceptEnv": "LANG LC_*",
            "LogLevel": "VERBOSE",
            "SetEnv": "SHLVL=3",  # bash then leaves the .bashrc of whoever runs the tests alone
            **self.extra,
        }

    def prefix(self) -> list[str]:
        """What it is started by."""
        return []

    def start(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        if not self.host_key.exists():
            keygen(self.host_key)
            keygen(self.client_key)
            self.authorize(self.client_key)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's empty folder for privilege separation
        lines = [f"{key} {value}" for key, value in self.settings.items()]
        lines += ["ListenAddress 127.0.0.1", "ListenAddress ::1"]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        argv = [*self.prefix(), PROGRAM, "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self.folder / "log")]
        self.process = subprocess.Popen(argv)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                if probe.recv(4) == b"SSH-":
                    return self
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"sshd does not start: {self.log}")

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process = None

    def cut(self, number: int = signal.SIGKILL) -> int:
        """Kill what serves the connections that stand, as a network that breaks would; how many it were.

        With SIGSTOP they fall silent instead.
        """
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), number)
        return len(children)

    def restart(self) -> None:
        """Down, with all connections, and up again."""
        self.down()
        self.start()

    def down(self) -> None:
        """Gone, with all connections. Held first, so that nobody comes back in between."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        self.cut()
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process = None

    def authorize(self, *keys: Path) -> None:
        """Let in exactly the owners of these keys."""
        texts = [Path(f"{key}.pub").read_text() for key in keys]
        (self.folder / "authorized_keys").write_text("".join(texts))

    def logins(self) -> int:
        return self.log.count("Accepted publickey")

    def execs(self) -> int:
        return self.log.count("Starting session: command")

    def known(self, host: str = "127.0.0.1", key: Path | None = None) -> str:
        """The line of known_hosts that trusts this sshd."""
        kind, blob, *_ = Path(f"{key or self.host_key}.pub").read_text().split()
        return f"[{host}]:{self.port} {kind} {blob}\n"


@dataclass
class SshHome:
    """A home folder's .ssh."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / ".ssh"

    def known_hosts(self, *lines: str) -> None:
        (self.folder / "known_hosts").write_text("".join(lines))

    def hash_known_hosts(self) -> str:
        """Hide the names in known_hosts, as HashKnownHosts does; its new text."""
        known = self.folder / "known_hosts"
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
        return known.read_text()

    def config(self, text: str) -> Path:
        path = self.folder / "config"
        path.write_text(text)
        return path

    def install(self, key: Path, name: str = "id_ed25519") -> Path:
        """Put a key pair where ssh looks by itself."""
        for suffix in ("", ".pub"):
            if not Path(f"{key}{suffix}").exists():
                continue
            target = self.folder / f"{name}{suffix}"
            target.write_bytes(Path(f"{key}{suffix}").read_bytes())
            target.chmod(0o600)
        return self.folder / name


@dataclass
class Agent:
    """An ssh-agent of our own; its socket."""

    socket: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, path: Path) -> Agent:
        process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while not cls._listens(path) and time.monotonic() < end:
            time.sleep(0.01)
        return cls(path, process)

    @staticmethod
    def _listens(path: Path) -> bool:
        """Whether it takes connections: the socket is in its place a moment earlier than that."""
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(str(path))
            except OSError:
                return False
            return True

    def add(self, key: Path) -> None:
        environ = {**os.environ, "SSH_AUTH_SOCK": str(self.socket)}
        subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environ, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
