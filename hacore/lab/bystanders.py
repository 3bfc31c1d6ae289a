"""The bystanders of a lab: each answers HTTP at an address of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hacore.errors import LabError
from hacore.lab import bystander
from hacore.lab.cgroups import Cgroups
from hacore.lab.model import Bystander
from hacore.lab.network import Network
from hacore.lab.system import Process, attempt, spawn, tail, wait_until


class Bystanders:
    """All bystanders of a lab; `home` is their folder."""

    def __init__(self, spec: Sequence[Bystander], home: Path, network: Network, cgroups: Cgroups) -> None:
        self._spec = tuple(spec)
        self._home = home
        self._network = network
        self._cgroups = cgroups
        self._addresses = list(dict.fromkeys(one.address for one in spec))

    def running(self) -> bool:
        """Whether all of them are up."""
        return all(self._is_up(one) for one in self._spec)

    def _is_up(self, one: Bystander) -> bool:
        process = Process.read(self._home / one.name / "process")
        return process is not None and process.alive()

    def start(self) -> None:
        """Start those that are not up, and wait for them. Raises LabError with the log of one that does not answer."""
        for index, address in enumerate(self._addresses):
            if not self._network.has_bystander(index):
                self._network.up_bystander(index, address)
        started = [(one, self._start(one)) for one in self._spec if not self._is_up(one)]
        for one, process in started:
            self._await(one, process)

    def _start(self, one: Bystander) -> Process:
        home = self._home / one.name
        home.mkdir(parents=True, exist_ok=True)
        program = [sys.executable, "-I", str(Path(bystander.__file__)), one.name, one.address, str(one.port)]
        argv = [*program, str(one.status), one.body]
        inside = self._network.bystander_inside(self._addresses.index(one.address), argv)
        cgroups = self._cgroups.make(f"bystander-{one.name}")
        return spawn(inside, record=home / "process", log=home / "log", cgroups=cgroups)

    def _await(self, one: Bystander, process: Process) -> None:
        look = self._network.bystander_inside(self._addresses.index(one.address), ["sh", "-c", "cat /proc/net/tcp"])
        listening = f":{one.port:04X} 00000000:0000 0A"
        ready = wait_until(lambda: not process.alive() or listening in attempt(look).stdout, 10)
        if not (ready and process.alive()):
            log = self._home / one.name / "log"
            raise LabError(f"cannot start bystander {one.name} at {one.address}:{one.port}: {tail(log)}")


__all__ = ["Bystanders"]
