"""One twin: an overlay on the image as its disk, systemd-nspawn as its power supply."""

from __future__ import annotations

import shutil
import signal
import uuid
from pathlib import Path

from hacore.disk import replace_file
from hacore.errors import LabError
from hacore.lab.cgroups import Cgroups
from hacore.lab.image import resolv_conf
from hacore.lab.model import Names, Twin
from hacore.lab.mounts import unmount
from hacore.lab.network import Network
from hacore.lab.sshfiles import SshFiles, keygen
from hacore.lab.system import Process, attempt, kill_all, run, spawn, tail, wait_until

BOOT_WITHIN = 90
"""Seconds until the sshd of a twin must answer and its services must be up; usually about two."""
STOP_WITHIN = 30
"""Seconds for an orderly shutdown before the power is cut."""

# systemd reports "running" or "degraded" when its start jobs are done; elsewhere sshd, started last, is the sign.
_READY = "if test -d /run/systemd/system; then systemctl is-system-running --wait; else echo running; fi"

_UNIT = """[Unit]
Description=This host's address
DefaultDependencies=no
After=systemd-modules-load.service local-fs.target
Before=network.target network-online.target network-pre.target shutdown.target
Wants=network.target network-pre.target network-online.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
{lines}

[Install]
WantedBy=multi-user.target
WantedBy=network-online.target
"""

_SCRIPT = """#!/bin/sh
# This host's address.
{lines}
"""


# $1 its port, $2 the bridge, then systemd-nspawn, which ends with 133 when the twin reboots (systemd.exec(5) names such
# codes; systemd-nspawn@.service restarts for it). SIGTERM is an orderly shutdown.
_POWER = """
port=$1 bridge=$2; shift 2
child=; trap 'kill -TERM "$child"' TERM
while :; do
  setpriv --pdeathsig KILL "$@" & child=$!  # the twin does not outlive its power supply
  (n=0; until ip link set "$port" master "$bridge" up 2>/dev/null || [ "$n" -ge 300 ]; do
    n=$((n + 1)); sleep 0.05
  done) &
  while :; do rc=0; wait "$child" || rc=$?; kill -0 "$child" 2>/dev/null || break; done
  [ "$rc" -eq 133 ] || exit "$rc"
  ip link delete "$port" 2>/dev/null
done
"""


