"""What goes into the engine and what comes out: values."""

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

if TYPE_CHECKING:
    from ..journal import RunningTask


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what was needed to make it. `phases`: seconds by phase, for --profile; `rows`: what was recorded."""

    plan: Plan
    stack: Stack
    last_run: RunRecord | None = None
    unfinished: RunRecord | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[Address, Row] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """WayBack one task ended. `seconds` is None for a task that never began."""

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
    words = "/".join(sorted({p.action.word for p in task.changes})) if task.op is not Op.RESTORE else ""
    op = task.trigger or words or task.op.value
    seconds = live.ended - live.started if live.ended is not None and live.started is not None else None
    return TaskSummary(
        live.id, op, tuple(str(a) for a in task.addresses), task.host, live.status.value, live.error, seconds
    )


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of an apply. `leftover` is a plan that is not empty although all went well."""

    run: int | None
    status: Literal["nothing", "done", "failed", "rolled_back", "interrupted"]
    planned: Planned
    tasks: tuple[TaskSummary, ...] = ()
    leftover: Plan | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything is as the stack wants it."""
        return self.status in ("nothing", "done") and self.leftover is None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Recorded against observed, for all that the state knows. `unreachable`: host to reason.

    What is recorded of a machine that another one took the place of is not compared.
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

    @property
    def differs(self) -> bool:
        """Whether there is drift, a new machine or another state's host."""
        return bool(self.drift or self.ownership.new_machines or self.ownership.foreign_hosts)

    @property
    def complete(self) -> bool:
        """Whether all hosts answered."""
        return not self.unreachable


class WayBack(StrEnum):
    """The ways back: by a run of its own, by going on with a rollback, or by a run's own journal."""

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
    """The way back, and what it does to each address, all in all. `drifted`: what somebody changed since.

    `how`: a run of its own that undoes `undone`, the newest first; an unfinished rollback that is
    finished; or an unfinished run that is taken back, itself. Nothing is done to a host that is a
    new machine.
    """

    run: RunRecord  # the oldest that is undone, or the one that is finished or taken back
    items: tuple[RollbackItem, ...]
    drifted: tuple[Drift, ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)
    new_machines: tuple[NewMachine, ...] = ()
    how: WayBack = WayBack.TAKE_BACK
    undone: tuple[RunRecord, ...] = ()

    @property
    def irreversible(self) -> tuple[RollbackItem, ...]:
        """What cannot be brought back."""
        return tuple(item for item in self.items if item.irreversible)


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What came of a rollback. `run`: its own number, or that of the run that was taken back.

    `leftover`: what is not as it is recorded now, because it was not so then, or is not any more.
    """

    run: int | None
    status: Literal["nothing", "rolled_back", "failed", "interrupted"]
    tasks: tuple[TaskSummary, ...] = ()
    seconds: float = 0.0
    plan: RollbackPlan | None = None
    leftover: tuple[Drift, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything is back."""
        return self.status in ("nothing", "rolled_back")
