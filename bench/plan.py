"""A plan of ten hosts without changes, beside the least that any tool could do."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .child import environment
from .measure import measure
from .sshd import Sshds
from .stack import ask, stack
from .table import Line


def plan(times: int, hosts: int, *, twins: bool) -> list[Line]:
    """Over sshds of this machine; with `twins` over containers with systemd, too."""
    lines = over_sshds(times, hosts)
    if twins:
        from .twins import over_twins

        lines += over_twins(times, hosts)
    return lines


def over_sshds(times: int, count: int) -> list[Line]:
    """20 files, 2 links and a package resource of 2 names on each host."""
    with tempfile.TemporaryDirectory(prefix="hacore-bench-") as name, Sshds(Path(name), count) as sshds:
        folder = Path(name)
        targets = [f"127.0.0.1:{port}" for port in sshds.ports]
        (folder / "stack.yaml").write_text(stack("plan", sshds.ports, ["127.0.0.1"] * count, folder / "files"))
        (folder / "files").mkdir()
        for number in range(count):
            (folder / "files" / f"h{number}").mkdir()
            (folder / f"ask{number}").write_text(ask(folder / "files" / f"h{number}"))
        title = f"nothing to do: {count} sshds x 23 resources"
        return measure(title, folder, targets, environment(sshds.home), sshds.execs, times)
