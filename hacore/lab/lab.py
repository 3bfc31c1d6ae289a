"""The lab: all twins and bystanders of a stack, together on one network."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hacore.disk import replace_file
from hacore.errors import LabError
from hacore.lab import image
from hacore.lab.bystanders import Bystanders
from hacore.lab.cgroups import Cgroups
from hacore.lab.model import LabSpec, Names, check_name
from hacore.lab.mounts import mounts_below, unmount
from hacore.lab.network import Network
from hacore.lab.sshfiles import SYSTEM, SshFiles
from hacore.lab.system import (
    Process,
    attempt,
    check_prerequisites,
    kill_all,
    locked,
    readable,
)
from hacore.lab.twin import Machine

HOME = Path("/var/lib/hacore/lab")
"""The folder of labs, each in a folder of its name."""

_MADE = "made"
"""A file in the folder of a lab that was up: its twins have disks to keep."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class LabInfo:
    """A lab of this machine: its running processes, and all its addresses; `twins`: by name, whether it is on."""

    name: str
    root: Path
    alive: bool
    pids: tuple[int, ...]
    addresses: tuple[str, ...]
    twins: Mapping[str, bool] = field(default_factory=dict)


class Lab:
    """The twins of a stack's hosts on this machine.

    The folder `root` and the names derived from it are all that identifies a lab, so any process can
    take over any lab, also one of which the creator was killed.
    """

    def __init__(self, spec: LabSpec, *, root: Path | None = None, say: Say = lambda _: None) -> None:
        self.spec = spec
        self.root = (root or HOME / spec.stack).absolute()
        self.names = Names.of(self.root)
        self._say = say
        self._network = Network(self.names, spec.addresses(), spec.reserved)
        self._cgroups = Cgroups(self.names.digest)
        self._ssh = SshFiles(self.root)
        self._bystanders = Bystanders(spec.bystanders, self.root / "bystanders", self._network, self._cgroups)
        self._machines = {
            twin.name: Machine(twin, index, self.root / "twins" / twin.name, self._network, self._cgroups, self._ssh)
            for index, twin in enumerate(spec.twins)
        }
        if len(self._machines) != len(spec.twins):
            raise LabError(f"cannot create lab {spec.stack}: two twins have the same name")

    @classmethod
    def named(cls, name: str, *, say: Say = lambda _: None) -> Lab:
        """The lab in the folder of this name, to destroy a lab that is no longer in a stack."""
        path = HOME / check_name(name) / "lab.json"
        if not path.exists():
            raise LabError(f"cannot find lab {name}: {path} does not exist; `hacore lab list` shows all labs")
        return cls(LabSpec.loads(path.read_text()), root=path.parent, say=say)

    @staticmethod
    def list_labs() -> list[LabInfo]:
        """All labs of this machine, running or not."""
        found = []
        for path in sorted(HOME.glob("*/lab.json")):
            lab = Lab.named(path.parent.name)
            processes = [p for p in map(Process.read, path.parent.glob("*/*/process")) if p is not None and p.alive()]
            pids = tuple(sorted(p.pid for p in processes))
            twins = {name: machine.running() for name, machine in lab._machines.items()}
            found.append(LabInfo(path.parent.name, path.parent, bool(pids), pids, lab.spec.addresses(), twins))
        return found

    @property
    def ssh_config(self) -> Path:
        """An ssh config for `ssh -F` with the twins by name and address."""
        return self._ssh.config

    @property
    def known_hosts(self) -> Path:
        """The twins' host keys."""
        return self._ssh.known_hosts

    @property
    def key(self) -> Path:
        """The private key for root on every twin."""
        return self._ssh.key

    @property
    def state_url(self) -> str:
        """The state of the stack in this lab, separate from the state of the real hosts."""
        return f"sqlite:///{self.root / 'state.db'}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `exec` adds to the environment."""
        return {
            "HACORE_LAB": self.spec.stack,
            "HACORE_STATE": self.state_url,
            "HACORE_SSH_CONFIG": str(self.ssh_config),
        }

    def rootfs(self, name: str) -> Path:
        """A twin's current file system, as seen from this machine."""
        return self._machine(name).rootfs

    def console(self, name: str) -> Path:
        """The log of a twin's console."""
        return self._machine(name).console

    def processes(self) -> dict[str, int]:
        """The pids of the running twins, by name."""
        found = {name: machine.process for name, machine in self._machines.items()}
        return {name: process.pid for name, process in found.items() if process is not None and process.alive()}

    def running(self) -> bool:
        """Whether the network, every twin and every bystander are up."""
        if not self._network.exists() or not (self.root / "lab.json").exists():
            return False
        return all(m.running() for m in self._machines.values()) and self._bystanders.running()

    def up(self) -> tuple[str, ...]:
        """Bring the lab up, in about three seconds once the image is built.

        A lab that was up before keeps the disks of its twins and its state: what is off is started again, also after a
        restart of the machine. Returns the names of the twins that were off in such a lab. What a killed `up` left is
        removed first. Raises LabError for a lab that is up, or that was made with other twins or addresses.
        """
        missing = check_prerequisites()
        if missing:
            raise LabError(f"cannot bring up lab {self.spec.stack}: this machine lacks {', '.join(missing)}")
        self._made()  # of the same spec
        if self.running():
            raise LabError(f"cannot bring up lab {self.spec.stack}: it is already up")
        with readable():
            images = {system: image.ensure(system, self._say) for system in {t.os for t in self.spec.twins}}
        with readable(), locked(HOME):
            if self._made():
                return self._again()
            self._down()
            try:
                self._up(images)
            except BaseException:
                self._down()
                raise
        return ()

    def _made(self) -> bool:
        """Whether the lab was up before. Raises LabError if it was made for another spec."""
        if not (self.root / _MADE).exists():
            return False
        try:
            known = LabSpec.loads((self.root / "lab.json").read_text())
        except (OSError, LabError):
            return False
        if known != self.spec:
            raise LabError(
                f"cannot bring up lab {self.spec.stack}: it has other hosts, addresses or systems than the stack now; "
                f"`hacore lab down {self.spec.stack}` deletes it, with the disks of its twins"
            )
        return True

    def _again(self) -> tuple[str, ...]:
        """Start what is off, and leave the rest as it is."""
        off = [machine for machine in self._machines.values() if not machine.running()]
        if not self._network.exists():
            self._network.down()  # what a restart of the machine left of it
            self._network.up()
        self._bystanders.start()
        self._boot(off)
        for machine in off:
            self._say(f"twin {machine.twin.name} is up again at {machine.twin.address}")
        return tuple(machine.twin.name for machine in off)

    def _up(self, images: Mapping[str, Path]) -> None:
        self.root.mkdir(parents=True)
        self.root.chmod(0o700)
        replace_file(self.root / "lab.json", self.spec.dumps().encode())
        self._network.up()
        keys = {name: machine.make_identity() for name, machine in self._machines.items()}
        self._ssh.make(self.spec.twins, keys)
        self._bystanders.start()
        for machine in self._machines.values():
            machine.install(images[machine.twin.os])
            machine.start()
        for machine in self._machines.values():
            machine.ready()
            self._say(f"twin {machine.twin.name} is up at {machine.twin.address}")
        (self.root / _MADE).touch()

    def down(self) -> None:
        """Destroy the lab without a trace: whole, incomplete or crashed."""
        with locked(HOME):
            self._down()
            for folder in (HOME, HOME.parent):
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()

    def _down(self) -> None:
        kill_all(p for p in map(Process.read, self.root.glob("*/*/process")) if p is not None)
        for machine in self._machines.values():
            machine.crash()
        self._cgroups.clear()
        self._network.down()
        if mounts_below(self.root):
            unmount(self.root)
        if self.root.exists():
            shutil.rmtree(self.root)

    def crash(self, name: str) -> None:
        """Cut a twin's power."""
        self._machine(name).crash()

    def stop(self, name: str) -> None:
        """Shut a twin down in order."""
        self._machine(name).stop()

    def boot(self, name: str) -> None:
        """Boot a twin that is off, and wait for it."""
        self._boot([self._machine(name)])

    def reset(self, *names: str) -> None:
        """Reinstall twins (default: all) with the bare image and the same identity, in a few seconds."""
        machines = [self._machine(name) for name in names or self._machines]
        with readable():
            for machine in machines:
                machine.crash()
                machine.reinstall()
        self._boot(machines)

    def save(self, label: str) -> None:
        """Save all twins' disks under a name; the twins are shut down and booted again."""
        for machine in self._machines.values():
            machine.stop()
            machine.save(label)
        self._boot(self._machines.values())

    def restore(self, label: str) -> None:
        """Restore all twins' disks from the saved ones, and boot the twins."""
        for machine in self._machines.values():
            machine.restore(label)
        self._boot(self._machines.values())

    @staticmethod
    def _boot(machines: Collection[Machine]) -> None:
        for machine in machines:
            machine.start()
        for machine in machines:
            machine.ready()

    def command(self, argv: Sequence[str]) -> list[str]:
        """The argv that runs `argv` in the lab's network, where plain ssh knows the twins."""
        return self._placed(["env", *(f"{key}={value}" for key, value in self.environment.items()), *argv])

    def _placed(self, argv: Sequence[str]) -> list[str]:
        # A mount namespace of its own, so that the lab's ssh settings hold for this command only. On a machine without
        # /etc/ssh there is nothing to cover: HACORE_SSH_CONFIG still names them.
        cover = 'test ! -d "$2" || mount --bind "$1" "$2" || exit 125; shift 2; exec "$@"'
        shell = ["sh", "-c", cover, "lab", str(self._ssh.system), str(SYSTEM)]
        return self._network.inside(["unshare", "--mount", *shell, *argv])

    def exec(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Run a program in the lab's network with our input and output; its exit code (128+n for signal n)."""
        if not self._network.exists():
            raise LabError(f"cannot run in lab {self.spec.stack}: it is not up; `hacore lab up` starts it")
        # Not through `env` as in `command`: the caller's variables may be secrets, and argv is readable by everyone.
        environment = {**os.environ, **self.environment, **(env or {})}
        with subprocess.Popen(self._placed(argv), env=environment) as child:
            while True:
                try:
                    code = child.wait()
                    return code if code >= 0 else 128 - code
                except KeyboardInterrupt:
                    continue  # the terminal sent it to the child too, which decides how it ends

    def ssh(self, name: str, script: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root on a twin, over ssh; `timeout` in seconds."""
        twin = self._machine(name).twin
        return attempt(self._network.inside([*self._ssh.command(twin.address), script]), timeout=timeout)

    def _machine(self, name: str) -> Machine:
        if name not in self._machines:
            raise LabError(f"cannot find twin {name}: the lab has {', '.join(self._machines)}")
        return self._machines[name]


__all__ = ["Lab", "LabInfo"]
