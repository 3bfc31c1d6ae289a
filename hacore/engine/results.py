"""The results of the engine, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from ..address import Address
from ..contract import Health
from ..load.stack import Stack
from ..model import Op, Row
from ..plan import Drift, NewMachine, Ownership, Plan
from ..store import RunRecord
from .verdicts import OUTAGES, AddressStatus

if TYPE_CHECKING:
    from ..journal import RunningTask


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from. `phases`: seconds by phase, for --profile; `rows`: the recorded rows."""

    plan: Plan
    stack: Stack
    last_run: RunRecord | None = None
    unfinished: RunRecord | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[Address, Row] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """How one task ended. `seconds` is None for a task that never began."""

    id: str
    op: str
    addresses: tuple[str, ...]
    host: str | None
    status: str
    error: str
    seconds: float | None


def summarize(live: RunningTask) -> TaskSummary:
    """A task's summary."""
    task = live.task
    words = "/".join(sorted({p.word for p in task.changes})) if task.op is not Op.RESTORE else ""
    op = task.trigger or words or task.op.value
    seconds = live.ended - live.started if live.ended is not None and live.started is not None else None
    return TaskSummary(
        live.id,
        op,
        tuple(str(a) for a in task.addresses),
        task.host,
        live.status.value,
        live.shown or live.error,
        seconds,
    )


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of an apply. `leftover`: the plan after a successful run, if it is not empty.

    `lost`: the addresses that are not held as before the run, in words.
    """

    run: int | None
    status: Literal["nothing", "done", "failed", "rolled_back", "interrupted"]
    planned: Planned
    tasks: tuple[TaskSummary, ...] = ()
    leftover: Plan | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    lost: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything is in the desired state, and each address is held as before."""
        return self.status in ("nothing", "done") and self.leftover is None and not self.lost


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Recorded against observed, for all that is recorded. `unreachable`: host to reason.

    Rows of a machine that was replaced are not compared.
    """

    stack: str
    lineage: str
    serial: int
    drift: tuple[Drift, ...]
    unreachable: Mapping[str, str]
    checked: int
    notes: Mapping[str, Any] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)
    ownership: Ownership = field(default_factory=Ownership)
    hosts: tuple[str, ...] = ()
    addresses: tuple[AddressStatus, ...] = ()

    @property
    def outages(self) -> tuple[AddressStatus, ...]:
        """The addresses that nobody or several hosts hold, and those with a host that is drained for too long."""
        return tuple(a for a in self.addresses if a.verdict in OUTAGES or any(m.overdue for m in a.members))

    @property
    def differs(self) -> bool:
        """Whether there is drift, an outage, an overdue drain, a new machine or another state's host."""
        return bool(self.drift or self.outages or self.ownership.new_machines or self.ownership.foreign_hosts)

    @property
    def complete(self) -> bool:
        """Whether all hosts answered every question."""
        return not self.unreachable


class WayBack(StrEnum):
    """How to roll back: by a run of its own, by finishing a rollback, or by a run's own journal."""

    UNDO = "undo"
    FINISH = "finish"
    TAKE_BACK = "take_back"


RollbackWord = Literal["delete", "restore", "bring_back", "forget", "remember", "reload", "restart"]


@dataclass(frozen=True, slots=True)
class RollbackItem:
    """What a rollback does to one address."""

    address: str
    host: str | None
    do: RollbackWord
    irreversible: str = ""


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """What a rollback does to each address, in total. `drifted`: what somebody changed since.

    `how`: a run of its own that undoes `undone`, the newest first; an interrupted rollback that is
    finished; or an interrupted run that is itself undone. Nothing is done to a host that is a
    new machine.
    """

    run: RunRecord  # the oldest of `undone`, or the run that is finished or itself undone
    items: tuple[RollbackItem, ...]
    drifted: tuple[Drift, ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)
    new_machines: tuple[NewMachine, ...] = ()
    how: WayBack = WayBack.TAKE_BACK
    undone: tuple[RunRecord, ...] = ()

    @property
    def irreversible(self) -> tuple[RollbackItem, ...]:
        """What cannot be restored."""
        return tuple(item for item in self.items if item.irreversible)


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """The result of a rollback. `run`: its own number, or that of the run that was itself undone.

    `leftover`: resources that differ from the recorded state although the rollback succeeded. `lost`: the addresses
    that are not held as before it, in words.
    """

    run: int | None
    status: Literal["nothing", "rolled_back", "failed", "interrupted"]
    tasks: tuple[TaskSummary, ...] = ()
    seconds: float = 0.0
    plan: RollbackPlan | None = None
    leftover: tuple[Drift, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything was rolled back, and each address is held as before."""
        return self.status in ("nothing", "rolled_back") and not self.lost
