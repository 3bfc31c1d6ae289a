"""JSON lines of a run in progress, one for each event, as typed values: what `hacore schema` publishes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from ..events import EventType
from ..plan.public_types import NewMachineJson, PlanCommand, PlanJson, published
from .formats import DriftJson, ProblemJson, TaskStatus, Version


@published
class VersionLine(TypedDict):
    """The first line."""

    type: Literal["version"]
    format_version: Version
    hacore: str


@published
class EventDataJson(TypedDict, total=False):
    """Details of an event."""

    run: int
    tasks: int
    """Number of tasks of the run."""
    status: str
    """The result of the run: done, failed, rolled_back or interrupted."""
    op: str
    """create, update, reload, drain, ..."""
    seconds: float
    rollback: bool


@published
class EventLine(TypedDict):
    """An event of a run; empty keys are omitted."""

    type: EventType
    at: float
    """Unix time in seconds."""
    message: NotRequired[str]
    host: NotRequired[str]
    task: NotRequired[str]
    """The id of the task in the plan."""
    addresses: NotRequired[list[str]]
    data: NotRequired[EventDataJson]


@published
class PlanLine(PlanJson):
    """The plan of the run."""

    type: Literal["plan"]


@published
class RollbackItemJson(TypedDict):
    """A step of a rollback."""

    address: str
    host: str | None
    do: str
    irreversible: str
    """Why the step cannot be undone; empty: it can."""


@published
class RollbackPlanLine(TypedDict):
    """The plan of a rollback."""

    type: Literal["plan"]
    format_version: Version
    command: Literal["rollback"]
    how: str
    run: int
    undoes: list[int]
    items: list[RollbackItemJson]
    drift: list[DriftJson]
    """Changes outside of hacore that are overwritten."""
    new_machines: list[NewMachineJson]


@published
class SummaryTaskJson(TypedDict):
    """The result of a task."""

    id: str
    op: str
    addresses: list[str]
    host: str | None
    status: TaskStatus
    error: str
    seconds: float | None
    """Null: not started."""


@published
class GroupCountsJson(TypedDict, total=False):
    """Numbers of tasks by result."""

    failed: int
    undone: int
    done: int
    not_started: int


@published
class SummaryLine(TypedDict):
    """The last line of an apply or a destroy."""

    type: Literal["summary"]
    command: PlanCommand
    run: int | None
    """Null: there was nothing to apply."""
    status: Literal["nothing", "done", "failed", "rolled_back", "interrupted"]
    ok: bool
    """Whether the hosts match the stack."""
    seconds: float
    counts: GroupCountsJson
    tasks: list[SummaryTaskJson]
    leftover: PlanJson | None
    """A plan of the changes that remain."""
    outputs: dict[str, Any]
    lost: list[str]
    """The addresses that are not held as before, in words."""


@published
class RollbackSummaryLine(TypedDict):
    """The last line of a rollback."""

    type: Literal["summary"]
    command: Literal["rollback"]
    run: int | None
    status: str
    ok: bool
    seconds: float
    undoes: list[int]
    tasks: list[SummaryTaskJson]
    leftover: list[DriftJson]
    """Resources that differ from the recorded state after the rollback."""
    lost: list[str]
    """The addresses that are not held as before, in words."""


@published
class ErrorLine(TypedDict):
    """An error: the last line instead of a summary."""

    type: Literal["error"]
    error: str
    """The code of the error: StalePlanError, StackError, ..."""
    message: str
    addresses: NotRequired[list[str]]
    """Why a saved plan is refused: addresses, or names of hosts."""
    problems: NotRequired[list[ProblemJson]]
    """The mistakes of a stack."""


EventsLine = Annotated[
    VersionLine | EventLine | PlanLine | RollbackPlanLine | SummaryLine | RollbackSummaryLine | ErrorLine,
    Field(description="A line of `apply --json`, `destroy --json` and `rollback --json`."),
]
