"""The types of everything that `--json` prints. `hacore schema NAME` is derived from them, docstrings included.

A new key makes a new minor version, and readers must ignore keys that they do not know. The meaning of a key
changes only with a new major version.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from ..events import EventType
from ..plan.public_types import (
    CountsJson,
    ForeignHostJson,
    NewMachineJson,
    PlanCommand,
    PlanJson,
    UnreachableJson,
    published,
)

Version = Literal["1.0"]
StateAction = Literal["create", "update", "delete"]
TaskStatus = Literal["do", "doing", "done", "undo", "undoing", "undone", "hold", "error"]


# -- drift and status


@published
class DriftAttrJson(TypedDict):
    """An attribute that differs from the recorded state."""

    path: str
    sensitive: bool
    """Whether the values are sensitive; they are omitted then."""
    recorded: NotRequired[Any]
    found: NotRequired[Any]


@published
class DriftJson(TypedDict):
    """A resource that was changed outside of hacore."""

    address: str
    host: str | None
    reason: str
    attrs: list[DriftAttrJson]


@published
class DriftReportJson(TypedDict):
    """The output of `hacore drift --json`."""

    format_version: Version
    stack: str
    lineage: str
    serial: int
    complete: bool
    """Whether all hosts were checked."""
    checked: int
    """Number of resource instances that were checked."""
    drift: list[DriftJson]
    strangers: list[ForeignHostJson]
    """Hosts that another state manages."""
    new_machines: list[NewMachineJson]
    unreachable: list[UnreachableJson]
    notes: dict[str, Any]
    """Reports of resources without a host: who holds an address."""
    known: NotRequired[int]
    """With --since-last: number of differences that were already reported."""
    since: NotRequired[float | None]
    """With --since-last: Unix time of the previous check."""


@published
class HostStatusJson(TypedDict):
    """A host."""

    host: str
    address: str
    reachable: bool
    os: str
    error: str


@published
class StatusJson(TypedDict):
    """The output of `hacore status --json`."""

    format_version: Version
    stack: str
    complete: bool
    """Whether all hosts were checked."""
    hosts: list[HostStatusJson]
    strangers: list[ForeignHostJson]
    """Hosts that another state manages."""
    new_machines: list[NewMachineJson]
    notes: dict[str, Any]
    """Reports of resources without a host: who holds an address."""
    summary: CountsJson
    """The changes of a plan."""
    drift: int
    """Number of resources that were changed outside of hacore."""
    ok: bool
    """Whether all hosts were checked, each address has one holder, and all checks pass."""


# -- the state


@published
class LifecycleJson(TypedDict):
    """The lifecycle of a resource."""

    prevent_destroy: bool
    ignore_changes: list[str]
    on_delete: str
    keep_on_failure: bool


@published
class RecordedResourceJson(TypedDict):
    """A recorded resource instance."""

    address: str
    kind: str
    name: str
    key: str | None
    hosts: list[str]
    attrs: dict[str, Any] | None
    """A sensitive value is "(sensitive)"."""
    info: dict[str, Any] | None
    needs: list[str]
    claims: list[str]
    lifecycle: LifecycleJson
    pending: list[str]
    """Changed resources for which a reload or restart is pending."""
    found: str
    """absent, same or different: the resource before hacore managed it."""
    tainted: bool
    run: int
    """The last run that changed the resource."""


@published
class ResourcesJson(TypedDict):
    """The output of `hacore show --json` and `hacore state show --json`."""

    format_version: Version
    resources: list[RecordedResourceJson]


@published
class AddressesJson(TypedDict):
    """The output of `hacore state list --json`."""

    format_version: Version
    addresses: list[str]


@published
class RunTaskJson(TypedDict):
    """A task of a recorded run."""

    id: str
    op: str
    host: str | None
    addresses: list[str]
    status: TaskStatus
    needs: list[str]
    lane: int
    error: str
    started: float | None
    ended: float | None


@published
class RunJson(TypedDict):
    """A recorded run; times are Unix times in seconds."""

    run: int
    command: str
    status: str
    """running, done, failed, rolled_back or interrupted."""
    started: float
    ended: float | None
    who: str
    stack: str
    on_failure: str
    undoes: list[int]
    """The runs that a rollback undoes."""
    summary: Any
    tasks: NotRequired[list[RunTaskJson]]
    """The tasks in their order; only where one run is shown."""


@published
class RunReportJson(RunJson):
    """The output of `hacore runs RUN --json`."""

    format_version: Version


@published
class RunsJson(TypedDict):
    """The output of `hacore runs --json`."""

    format_version: Version
    runs: list[RunJson]


@published
class StateChangeJson(TypedDict):
    """A change of a recorded resource."""

    address: str
    action: StateAction


@published
class EpisodeJson(TypedDict):
    """A session that changed the state."""

    serials: list[int]
    run: int | None
    what: str
    who: str
    began: float
    ended: float
    changes: list[StateChangeJson]


@published
class HistoryJson(TypedDict):
    """The output of `hacore state history --json`."""

    format_version: Version
    history: list[EpisodeJson]
    """The newest first."""


@published
class SidesJson(TypedDict):
    """The values of a field; a side without the field is omitted."""

    before: NotRequired[Any]
    after: NotRequired[Any]


@published
class StateDifferenceJson(StateChangeJson):
    """A recorded resource that differs between two serials."""

    fields: dict[str, SidesJson]


StateDiffJson = TypedDict(
    "StateDiffJson", {"format_version": Version, "from": int, "to": int, "changes": list[StateDifferenceJson]}
)
StateDiffJson.__doc__ = "The output of `hacore state diff --json`; sensitive values as their HMAC."


@published
class StoredResourceJson(TypedDict):
    """A resource as stored; sensitive values as their HMAC."""

    address: str
    spec: Any
    schema_version: int
    attrs: dict[str, Any] | None
    info: Any
    sensitive: list[str]
    needs: list[str]
    claims: list[str]
    hosts: list[str]
    lifecycle: LifecycleJson
    loaded: dict[str, Any]
    origin: Any
    found: str
    tainted: bool
    run: int


@published
class StoredHostJson(TypedDict):
    """A host as stored."""

    name: str
    host: dict[str, Any]
    machine_id: str
    facts: dict[str, Any]


@published
class StoredRunJson(RunJson):
    """A run as stored."""

    stack_digest: str


@published
class RevisionJson(TypedDict):
    """A commit of the state."""

    serial: int
    at: float
    run: int | None
    who: str
    what: str


@published
class StateJson(TypedDict):
    """The output of `hacore state pull`."""

    format_version: Version
    lineage: str
    serial: int
    resources: list[StoredResourceJson]
    hosts: list[StoredHostJson]
    runs: list[StoredRunJson]
    history: list[RevisionJson]


# -- import, validate, version, labs


@published
class ImportedJson(TypedDict):
    """An imported resource instance."""

    address: str
    host: str | None
    differs: list[str]
    """Attributes that do not match the desired state."""


@published
class ImportJson(TypedDict):
    """The output of `hacore import --json`."""

    format_version: Version
    stack: str
    imported: list[ImportedJson]


@published
class ProblemJson(TypedDict):
    """A mistake in a stack."""

    file: str
    line: int
    column: int
    address: str
    message: str


@published
class ValidationJson(TypedDict):
    """The output of `hacore validate --json`."""

    format_version: Version
    valid: bool
    problems: list[ProblemJson]
    stack: NotRequired[str]
    """Only of a valid stack."""
    instances: NotRequired[int]
    """Only of a valid stack."""


@published
class VersionJson(TypedDict):
    """The output of `hacore version --json`."""

    format_version: Version
    hacore: str
    warnings: list[str]
    """Installed kinds that cannot be used, each with its reason."""


@published
class LabJson(TypedDict):
    """A lab of this machine."""

    name: str
    alive: bool
    addresses: list[str]


@published
class LabsJson(TypedDict):
    """The output of `hacore lab list --json`."""

    format_version: Version
    labs: list[LabJson]


@published
class RehearsalStepJson(TypedDict):
    """A step of a rehearsal."""

    name: str
    ok: bool
    seconds: float
    said: str
    """The result in a sentence."""
    output: str
    """The output of the failed command."""


@published
class RehearsalJson(TypedDict):
    """The output of `hacore rehearse --json`."""

    format_version: Version
    stack: str
    hosts: list[str]
    ok: bool
    seconds: float
    acts: list[RehearsalStepJson]


# -- runs in progress: a line of JSON for each event


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
