"""What a plan is made of: values only. The renderer shows them, the journal stores them, the walker runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..address import Address
from ..contract import Change, Desired, Facts, Health, Observed, Spec, View
from ..diff import AttrChange
from ..model import JSON, Action, Disrupts, Host, Op, Row
from .ownership import Ownership
from .selection import NO_SELECTION, Selection


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What happens to one address, and why.

    `change` is what its provider gets; `row` is what the state has of it. `inherits`: the former
    address (a rename): its origin moves over. `takers`: the addresses that now claim the
    forgotten resource. `moves`: a replace at another place than the recorded one: the old resource
    is deleted, the new one created. `reduces`: an update that gives up a part of what it shares with others: a delete
    of that part comes first. `reason` is only shown.
    """

    address: Address
    action: Action
    change: Change[Any]
    reason: str = ""
    attrs: tuple[AttrChange, ...] = ()
    observed: Observed | None = None
    desired: Desired | None = None
    row: Row | None = None
    hosts: tuple[str, ...] = ()
    inherits: Address | None = None
    takers: tuple[Address, ...] = ()
    irreversible: str = ""
    effect: str = ""
    disrupts: Disrupts = "none"
    ensured: bool = False
    moves: bool = False
    reduces: bool = False

    @property
    def is_two_tasks(self) -> bool:
        """Whether a delete comes first, in a task of its own; else the provider does it in place."""
        return self.moves or self.reduces

    @property
    def word(self) -> str:
        """What the task does, in a word: that of the action, or `reduce` for the delete of a part."""
        return "reduce" if self.reduces and self.action is Action.DELETE else self.action.word

    @property
    def kind(self) -> str:
        """The resource kind."""
        return self.address.kind

    @property
    def sensitive(self) -> frozenset[str]:
        """The attrs of which no value is shown or stored: those that are sensitive, or were when recorded.

        A value that ceases to be sensitive in the stack is still the former secret on the host.
        """
        desired = self.desired.sensitive if self.desired is not None else frozenset[str]()
        return desired | frozenset(self.row.sensitive if self.row is not None else ())


@dataclass(frozen=True, slots=True)
class Drift:
    """Recorded against observed: somebody changed the host since the last apply.

    `gone`: it does not exist on the host. `again`: it was recorded as absent. `pending`: the sources that its
    daemon has not loaded. `reason` is only shown. `changed`: Unix time of the last change of a file; `logins`: who was
    logged in on the host then.
    """

    address: Address
    attrs: tuple[AttrChange, ...]
    reason: str = ""
    host: str | None = None
    gone: bool = False
    again: bool = False
    pending: tuple[str, ...] = ()
    changed: float | None = None
    logins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A node of the execution graph: one or several changes, a trigger, or part of a guard block."""

    id: str
    op: Op
    kind: str
    host: str | None
    addresses: tuple[Address, ...]
    changes: tuple[PlannedChange, ...] = ()
    needs: tuple[str, ...] = ()
    lane: int = 0
    trigger: str = ""  # reload or restart
    sources: tuple[Address, ...] = ()  # loaded by the trigger
    exclusive: str | None = None
    disrupts: Disrupts = "none"
    group: str = ""  # of a guard block, or of a reload that takes its turn in a guarded group
    guarded: tuple[Address, ...] = ()  # the guards of such a reload's host
    reload_group: str = ""  # reloads of this name begin together, on all their hosts
    wanted: tuple[tuple[Address, Spec], ...] = ()
    keep_on_failure: bool = False  # keep_on_failure
    restores: Mapping[Address, int] = field(default_factory=dict)  # of a rollback: the images that are restored
    rows: Mapping[Address, JSON | None] = field(default_factory=dict)  # of a rollback: the rows after it


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A host as the plan's probe found it.

    `error`: why it did not answer, or not every question; `answered`: it can be reached, but did
    not answer as it should.
    """

    host: Host
    facts: Facts | None = None
    error: str = ""
    answered: bool = False


Sources = Mapping[Address, tuple[str, ...]]
"""The sources of an instance's triggers, with the attrs that count (none named: all)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes from the observed to the desired state. A pure function of stack, state and facts.

    `changes` has every address that is touched or newly recorded; `quiet` are rows that are only
    written afresh (their spec or edges changed, nothing on a host does).
    """

    stack: str
    command: str  # apply, destroy or refresh-only
    lineage: str
    serial: int
    hosts: Mapping[str, HostStatus]
    changes: tuple[PlannedChange, ...]
    drift: tuple[Drift, ...]
    tasks: tuple[PlanTask, ...]
    metadata_only: tuple[PlannedChange, ...] = ()
    noop: int = 0
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)  # by address
    outputs: Mapping[str, Any] = field(default_factory=dict)
    sensitive_outputs: frozenset[str] = frozenset()
    facts: Mapping[str, Facts] = field(default_factory=dict)
    views: Mapping[Address, View[Any]] = field(default_factory=dict)  # of what is wanted
    sources: Mapping[Address, Sources] = field(default_factory=dict)  # of each consumer's triggers
    ownership: Ownership = field(default_factory=Ownership)
    observed: Mapping[Address, Observed | None] = field(default_factory=dict)  # of desired addresses
    secrets: Mapping[Address, frozenset[str]] = field(default_factory=dict)  # names of its sensitive attrs, if any
    selection: Selection = NO_SELECTION
    refreshed: bool = True  # False: compared with what is recorded, no host was asked
    widened: Mapping[Address, str] = field(default_factory=dict)  # what came along with a selection, and why
    left_out: int = 0  # changes that were not asked for

    @property
    def empty(self) -> bool:
        """Nothing to do."""
        return not self.changes

    @property
    def has_housekeeping(self) -> bool:
        """Whether something is to be written that nobody needs to be asked about: it changes nothing on a host."""
        return bool(self.metadata_only or self.ownership.lost or self.ownership.due)

    def refresh_only(self) -> Plan:
        """The same without what would be done: only how the hosts differ from the state."""
        return replace(
            self, command="refresh-only", changes=(), tasks=(), metadata_only=(), outputs={}, warnings=(), left_out=0
        )

    @property
    def unreachable(self) -> tuple[str, ...]:
        """Hosts that could not be asked, or not about everything."""
        return tuple(name for name, s in self.hosts.items() if s.facts is None or s.facts.failed)

    @property
    def complete(self) -> bool:
        """Whether all hosts answered all questions."""
        return not self.unreachable

    def summary(self) -> dict[str, int]:
        """How many of each action, in the words of the JSON."""
        counts = {"create": 0, "update": 0, "replace": 0, "delete": 0, "adopt": 0, "forget": 0, "noop": self.noop}
        for change in self.changes:
            if change.action is not Action.NOOP:
                counts[change.action.word] += 1
        return counts
