"""The types of a plan's public JSON. `hacore schema plan` is derived from them, docstrings included."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

published = with_config(ConfigDict(use_attribute_docstrings=True))
"""For types with docstrings that become the descriptions in their JSON Schema."""

PlanCommand = Literal["apply", "destroy", "refresh-only"]
ActionWord = Literal["create", "update", "replace", "delete", "noop", "adopt", "forget"]


@published
class AttrJson(TypedDict):
    """An attribute that differs."""

    path: str
    """The attribute, into structures: directories[0].mode."""
    sensitive: bool
    """Whether the values are sensitive; they are omitted then."""
    before: NotRequired[Any]
    """The previous value."""
    after: NotRequired[Any]
    """The new value; null also for a value that is known after apply."""
    hunks: NotRequired[list[str]]
    """Lines of a unified diff, when the attribute stands for a text."""


@published
class ChangeJson(TypedDict):
    """A change of one resource instance."""

    address: str
    kind: str
    name: str
    host: str | None
    """Null for a resource that spans several hosts."""
    action: ActionWord
    reason: str
    before: dict[str, Any] | None
    """Null: the resource does not exist. A sensitive value is "(sensitive)"."""
    after: dict[str, Any] | None
    """Null: the resource is deleted or forgotten. A sensitive value is "(sensitive)"."""
    after_unknown: list[str]
    """Attributes with values that are known after apply."""
    attrs: list[AttrJson]
    """The attributes that differ."""
    irreversible: str
    """Why the change cannot be undone; empty: it can."""
    effect: str
    """Side effects: reload nginx."""


@published
class PlanDriftJson(TypedDict):
    """A resource that was changed outside of hacore."""

    address: str
    host: str | None
    reason: str
    attrs: list[AttrJson]
    changed: NotRequired[float]
    """Unix time of the last change of a file."""


@published
class TaskJson(TypedDict):
    """A node of the execution graph."""

    id: str
    op: str
    """change, reload, restart, drain, verify, undrain or ensure."""
    addresses: list[str]
    host: str | None
    needs: list[str]
    """Ids of the tasks that must be done first."""
    lane: int
    """Tasks of one lane are rolled back together."""


@published
class ForeignHostJson(TypedDict):
    """A host that another state of the stack manages."""

    host: str
    stack: str
    env: str
    lineage: str
    serial: int
    who: str
    when: float
    """Unix time in seconds."""
    why: str


@published
class NewMachineJson(TypedDict):
    """A host that is another machine than the recorded one."""

    host: str
    recorded: str
    """The recorded machine-id."""
    found: str
    """The machine-id of the host."""


@published
class UnreachableJson(TypedDict):
    """A host that was not checked."""

    host: str
    reason: str


@published
class WidenedJson(TypedDict):
    """A resource that was included or excluded because of a selected one."""

    address: str
    reason: str


@published
class CountsJson(TypedDict):
    """Numbers of resource instances by action."""

    create: int
    update: int
    replace: int
    delete: int
    noop: int
    adopt: int
    forget: int


@published
class PlanJson(TypedDict):
    """A plan."""

    format_version: Literal["1.0"]
    stack: str
    command: PlanCommand
    lineage: str
    """The lineage of the state; empty: there is no state yet."""
    serial: int
    applyable: bool
    """Whether there are changes, and all hosts were checked."""
    complete: bool
    """Whether all hosts were checked."""
    refreshed: bool
    """False: compared with the state, no host was contacted."""
    changes: list[ChangeJson]
    drift: list[PlanDriftJson]
    """Resources that differ from the state."""
    strangers: list[ForeignHostJson]
    """Hosts that another state manages."""
    new_machines: list[NewMachineJson]
    unreachable: list[UnreachableJson]
    tasks: list[TaskJson]
    """The execution graph."""
    notes: dict[str, Any]
    """Reports of resources without a host: who holds an address."""
    outputs: dict[str, Any]
    warnings: list[str]
    summary: CountsJson
    targets: NotRequired[list[str]]
    """A partial plan: only these resources and what they depend on."""
    excludes: NotRequired[list[str]]
    """A partial plan: without these resources and everything that depends on them."""
    replaces: NotRequired[list[str]]
    """What --replace names: these resources are deleted and created again."""
    widened: NotRequired[list[WidenedJson]]
    """Resources that were included or excluded because of the selected ones."""
    left_out: NotRequired[int]
    """Changes on the checked hosts that are not included."""
