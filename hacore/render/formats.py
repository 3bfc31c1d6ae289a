"""The types of everything that `--json` prints. `hacore schema NAME` is derived from them, docstrings included.

A new key makes a new minor version, and readers must ignore keys that they do not know. The meaning of a key
changes only with a new major version.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from ..contract import VerdictWord
from ..plan.public_types import (
    CountsJson,
    ForeignHostJson,
    NewMachineJson,
    UnreachableJson,
    published,
)

Version = Literal["1.0"]


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
    hunks: NotRequired[list[str]]
    """Lines of a unified diff from the recorded text to the one found; secrets are masked."""


@published
class DriftJson(TypedDict):
    """A resource that was changed outside of hacore."""

    address: str
    host: str | None
    reason: str
    attrs: list[DriftAttrJson]
    changed: NotRequired[float]
    """Unix time of the last change of a file."""
    logins: NotRequired[list[str]]
    """Who was logged in on the host then, as last(1) has it."""


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
    addresses: list[AddressStatusJson]
    """The verdict on each virtual address; one without exactly one holder counts as drift."""
    known: NotRequired[int]
    """With --since-last: number of differences that were already reported."""
    since: NotRequired[float | None]
    """With --since-last: Unix time of the previous check."""


@published
class DaemonJson(TypedDict):
    """A daemon on a host."""

    name: str
    up: bool
    wanted: bool | None
    """null: whether it runs is not managed."""


@published
class HostStatusJson(TypedDict):
    """A host."""

    host: str
    address: str
    reachable: bool
    os: str
    error: str
    daemons: list[DaemonJson]
    """The daemons that serving needs."""


@published
class DrainJson(TypedDict):
    """An operator's order that keeps a host out of service."""

    by: str
    since: float | None
    until: float | None
    """Unix time of its end; null: until `hacore undrain`."""
    overdue: bool
    """The end has come, and the host did not undrain itself: something that must run there does not."""
    reason: str
    hard: bool
    """It does not take over even if no other member is left."""


@published
class MemberJson(TypedDict):
    """A host's part in serving an address."""

    host: str
    state: str
    """MASTER, BACKUP, FAULT, starting, stopped or unknown."""
    holds: bool
    able: bool | None
    """Whether it would take the address over; null: it did not answer."""
    cause: str
    """Why it would not."""
    since: float | None
    """Unix time of its last change of state; null: not recorded."""
    recorded_from: float | None
    """Unix time of the oldest line of its log."""
    priority: int | None
    """The effective priority."""
    trackers: list[str]
    """What lowers the priority now."""
    order: NotRequired[DrainJson]
    """The operator's order that keeps it drained."""
    drained: bool


@published
class CheckResultJson(TypedDict):
    """A health check, as the holder or this machine (hacore) made it."""

    question: str
    by: str
    good: bool | None
    """null: not asked."""
    words: str


@published
class AddressStatusJson(TypedDict):
    """An address that hosts serve together."""

    address: str
    resources: list[str]
    verdict: VerdictWord
    cause: str
    next: str
    """The next command."""
    holders: list[str]
    members: list[MemberJson]
    checks: list[CheckResultJson]
    moves: int | None
    """Number of moves outside of runs, since moves_since; null: not known."""
    moves_since: float | None


@published
class StatusJson(TypedDict):
    """The output of `hacore status --json`."""

    format_version: Version
    stack: str
    complete: bool
    """Whether all hosts were checked."""
    verdict: VerdictWord | None
    """The worst verdict of the addresses; null: there is no address."""
    addresses: list[AddressStatusJson]
    hosts: list[HostStatusJson]
    strangers: list[ForeignHostJson]
    """Hosts that another state manages."""
    new_machines: list[NewMachineJson]
    interrupted_run: int | None
    problem: str
    """Why the stack cannot be used; the status is by the state alone then."""
    notes: dict[str, Any]
    """Reports of resources without a host: who holds an address."""
    summary: CountsJson | None
    """The changes of a plan; null: the stack cannot be used."""
    drift: int | None
    """Number of resources that were changed outside of hacore; null: the stack cannot be used."""
    ok: bool
    """Whether the exit code is 0: all hosts were checked, and all addresses are healthy."""


# -- the state


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
    twins: dict[str, bool]
    """By name, whether the twin is on."""


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
