"""What a kind knows of an address that several hosts serve together: for `status` and `drift`.

A kind reports members and causes as it sees them; the engine makes the verdict of them (engine/verdicts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from .maintenance import Drained
from .views import Verdict

VerdictWord = Literal["no-holder", "split-brain", "not-serving", "unknown", "no-redundancy", "drained", "healthy"]
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
"""The verdicts on an address, the worst first."""


@dataclass(frozen=True, slots=True)
class Member:
    """One host's part in serving an address.

    `state`: a word of the kind's protocol, such as MASTER, BACKUP, FAULT, stopped; `unknown` if the host did not
    answer. `able`: whether it would take the address over now; None: the host did not answer. `cause`: why it would
    not, and `remedy`: the next command. `priority`: the effective one, and `trackers`: what changes it now.
    `order`: the operator's order that keeps it drained, if there is one; `overdue`: it should be over.
    `since`: Unix time of its last change of state; None: not recorded. `recorded_from`: Unix time of the oldest
    record that the host has. `takeovers`: Unix times at which it became the holder.
    """

    host: str
    state: str
    holds: bool = False
    able: bool | None = None
    cause: str = ""
    remedy: str = ""
    since: float | None = None
    recorded_from: float | None = None
    priority: int | None = None
    trackers: tuple[str, ...] = ()
    drained: bool = False
    takeovers: tuple[float, ...] = ()
    order: Drained | None = None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """An address as one resource sees it; what several resources report of one address is put together.

    `cause` and `remedy`: why not exactly one host holds it, and the next command; empty if one does, or if the kind
    does not know. `checks`: the results of the health checks that the holder made.
    """

    address: str
    members: tuple[Member, ...] = ()
    cause: str = ""
    remedy: str = ""
    checks: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """The addresses that a host has, and those that must stay held while its daemons load a change.

    `present`: all addresses of the host, in their shortest form. `served`: those that its daemon serves by the
    configuration of now, by any resource or by hand. `kept`: those that the desired configuration serves.
    `settle`: seconds within which a wrong configuration shows; `elect`: seconds within which a new holder is elected
    when all daemons have just started. `moves`: addresses that another host takes over, by the desired configuration
    alone: that host, and about how many seconds later.
    """

    present: frozenset[str]
    served: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    settle: float = 0.0
    elect: float = 0.0
    moves: Mapping[str, tuple[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that runs, or does not, on a host. `wanted`: whether it should; None: that is not managed."""

    name: str
    up: bool
    wanted: bool | None = None


__all__ = ["VERDICTS", "Daemon", "Held", "Member", "Served", "VerdictWord"]
