"""How an address moves when its holder fails: what `hacore drill` compares its measurements with."""

from __future__ import annotations

from dataclasses import dataclass

from .steps import Step


@dataclass(frozen=True, slots=True)
class Budget:
    """How long something may take by the configuration, in seconds, and the formula with its numbers."""

    seconds: float
    formula: str

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s = {self.formula}"


@dataclass(frozen=True, slots=True)
class Partition:
    """The members do not hear each other: each of them holds the addresses.

    `ready`: a step that fails, with the reason, where it cannot be played. `isolate`, `rejoin`: steps on the holder.
    `double`: when a second member holds the addresses as well; `single`: when exactly one does, after the rejoin.
    `hazards`: what a second holder starts, as scripts: each may do harm that no rejoin undoes.
    """

    ready: Step
    isolate: Step
    rejoin: Step
    double: Budget
    single: Budget
    hazards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailOver:
    """The fail-over of one resource from its present holder.

    `unit`: the daemon that moves the addresses. `notify`: scripts that run at each change of state. `drain` and `stop`:
    how long new connections fail when the holder is drained, and when its daemon stops. `service`: the same when what
    it serves stops; None: no tracker would see that. `back`: when the addresses are back after the cause has ended;
    None: they stay at their new holder. `partition`: how it is played that the members do not hear each other; None:
    the kind cannot.
    """

    name: str
    unit: str
    drain: Budget
    stop: Budget
    service: Budget | None = None
    back: Budget | None = None
    notify: tuple[str, ...] = ()
    partition: Partition | None = None


__all__ = ["Budget", "FailOver", "Partition"]
