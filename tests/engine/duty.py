"""A pair in memory that an operator drains: a kind with maintenance, and links on which ss(8) and reboot(8) answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hacore.contract import (
    Ask,
    Check,
    Daemon,
    Drained,
    Facts,
    FailOver,
    Host,
    Maintenance,
    Member,
    Output,
    Served,
    View,
)
from hacore.engine import Means
from hacore.testing import KINDS, World
from hacore.testing.machine import Machine
from hacore.testing.pairs import Gate, GateSpec
from hacore.testing.questions import HOLDS, UNIT, Question, script
from hacore.testing.world import MemoryLink


class _IsDrained(Question):
    def answer(self, world: World, machine: Machine, ask: Ask) -> Any:
        return ask.arg in machine.drained


IS_DRAINED = _IsDrained("is_drained")


@dataclass(frozen=True)
class Faults:
    """What does not work at this pair: by name, `returns`: the holder preempts."""

    refusal: str = ""
    returns: str = ""
    unable: Mapping[str, str] = field(default_factory=dict)  # host -> why it would not take over


class Duty(Gate):
    """A gate of which the members are known, and which an operator drains."""

    kind = "duty"

    def __init__(self) -> None:
        self.faults = Faults()
        self.urls: tuple[str, ...] = ()
        self.parts: FailOver | None = None

    def facts(self, spec: GateSpec) -> Sequence[Ask]:
        return [*super().facts(spec), Ask(IS_DRAINED, spec.vip), Ask(UNIT, "web")]

    def checks(self, spec: GateSpec) -> Sequence[Check]:
        return [Check(url) for url in self.urls]

    def fail_over(self, view: View[GateSpec]) -> FailOver | None:
        return self.parts

    def served(self, view: View[GateSpec]) -> Sequence[Served]:
        return [Served(view.spec.vip, tuple(self._member(h, f, view.spec) for h, (_, f) in view.members.items()))]

    def _member(self, host: str, facts: Facts, spec: GateSpec) -> Member:
        holds = facts.get(HOLDS, spec.vip)
        if holds is None:
            return Member(host, "unknown", cause=f"{host} did not answer")
        drained = bool(facts.get(IS_DRAINED, spec.vip))
        why = self.faults.unable.get(host, "")
        state = "MASTER" if holds else "FAULT" if why else "BACKUP"
        return Member(host, state, holds, not why, why, priority=100, drained=drained)

    def daemons(self, view: View[GateSpec]) -> Sequence[Daemon]:
        unit = view.facts.get(UNIT, "web")
        return [] if unit is None else [Daemon("web", up=unit["running"], wanted=True)]

    def maintenance(self, view: View[GateSpec], order: Drained, units: Sequence[str] = ()) -> Maintenance:
        vip = view.spec.vip
        kept = {"by": order.by, "reason": order.reason, "until": order.until, "hard": order.hard, "units": list(units)}
        return Maintenance(
            vip,
            script(["write", f"order:{vip}", kept, {}], ["drain", vip]),
            script(["undrain", vip]),
            lambda fresh: not fresh.facts.get(HOLDS, vip),
            lambda fresh: not fresh.facts.get(IS_DRAINED, vip),
            patience=0.05,
            cost="requests fail for a moment",
            returns=self.faults.returns,
            refusal=self.faults.refusal,
        )


@dataclass
class Pair:
    """A world with two members, their kind, and the commands that their shells ran."""

    world: World
    kind: Duty = field(default_factory=Duty)
    connections: str = "3\n"
    shells: list[str] = field(default_factory=list)

    async def connect(self, host: Host) -> MemoryLink:
        await self.world.connect(host)  # raises for one that is not reachable
        return _Link(self, host)

    def means(self, means: Means) -> Means:
        return replace(means, providers={**KINDS, "duty": self.kind}, connect=self.connect)


class _Link(MemoryLink):
    def __init__(self, pair: Pair, host: Host) -> None:
        super().__init__(pair.world, pair.world[host.name], host)
        self._pair = pair

    async def facts(self, asks: Sequence[Ask]) -> Facts:
        found = await super().facts(asks)
        return replace(found, host=replace(found.host, boot_id=f"boot {self._machine.boots}"))

    async def shell(self, script: str) -> Output:
        if "ss -Htn" in script:
            self._pair.shells.append(script)
            return Output(0, self._pair.connections.encode()) if self._pair.connections else Output(3)
        if "systemctl reboot" in script:
            self._machine.log.append("reboot")
            self._machine.restart()
            return Output(0)
        return await super().shell(script)
