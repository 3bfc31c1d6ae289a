"""Planned maintenance: an operator takes a host out of service until further notice, and back.

A run drains hosts by itself (`Provider.guard`) and undrains them again. What is here lasts: it survives the run, the
controller and a restart of the host, and every controller sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .steps import Step
from .views import View

LONG = 24 * 3600.0
"""Seconds after which a drain without an end is one that was forgotten."""

GRACE = 60.0
"""Seconds that a host has to undrain itself."""


@dataclass(frozen=True, slots=True)
class Drained:
    """An operator's order that keeps a host out of service, as the host keeps it.

    `by`: who gave it; `since` and `until` are Unix times (`until` None: until further notice). `hard`: the host does
    not take over even if no other member is left.
    """

    by: str = ""
    since: float | None = None
    until: float | None = None
    reason: str = ""
    hard: bool = False

    def overdue(self, now: float) -> bool:
        """Whether it should be over: its end has come, or it has none and is a day old. `now`: the host's Unix time."""
        if self.until is not None:
            return now > self.until + GRACE
        return self.since is not None and now > self.since + LONG


@dataclass(frozen=True, slots=True)
class Maintenance:
    """How an operator drains one resource of a host, and undrains it.

    `name`: for messages. `refusal`: why it cannot be drained. `drained` and `back`, of a view after a new probe:
    whether the drain, or its end, has taken effect; each within `patience` seconds. `cost`: what the move costs, "" if
    no connection is refused. `returns`: why the address returns to this host once it is undrained, else "".
    """

    name: str
    drain: Step
    undrain: Step
    drained: Callable[[View[Any]], bool]
    back: Callable[[View[Any]], bool]
    patience: float = 30.0
    cost: str = ""
    returns: str = ""
    refusal: str = ""


__all__ = ["Drained", "Maintenance"]
