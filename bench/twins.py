"""The same plan over twins: containers with systemd and an sshd of their own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hacore.lab import Lab, LabSpec, Twin

from .child import environment
from .measure import measure
from .stack import ask, stack
from .table import Line

_SERVICES = ("ssh", "systemd-networkd")
_FILES = Path("/srv/bench")


def over_twins(times: int, count: int) -> list[Line]:
    """20 files, a package resource of 2 names and 2 services on each host. Needs root, and a minute."""
    if os.geteuid() != 0:
        raise SystemExit("bench: twins need root")
    addresses = [f"192.168.77.{number + 10}" for number in range(count)]
    twins = tuple(Twin(f"h{number}", address) for number, address in enumerate(addresses))
    with tempfile.TemporaryDirectory(prefix="hacore-bench-") as name:
        folder = Path(name)
        lab = Lab(LabSpec("bench", twins), root=folder / "lab")
        try:
            lab.up()
            for number in range(count):
                lab.ssh(f"h{number}", f"mkdir -p {_FILES}/h{number}")
                (folder / f"ask{number}").write_text(ask(_FILES / f"h{number}", _SERVICES))
            (folder / "stack.yaml").write_text(stack("plan", [22] * count, addresses, _FILES, _SERVICES))
            title = f"nothing to do: {count} twins with systemd x 23 resources"
            targets = [f"{address}:22" for address in addresses]
            return measure(title, folder, targets, environment(), None, times, lab.command([]))
        finally:
            lab.down()
