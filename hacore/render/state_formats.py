"""JSON of the state, of runs and of the history, as typed values: what `hacore schema` publishes."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from ..plan.public_types import published
from .formats import TaskStatus, Version

StateAction = Literal["create", "update", "delete"]


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
class StateEntryJson(TypedDict):
    """A state of a database; `name` is empty for the one without a name."""

    name: str
    lineage: str
    serial: int
    resources: int
    runs: int
    interrupted_run: int | None
    locked_by: str
    moved_to: str


@published
class StatesJson(TypedDict):
    """The output of `hacore state list --all --json`."""

    format_version: Version
    states: list[StateEntryJson]


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
