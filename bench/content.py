"""A large file to hosts: what it costs the controller, beside a copy that ssh makes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hacore.lab import Lab, LabSpec, Twin

from .child import HACORE, Run, environment, run
from .sshd import Sshds, private
from .table import Line

GOAL = "< 300 MB"


def content(size: int, *, twins: bool = False) -> list[Line]:
    """A file of `size` MB to two hosts over SSH, then to this machine; with `twins` to two containers as well."""
    return to_sshds(size) + (to_twins(size) if twins else [])


def to_sshds(size: int) -> list[Line]:
    """Two sshds of this machine, and this machine without one."""
    with tempfile.TemporaryDirectory(prefix="hacore-bench-") as name, Sshds(Path(name), 2) as sshds:
        folder = Path(name)
        environ = environment(sshds.home)
        random_file(folder / "big", size)
        title = f"a source of {size} MB, sent once to each host"
        return [
            Line(title, what, done.wall, done.cpu, done.rss / 1e6, goal=goal)
            for what, done, goal in [
                ("ssh and cat to two hosts, one after the other", _ssh(folder, sshds, environ), ""),
                ("hacore apply, two hosts over SSH", apply(folder, over_ssh(folder, sshds), environ), GOAL),
                ("hacore apply, this machine", apply(folder, here(folder), environ), GOAL),
            ]
        ]


def to_twins(size: int) -> list[Line]:
    """Two containers with systemd and an sshd of their own. Needs root, and a minute."""
    if os.geteuid() != 0:
        raise SystemExit("bench: twins need root")
    twins = (Twin("h0", "192.168.77.10"), Twin("h1", "192.168.77.11"))
    with tempfile.TemporaryDirectory(prefix="hacore-bench-") as name:
        folder = Path(name)
        lab = Lab(LabSpec("bench-content", twins), root=folder / "lab")
        try:
            lab.up()
            random_file(folder / "big", size)
            hosts = "".join(f"  {twin.name}: {{address: {twin.address}}}\n" for twin in twins)
            resources = 'resources: {file: {big: {source: big, path: "/srv/big"}}}\n'
            (folder / "stack.yaml").write_text(f"stack: twins\nconnection: {{user: root}}\nhosts:\n{hosts}{resources}")
            done = run(lab.command([*HACORE, "apply", "--auto-approve", str(folder)]), environment())
            title = f"a source of {size} MB, sent once to each of two twins with systemd"
            return [Line(title, "hacore apply, two twins", done.wall, done.cpu, done.rss / 1e6, goal=GOAL)]
        finally:
            lab.down()


def random_file(path: Path, size: int) -> None:
    """A file of `size` MB that cannot be compressed."""
    with path.open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(1 << 20))


def over_ssh(folder: Path, sshds: Sshds) -> str:
    """A stack of all sshds."""
    hosts = "".join(
        f"  h{number}: {{address: 127.0.0.1, connection: {{port: {port}}}}}\n"
        for number, port in enumerate(sshds.ports)
    )
    return f"stack: sent\nhosts:\n{hosts}{_resources(folder, 'over-ssh-{{ host.name }}')}"


def here(folder: Path) -> str:
    """A stack of this machine."""
    host = "hosts: {here: {address: localhost, connection: {transport: local}}}\n"
    return f"stack: here\n{host}{_resources(folder, 'here')}"


def _resources(folder: Path, name: str) -> str:
    return f'resources: {{file: {{big: {{source: big, path: "{folder}/{name}"}}}}}}\n'


def apply(folder: Path, stack: str, environ: dict[str, str]) -> Run:
    """Apply a stack in `folder`."""
    (folder / "stack.yaml").write_text(stack)
    return run(private([*HACORE, "apply", "--auto-approve", str(folder)]), environ)


def _ssh(folder: Path, sshds: Sshds, environ: dict[str, str]) -> Run:
    ssh = sshds.home / ".ssh"
    options = f"-q -o UserKnownHostsFile={ssh}/known_hosts -i {ssh}/id_ed25519"
    copies = [f"ssh {options} -p {port} 127.0.0.1 'cat >{folder}/copy{port}' <{folder}/big" for port in sshds.ports]
    return run(["sh", "-ec", "\n".join(copies)], environ)
