"""Hosts to plan: an sshd for each on a loopback port, with a host key and, as root, folders of its own."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SSHD = "/usr/sbin/sshd"
_FOLDERS = {"/run/hacore": "0700", "/var/lib/hacore": "0755"}
_PATIENCE = 10.0  # seconds until an sshd answers


@dataclass
class Sshds:
    """Several sshds under `folder`; a context manager. `home` is where a client finds its .ssh."""

    folder: Path
    count: int
    ports: list[int] = field(default_factory=list)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def __enter__(self) -> Sshds:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()

    def execs(self) -> list[int]:
        """The number of commands that each has run."""
        return [self._log(number).count("Starting session: command") for number in range(self.count)]

    def _log(self, number: int) -> str:
        return (self.folder / f"host{number}" / "log").read_text()

    def _start(self) -> None:
        ssh = self.home / ".ssh"
        ssh.mkdir(mode=0o700, parents=True)
        _keygen(ssh / "id_ed25519")
        if os.geteuid() == 0:
            for place in ("/run/sshd", *_FOLDERS):
                Path(place).mkdir(mode=0o755, parents=True, exist_ok=True)
        known = []
        for number in range(self.count):
            folder = self.folder / f"host{number}"
            folder.mkdir()
            _keygen(folder / "key")
            port = _free_port()
            self.ports.append(port)
            self._processes.append(subprocess.Popen(_command(folder, port, ssh / "id_ed25519.pub")))
            kind, blob, *_ = (folder / "key.pub").read_text().split()
            known.append(f"[127.0.0.1]:{port} {kind} {blob}\n")
        (ssh / "known_hosts").write_text("".join(known))
        for number, port in enumerate(self.ports):
            self._wait(number, port)

    def _wait(self, number: int, port: int) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self._processes[number].poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as probe:
                    if probe.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"bench: sshd does not start: {self._log(number)}")


def _command(folder: Path, port: int, client: Path) -> list[str]:
    """sshd in the foreground. All hosts are this machine, so each needs hacore's folders of its own."""
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "key",
        "PidFile": "none",
        "AuthorizedKeysFile": client,
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictModes": "no",
        "UsePAM": "no",
        "UseDNS": "no",
        "LogLevel": "VERBOSE",
        "SetEnv": f"SHLVL=3 XDG_STATE_HOME={folder}/state XDG_RUNTIME_DIR={folder}/run",  # SHLVL: no .bashrc
    }
    (folder / "run").mkdir(mode=0o700)
    config = folder / "sshd_config"
    config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    argv = [_SSHD, "-D", "-f", str(config), "-E", str(folder / "log")]
    return private(argv)


def private(argv: Sequence[str]) -> list[str]:
    """As root, a program with empty folders of hacore's that nobody else sees; other users have their own."""
    if os.geteuid() != 0:
        return list(argv)
    mounts = [f"mount -t tmpfs -o mode={mode} bench {folder}" for folder, mode in _FOLDERS.items()]
    script = " && ".join([*mounts, f"exec {shlex.join(argv)}"])
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


def _keygen(path: Path) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def user() -> str:
    """The user who logs in."""
    return getpass.getuser()
