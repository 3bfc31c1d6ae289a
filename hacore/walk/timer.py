"""The timer of `apply --confirm-within`: how long a host waits before it reverts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..contract import Step
from ..probe.revert import arm


@dataclass
class Timer:
    """The time that a host waits to be confirmed: `within` seconds since we were last heard of.

    `armed`: the hosts that wait for it.
    """

    within: int
    lineage: str
    what: str
    armed: set[str] = field(default_factory=set)
    _laid: int = 0

    def step(self, host: str, id: str, steps: Sequence[Step], kind: Literal["undo", "settle", "serve"]) -> Step:
        """Lay the way back of a task."""
        self._laid += 1
        self.armed.add(host)
        name = f"{self._laid:06d}-{id}.{kind}"
        return arm(tuple(steps), name, lineage=self.lineage, what=self.what, within=self.within)
