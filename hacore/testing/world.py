"""Machines together: their connections, their locks, and which of them serves."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ..contract import Ask, Facts, Host, Output, Step
from ..errors import FencedError, RestartedError, UnreachableError
from ..probe import ASK_MARKERS, MARKERS, Batch, Frame, Result
from ..probe.link import Started
from ..probe.logins import ASK_LOGINS
from ..urls import file_of
from .machine import Machine

_TAKE = re.compile(r"""^printf '%s\\n' (?P<text>.*) >"\$new"$""", re.DOTALL | re.MULTILINE)
_OURS = re.compile(r"""^\[ "\$now" = (?P<token>\S+) \] \|\| (?:exit|return) (?P<rc>\d+)$""", re.MULTILINE)
_GIVE = re.compile(r"""^rm -f "\$HACORE_RUN/lock"$""", re.MULTILINE)
_MARK = re.compile(
    r"""^printf '%s\\n' (?P<text>'.*') >"\$mark" .*\nmv -f "\$mark" "\$HACORE_HOME/stacks/"(?P<file>\S+) \|\| exit 1$"""
    r"""|^rm -f "\$HACORE_HOME/stacks/"(?P<gone>\S+) \|\| exit 1$""",
    re.MULTILINE,
)


class Answering(Protocol):
    """A fact that a machine in memory answers without a shell."""

    name: str

    def answer(self, world: World, machine: Machine, ask: Ask) -> Any:
        """The answer to one question."""
        ...


class World:
    """Machines by name. `connect` is for a Request, in place of SSH.

    At most one machine holds each name of `vips` (name -> machines by preference): after a drain the next
    one holds it, and keeps it (VRRP with nopreempt).
    """

    def __init__(self, *names: str) -> None:
        self.machines = {name: Machine(name) for name in names}
        self.vips: dict[str, list[str]] = {}
        self.holders: dict[str, str] = {}
        self.cuts: list[str] = []  # what was restarted while its machine held something
        for machine in self.machines.values():
            machine.watchers.append(self._watch)

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.machines.values())

    async def connect(self, host: Host) -> MemoryLink:
        """A link to the machine with the host's name; raises UnreachableError if it is not reachable."""
        machine = self.machines[host.name]
        await asyncio.sleep(0)
        if not machine.reachable:
            raise UnreachableError(f"cannot reach {host.name}@{host.address}: no route to host")
        return MemoryLink(self, machine, host)

    def snapshot(self) -> dict[str, Any]:
        """All machines, as a copy."""
        return {name: machine.snapshot() for name, machine in self.machines.items()}

    def holder(self, vip: str) -> str | None:
        """The present holder of a name of `vips`."""
        free = [n for n in self.vips.get(vip, ()) if vip not in self.machines[n].drained and self.machines[n].reachable]
        if self.holders.get(vip) not in free and free:
            self.holders[vip] = free[0]
        return self.holders.get(vip) if free else None

    def _watch(self, machine: Machine, text: str) -> None:
        for vip in self.vips:
            if text.startswith("restart ") and self.holder(vip) == machine.name:
                self.cuts.append(f"{machine.name}: {text}")


class MemoryLink:
    """A HostLink to a machine in memory."""

    def __init__(self, world: World, machine: Machine, host: Host) -> None:
        self._world, self._machine, self._host = world, machine, host

    @property
    def host(self) -> Host:
        """The host as the stack describes it."""
        return self._host

    async def facts(self, asks: Sequence[Ask]) -> Facts:
        """One exec; the machine answers each question."""
        await self._exec()
        if self._machine.breach is not None:
            raise self._machine.breach
        return self._facts(asks)

    async def steps(self, batch: Sequence[Frame], token: str, started: Started | None = None) -> Batch:
        """One exec; a failing step ends its frame, the frame's questions are answered all the same."""
        await self._exec()
        boots = self._machine.boots
        results: dict[str, Result] = {}
        for frame in batch:
            outputs: list[Output] = []
            for index, step in enumerate(frame.steps):
                self._fence(token)
                if started is not None:
                    started(frame.id, index)
                outputs.append(await self._machine.run(_checked(step)))
                if self._machine.boots != boots:
                    raise RestartedError(
                        f"connection lost to {self._host.name}: after reconnecting the host's lock is missing"
                    )
                if outputs[-1].rc != 0:
                    break
            results[frame.id] = Result(tuple(outputs), self._facts(frame.asks) if frame.asks else None)
        return Batch(results)

    async def shell(self, script: str) -> Output:
        """Execute the scripts that lock and unlock the host and write its markers; no others."""
        await self._exec()
        if match := _TAKE.search(script):
            if self._machine.lock:
                return Output(3, self._machine.lock.encode())
            (self._machine.lock,) = shlex.split(match["text"])
            return Output(0, str(self._machine.boots).encode())
        if match := _OURS.search(script):
            (token,) = shlex.split(match["token"])
            if self._machine.lock.partition("\n")[0] != token:
                return Output(int(match["rc"]))
            for mark in _MARK.finditer(script):
                self._mark(mark)
            if _GIVE.search(script):
                self._machine.lock = ""
            return Output(0)
        if script == "cat /proc/sys/kernel/random/boot_id":
            return Output(0, str(self._machine.boots).encode())
        raise NotImplementedError(f"a machine in memory runs no shell: {script[-200:]}")

    def _mark(self, match: re.Match[str]) -> None:
        if match["gone"]:
            self._machine.markers.pop(shlex.split(match["gone"])[0], None)
        else:
            (text,), (file,) = shlex.split(match["text"]), shlex.split(match["file"])
            self._machine.markers[file] = text

    def _fence(self, token: str) -> None:
        if token and self._machine.lock.partition("\n")[0] != token:
            gone = not self._machine.lock
            why = "missing" if gone else "held by another run"
            raise FencedError(f"cannot continue at {self._host.name}: the host's lock is {why}", gone=gone)

    def _facts(self, asks: Sequence[Ask]) -> Facts:
        if self._machine.breach is not None:  # of a frame: its steps are done, and nothing is known of them
            return Facts(failed={ask.fact.name: str(self._machine.breach) for ask in asks})
        silent = {ask.fact.name: self._machine.silent.get(ask.fact.name, "") for ask in asks}
        answers = {ask.id: self._answer(ask) for ask in asks if not silent[ask.fact.name]}
        return Facts(self._machine.facts(), answers, {name: why for name, why in silent.items() if why})

    def _answer(self, ask: Ask) -> Any:
        if ask == ASK_MARKERS:
            return MARKERS.parse("\n".join(self._machine.markers.values()).encode())[""]
        if ask == ASK_LOGINS:
            return ()
        return ask.fact.answer(self._world, self._machine, ask)  # type: ignore[attr-defined]

    async def _exec(self) -> None:
        await asyncio.sleep(0)
        if not self._machine.reachable:
            raise UnreachableError(f"cannot reach {self._host.name}@{self._host.address}: the connection is lost")
        self._machine.execs += 1


def _checked(step: Step) -> Step:
    """The step with its sources as blobs; they must have become files of this machine before it runs."""
    files = {name: file_of(source.url) for name, source in step.sources.items()}
    return replace(step, blobs={**step.blobs, **{name: file.read_bytes() for name, file in files.items()}}, sources={})
