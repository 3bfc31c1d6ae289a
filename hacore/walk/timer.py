"""The timer of `apply --confirm-within`: how long a host waits before it reverts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..address import Address
from ..contract import Step
from ..journal import RunningTask
from ..model import JSON, Row
from ..probe.revert import arm
from ..store import row_from_json


@dataclass
class Timer:
    """The time that a host waits to be confirmed: `within` seconds since we were last heard of.

    `armed`: the hosts that wait for it. `before`: the rows as JSON before the run, of what its tasks change.
    """

    within: int
    lineage: str
    what: str
    armed: set[str] = field(default_factory=set)
    before: dict[Address, JSON | None] = field(default_factory=dict)
    _laid: int = 0

    def begin(self, lives: Sequence[RunningTask]) -> None:
        """Note what a host goes back to; the oldest task first."""
        for live in lives:
            for address, row in live.before.items():
                self.before.setdefault(address, row)

    def rows_back(self, rows: Mapping[Address, Row]) -> dict[Address, Row]:
        """The rows of a host that has put itself back: as they were before the run, whatever it has recorded since."""
        kept = {address: row for address, row in rows.items() if address not in self.before}
        return kept | {address: row_from_json(row) for address, row in self.before.items() if row is not None}

    def step(self, host: str, id: str, steps: Sequence[Step], kind: Literal["undo", "settle", "serve"]) -> Step:
        """Lay the way back of a task."""
        self._laid += 1
        self.armed.add(host)
        name = f"{self._laid:06d}-{id}.{kind}"
        return arm(tuple(steps), name, lineage=self.lineage, what=self.what, within=self.within)
