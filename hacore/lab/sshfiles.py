"""The SSH files of a lab: one key for all twins, their host keys as known hosts, and a config that plain ssh reads."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hacore.lab.model import Twin
from hacore.lab.system import run

SYSTEM = Path("/etc/ssh")
"""The folder of this machine's SSH settings; `Lab.exec` mounts the lab's over it, for its command only."""


@dataclass(frozen=True)
class SshFiles:
    """The files, all in the lab's folder."""

    root: Path

    @property
    def key(self) -> Path:
        """The private key for root on every twin."""
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The twins' host keys, by address and by name."""
        return self.root / "known_hosts"

    @property
    def config(self) -> Path:
        """An ssh config for `ssh -F`."""
        return self.root / "ssh_config"

    @property
    def system(self) -> Path:
        """A stand-in for /etc/ssh: this machine's files with the lab's config before its own."""
        return self.root / "etc-ssh"

    def command(self, address: str) -> list[str]:
        """The beginning of the argv of a command on the twin with this address."""
        return ["ssh", "-F", str(self.config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", address]

    def make(self, twins: Sequence[Twin], host_keys: Mapping[str, str]) -> None:
        """Write all of them; `host_keys` has each twin's public host key."""
        if not self.key.exists():
            keygen(self.key, "hacore lab")
        lines = [f"{t.address},{t.name} {' '.join(host_keys[t.name].split()[:2])}\n" for t in twins]
        self.known_hosts.write_text("".join(lines))
        self.config.write_text(self._config(twins))
        self._stand_in()

    def _config(self, twins: Sequence[Twin]) -> str:
        text = "".join(f"Host {t.name}\n  HostName {t.address}\n" for t in twins)
        text += f"Host {' '.join(f'{t.name} {t.address}' for t in twins)}\n"
        settings = {
            "User": "root",
            "IdentityFile": f'"{self.key}"',
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": f'"{self.known_hosts}"',
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            # ssh's default, sntrup761, costs a tenth of a second of CPU, and a lab has no eavesdroppers
            "KexAlgorithms": "curve25519-sha256",
        }
        return text + "".join(f"  {key} {value}\n" for key, value in settings.items())

    def _stand_in(self) -> None:
        shutil.rmtree(self.system, ignore_errors=True)
        self.system.mkdir()
        if SYSTEM.is_dir():
            for path in SYSTEM.iterdir():
                if path.name.startswith("ssh_host_") or path.name == "ssh_config":
                    continue  # this machine's own keys stay private
                if path.is_dir():
                    shutil.copytree(path, self.system / path.name, symlinks=True)
                else:
                    shutil.copy2(path, self.system / path.name)
        original = SYSTEM / "ssh_config"
        rest = original.read_text() if original.exists() else ""
        (self.system / "ssh_config").write_text(f"{self.config.read_text()}\nMatch all\n{rest}")


def keygen(path: Path, comment: str) -> None:
    """Create a key pair without a passphrase."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in (path, path.with_name(path.name + ".pub")):
        old.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], "create an ssh key")
