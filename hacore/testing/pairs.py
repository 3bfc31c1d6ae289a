"""Kinds of several hosts together: a guarded gate, and a name that one of them holds."""

# ruff: noqa: ARG002 - a kind is handed more than it needs

from __future__ import annotations

from collections.abc import Sequence

from ..contract import (
    Ask,
    Check,
    Claim,
    Desired,
    Guard,
    Health,
    Member,
    Observed,
    Provider,
    Served,
    Spec,
    Step,
    View,
    Work,
)
from .questions import HOLDS, VALUE, images, script


class GateSpec(Spec):
    """A host's part in serving a name."""

    vip: str
    weight: int = 100
    patience: float = 0.0


class Gate(Provider[GateSpec]):
    """One of several hosts that serve a name together; it can be drained."""

    api = 2
    kind = "gate"
    spec = GateSpec

    def claims(self, spec: GateSpec) -> Sequence[Claim]:
        """Its part of the name."""
        return [Claim(f"gate:{spec.vip}")]

    def facts(self, spec: GateSpec) -> Sequence[Ask]:
        """Its weight, and whether it holds the name."""
        return [Ask(VALUE, f"gate:{spec.vip}"), Ask(HOLDS, spec.vip)]

    def observe(self, view: View[GateSpec]) -> Observed | None:
        """The weight; the holder is volatile and not an attr."""
        value = view.facts.get(VALUE, f"gate:{view.spec.vip}")
        return None if value is None else Observed(dict(value), {"holds": view.facts.get(HOLDS, view.spec.vip)})

    def desire(self, view: View[GateSpec]) -> Desired:
        """The weight."""
        return Desired({"weight": view.spec.weight})

    def guard(self, view: View[GateSpec]) -> Guard | None:
        """Drained when it no longer holds the name."""
        vip = view.spec.vip
        return Guard(
            vip,
            script(["drain", vip]),
            script(["undrain", vip]),
            lambda fresh: not fresh.facts.get(HOLDS, vip),
            patience=view.spec.patience,
        )

    def capture(self, work: Work[GateSpec]) -> Step | None:
        """The weight before."""
        keys = {c.address: f"gate:{c.spec.vip}" for c in work.changes}
        return script(["print", *keys.values()], parse=images(keys, modes=()))

    def apply(self, work: Work[GateSpec]) -> Sequence[Step]:
        """Set the weight."""
        return [script(["write", f"gate:{c.spec.vip}", {"weight": c.spec.weight}, {}]) for c in work.changes]

    def undo(self, work: Work[GateSpec]) -> Sequence[Step]:
        """The weight before."""
        return [script(["restore", f"gate:{c.spec.vip}", work.images[c.address].data]) for c in work.changes]


class SharedSpec(Spec):
    """A name that exactly one host holds."""

    vip: str
    instance: str | None = None
    patience: float = 0.0
    checks: tuple[str, ...] = ()


class Shared(Provider[SharedSpec]):
    """One instance over all hosts, which it does not change."""

    api = 2
    kind = "shared"
    spec = SharedSpec
    hosts = "together"

    def needs(self, spec: SharedSpec) -> Sequence[str]:
        """The gate that provides it."""
        return [spec.instance] if spec.instance else []

    def facts(self, spec: SharedSpec) -> Sequence[Ask]:
        """Asked of each member."""
        return [Ask(HOLDS, spec.vip)]

    def observe(self, view: View[SharedSpec]) -> Observed | None:
        """How many hold it."""
        held = [h for h, (_, facts) in view.members.items() if facts.get(HOLDS, view.spec.vip)]
        return Observed({"holders": len(held)}, {"held by": held}, health=Health(view.spec.vip, tuple(held)))

    def served(self, view: View[SharedSpec]) -> Sequence[Served]:
        """The name, with a member for each host."""
        vip = view.spec.vip
        answers = {host: facts.get(HOLDS, vip) for host, (_, facts) in view.members.items()}
        members = tuple(
            Member(
                host,
                "unknown" if held is None else "MASTER" if held else "BACKUP",
                bool(held),
                held is not None or None,
            )
            for host, held in answers.items()
        )
        return [Served(vip, members)]

    def desire(self, view: View[SharedSpec]) -> Desired:
        """One."""
        return Desired({"holders": 1})

    def patience(self, spec: SharedSpec) -> float:
        """From the spec."""
        return spec.patience

    def checks(self, spec: SharedSpec) -> Sequence[Check]:
        """From the spec."""
        return [Check(url) for url in spec.checks]