class Machine:
    """A twin as a machine that can be installed, booted, stopped, crashed and wiped."""

    def __init__(self, twin: Twin, index: int, home: Path, network: Network, cgroups: Cgroups, ssh: SshFiles) -> None:
        self.twin = twin
        self.home = home
        self.rootfs = home / "rootfs"
        self.console = home / "console.log"
        self._names: Names = network.names
        self._port = network.names.twin_port(index)
        self._id = network.names.machine(index)
        self._network = network
        self._cgroups = cgroups
        self._ssh = ssh
        self._record = home / "process"
        self._identity = home / "identity"

    @property
    def process(self) -> Process | None:
        """The power supply that runs it, or ran it last."""
        return Process.read(self._record)

    def running(self) -> bool:
        """Whether its power is on."""
        process = self.process
        return process is not None and process.alive()

    def make_identity(self) -> str:
        """Create a machine-id and a host key for the lab's lifetime; returns the public key."""
        self._identity.mkdir(parents=True, exist_ok=True)
        key = self._identity / "ssh_host_ed25519_key"
        if not key.exists():
            keygen(key, f"root@{self.twin.name}")
            (self._identity / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        return key.with_name(key.name + ".pub").read_text()

    def install(self, image: Path) -> None:
        """Install a bare system: an empty layer on the image, and this host's own files."""
        self.rootfs.mkdir(parents=True, exist_ok=True)
        self._clear()
        self._stack(image)
        self._mount()
        self._personalise()

    def _mount(self) -> None:
        if self.rootfs.is_mount():
            return
        # Volatile: no fsync reaches the disk, so packages install several times faster. A power cut of a twin loses
        # nothing, because the page cache is the machine's. The marker of it must be removed before a remount.
        shutil.rmtree(self.home / "work" / "work" / "incompat", ignore_errors=True)
        below = ":".join(map(str, self._layers()))
        where = f"lowerdir={below},upperdir={self.home / 'upper'},workdir={self.home / 'work'}"
        mount = ["mount", "-t", "overlay", self._id, str(self.rootfs), "-o"]
        if attempt([*mount, f"{where},volatile"]).returncode != 0:
            run([*mount, where], f"mount the disk of twin {self.twin.name}")

    def _personalise(self) -> None:
        root, twin, hostname = self.rootfs, self.twin, self.twin.name.replace("_", "-")
        self._put("etc/hostname", f"{hostname}\n")
        self._put("etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n")
        self._put("etc/machine-id", (self._identity / "machine-id").read_text(), 0o444)
        self._put("etc/resolv.conf", resolv_conf())
        key = self._identity / "ssh_host_ed25519_key"
        self._put("etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600)
        self._put("etc/ssh/ssh_host_ed25519_key.pub", key.with_name(key.name + ".pub").read_text())
        (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
        public = self._ssh.key.with_name(self._ssh.key.name + ".pub")
        self._put("root/.ssh/authorized_keys", public.read_text(), 0o600)
        # Set once, without a network manager that would remove addresses of keepalived.
        commands = [
            "ip link set lo up",
            f"ip address replace {twin.address}/{self._network.subnet.prefixlen} dev {twin.interface}",
            f"ip link set {twin.interface} up",
            f"ip route replace default via {self._network.gateway}",
        ]
        if twin.os == "sysvinit":
            self._put("usr/sbin/host-address", _SCRIPT.format(lines="\n".join(commands)), 0o755)
            # Through inittab: links in rcS.d have no effect until insserv has computed its order anew. And without
            # getty, which would be restarted endlessly for lack of a terminal.
            table = [line for line in (root / "etc/inittab").read_text().splitlines() if "getty" not in line]
            self._put("etc/inittab", "\n".join([*table, "ha::sysinit:/usr/sbin/host-address", ""]))
        else:
            lines = "\n".join(f"ExecStart=/usr/sbin/{c}" for c in commands)
            self._put("etc/systemd/system/host-address.service", _UNIT.format(lines=lines))
            for target in ("multi-user.target", "network-online.target"):
                self._link(f"etc/systemd/system/{target}.wants/host-address.service", "../host-address.service")

    def _put(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.rootfs / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def _link(self, name: str, to: str) -> None:
        path = self.rootfs / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(to)

    def start(self) -> None:
        """Boot it; `ready` waits for it."""
        if self.running():
            raise LabError(f"cannot boot twin {self.twin.name}: it is already running")
        if not self.rootfs.is_mount():
            self._mount()
        self._off()
        argv = [
            "systemd-nspawn", "--quiet", f"--directory={self.rootfs}", f"--machine={self._id}",
            f"--hostname={self.twin.name.replace('_', '-')}", "--boot", "--keep-unit", "--register=no",
            "--setenv=HACORE_TWIN=1",  # permits drills that no real host is put through
            "--private-users=no", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
            f"--network-veth-extra={self._port}:{self.twin.interface}",
            # The host's own machine-id, not one that the machine assigns.
            f"--uuid={uuid.UUID((self._identity / 'machine-id').read_text().strip())}",
        ]  # fmt: skip
        supply = ["sh", "-c", _POWER, "power", self._port, self._names.bridge, *argv]
        process = spawn(
            self._network.inside(supply), record=self._record, log=self.console, cgroups=self._cgroups.make(self._id)
        )
        if not self._network.attach(self._port):
            self._fail("its network port did not appear", process)

    def ready(self) -> None:
        """Wait until its sshd answers and its services are up."""
        process = self.process
        assert process is not None
        argv = [*self._ssh.command(self.twin.address), _READY]
        state = ""

        def answered() -> bool:
            nonlocal state
            if not process.alive():
                self._fail("its init ended", process)
            done = attempt(self._network.inside(argv), timeout=BOOT_WITHIN)
            state = done.stdout.strip() or done.stderr.strip()
            return done.stdout.strip() in ("running", "degraded")

        if not wait_until(answered, BOOT_WITHIN, 0.1):
            self._fail(f"it did not answer within {BOOT_WITHIN}s ({state})", process)

    def _fail(self, why: str, process: Process) -> None:
        state = "" if process.alive() else ", systemd-nspawn has ended"
        raise LabError(f"cannot boot twin {self.twin.name}: {why}{state}; its console shows:\n{tail(self.console)}")

    def stop(self) -> None:
        """Shut it down; its power is cut if that takes too long."""
        process = self.process
        if process is not None and process.alive():
            if self.twin.os == "sysvinit":  # it does not power off at the signal of systemd
                attempt(self._network.inside([*self._ssh.command(self.twin.address), "poweroff"]))
            else:
                process.signal(signal.SIGTERM)
            wait_until(lambda: not process.alive(), STOP_WITHIN)
        self.crash()

    def crash(self) -> None:
        """Cut its power, without a shutdown."""
        process = self.process
        if process is not None:
            kill_all([process])
        self._off()

    def _off(self) -> None:
        """Remove from the machine the remains of a killed systemd-nspawn."""
        self._cgroups.clear(self._id)
        self._network.detach(self._port)
        for kind in ("propagate", "unix-export"):
            folder = Path("/run/systemd/nspawn") / kind / self._id
            unmount(folder)
            shutil.rmtree(folder, ignore_errors=True)
        if self.rootfs.is_mount():
            disk = self.rootfs.stat()
            (Path("/run/systemd/nspawn/locks") / f"inode-{disk.st_dev}:{disk.st_ino}").unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def reinstall(self) -> None:
        """Install it again from the same image. It must be off."""
        unmount(self.rootfs)
        self.install(self._layers()[-1])

    def save(self, label: str) -> None:
        """Save the disk under a name: all writes so far become a lower layer. It must be off."""
        kept = self.home / "saved" / label
        if kept.exists():
            raise LabError(f"cannot save twin {self.twin.name}: {label!r} exists already, and disks may depend on it")
        unmount(self.rootfs)  # otherwise writes in the overlay's cache would be missing
        kept.mkdir(parents=True)
        (self.home / "upper").rename(kept / "layer")
        self._stack(kept / "layer", *self._layers())
        (kept / "layers").write_text((self.home / "layers").read_text())
        self._clear()

    def restore(self, label: str) -> None:
        """Cut its power, and restore the saved disk."""
        layers = self.home / "saved" / label / "layers"
        if not layers.exists():
            raise LabError(f"cannot restore twin {self.twin.name}: {label!r} does not exist")
        self.crash()
        unmount(self.rootfs)
        replace_file(self.home / "layers", layers.read_bytes())
        self._clear()

    def _clear(self) -> None:
        """Put an empty layer on top, for all further writes."""
        for folder in (self.home / "upper", self.home / "work"):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir()

    def _stack(self, *layers: Path) -> None:
        replace_file(self.home / "layers", "".join(f"{layer}\n" for layer in layers).encode())

    def _layers(self) -> list[Path]:
        """The layers below the writable one, the image last."""
        return [Path(line) for line in (self.home / "layers").read_text().splitlines()]
