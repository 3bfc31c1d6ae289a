"""Frozen files as a test uses them: copies, and the machines they belong to."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.frozen.today import Play, World

DATA = Path(__file__).parent / "data" / "1"
CANARY = "canary-of-a-secret"


@dataclass
class Thawed(Play):
    """A play that goes on where a frozen one was left; `was` is what was kept beside its state."""

    was: Any = None

    def moment(self) -> dict[str, Any]:
        """The machines and which resources are recorded, as `was` has them after an end."""
        return {**self.world.snapshot(), "rows": sorted(self.rows())}


def thaw(name: str, play: Play) -> Thawed:
    """The state `name` with its key and what was spilled, its machines and its stack; nothing is locked there."""
    state = play.states / "test.db"
    state.write_bytes(gzip.decompress((DATA / f"{name}.db.gz").read_bytes()))
    for more in ("key", "spill"):
        if (DATA / f"{name}.db.{more}").exists():
            shutil.copyfile(DATA / f"{name}.db.{more}", f"{state}.{more}")
            Path(f"{state}.{more}").chmod(0o600)
    state.chmod(0o600)
    was = json.loads((DATA / f"{name}.json").read_text())
    (play.folder / "stack.yaml").write_text(was["stack"])
    thawed = Thawed(play.folder, play.states, was=was)
    set_world(thawed.world, was["world"])
    return thawed


def set_world(world: World, state: Any) -> None:
    """The machines as they were left."""
    state = json.loads(json.dumps(state))
    world.vips, world.holders = state["vips"], state["holders"]
    for name, its in state["machines"].items():
        machine = world[name]
        machine.data, machine.units, machine.drained = its["data"], its["units"], set(its["drained"])
        machine.lock, machine.markers = its["lock"], its["markers"]


def unpack(name: str, folder: Path, *, root: str = "", now: Path | None = None) -> None:
    """A packed folder, into `folder`; where its files name `root` they name `now`."""
    subprocess.run(["tar", "-xzf", DATA / name, "-C", folder], check=True)
    listed = subprocess.run(["tar", "-tzf", DATA / name], check=True, capture_output=True, text=True).stdout
    paths = [folder / line for line in listed.splitlines() if not line.endswith("/")]
    for path in paths if root else ():
        path.write_bytes(path.read_bytes().replace(root.encode(), str(now).encode()))
