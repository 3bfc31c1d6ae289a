"""The records of the store besides rows and images, and the moves that write them: values, without I/O.

Writing is `await writer.commit(*moves, images={token: image})`: one transaction, all or nothing.
A *move* is one of the values below. An image in the same commit has no id yet; the caller gives it a
*token*, any string, and the moves of that commit use the token in place of the id
(`SetTask.image_tokens`, `PutTask.image_tokens`, `PutRow.origin_token`). Tokens are valid in one commit
only; `Committed.image_ids` maps them to ids. So before-images and the intent that depends on them are
written together:

    done = await writer.commit(
        SetTask(run, task, {"status": "doing", "started": now}, image_tokens={str(address): "a"}),
        SetLoaded(consumer, {str(address): None}),
        images={"a": image},
    )
    done.serial, done.image_ids["a"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..address import Address
from ..model import JSON, Row
from ..printable import one_line

UNFINISHED = ("running", "interrupted")  # statuses of a run that can be resumed or rolled back


@dataclass(frozen=True, slots=True)
class HostRecord:
    """A host as recorded by the last run: enough to probe it when it is no longer in the stack.

    `host` is in the form of `host_to_json`; `facts` has family, os, init and the like.
    """

    name: str
    host: JSON
    machine_id: str = ""
    facts: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. `id` 0 means not stored yet; `started` and `ended` are Unix times in seconds.

    `command`: apply, destroy, rollback or roll. `status`: running, done, failed, rolled_back or
    interrupted. `undoes`: the ids of the runs that a rollback rolls back.
    """

    id: int
    command: str
    status: str
    started: float
    ended: float | None
    who: str
    stack: str
    stack_digest: str
    on_failure: str
    undoes: tuple[int, ...] = ()
    options: JSON = field(default_factory=dict)
    summary: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task of a run. `needs` are task ids of the same run, `position` is its place in the order.

    `images`: address -> id of the before-image. `before`: address -> the row before this task, in the form of
    `row_to_json`; None when there was no row. Both are by `str(Address)`.
    """

    run: int
    id: str
    op: str
    kind: str
    host: str | None
    addresses: tuple[str, ...]
    status: str
    needs: tuple[str, ...] = ()
    lane: int = 0
    payload: JSON = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, JSON | None] = field(default_factory=dict)
    error: str = ""
    started: float | None = None
    ended: float | None = None
    position: int = 0


# --- moves -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PutRow:
    """Record an instance, or replace its row. `origin_token` stands for `row.origin`."""

    row: Row
    origin_token: str = ""


@dataclass(frozen=True, slots=True)
class DropRow:
    """Forget an instance; does nothing when it is not recorded."""

    address: Address


@dataclass(frozen=True, slots=True)
class PutHost:
    """Record a host, or replace its record."""

    record: HostRecord


@dataclass(frozen=True, slots=True)
class DropHost:
    """Forget a host; does nothing when it is not recorded."""

    name: str


@dataclass(frozen=True, slots=True)
class PutRun:
    """Replace the record of a run (`new_run` stores the first version and returns the id)."""

    run: RunRecord


@dataclass(frozen=True, slots=True)
class PutTask:
    """Store a task, or replace it. `image_tokens` (address -> token) are added to `task.images`."""

    task: TaskRecord
    image_tokens: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetTask:
    """Change some fields of a stored task.

    `changed` maps stored names of a task's fields (not run and id; see `columns.task_columns`)
    to values. `images` and `before` are merged by address, all other fields are replaced.
    Raises StoreError for a task that is not stored. `image_tokens` maps address -> token of an image in
    the same commit.
    """

    run: int
    id: str
    changed: Mapping[str, Any] = field(default_factory=dict)
    image_tokens: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = sorted(set(self.changed) - _CHANGEABLE)
        if wrong:
            raise ValueError(f"cannot change {', '.join(wrong)} of a task: no such fields")


@dataclass(frozen=True, slots=True)
class SetLoaded:
    """Merge into `loaded` of a row: source address -> mark, see `loaded_mark` and `pending_mark` in the model.

    Does nothing without a recorded row, which will be recorded with its own `loaded`.
    """

    address: Address
    loaded: Mapping[str, str | None]


_CHANGEABLE = frozenset(
    [
        *("op", "kind", "host", "addresses", "status", "needs", "lane", "payload", "images", "before", "error"),
        *("started", "ended", "position"),
    ]
)

Move = PutRow | DropRow | PutHost | DropHost | PutRun | PutTask | SetTask | SetLoaded


@dataclass(frozen=True, slots=True)
class Committed:
    """The result of a commit: the state's serial after it, and the ids of its images by token."""

    serial: int
    image_ids: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LockInfo:
    """The holder of a state's lock. `since` is Unix time in seconds.

    Its start time (clock ticks since boot), boot id and pid namespace distinguish the process from later ones
    with the same pid; `hardware` distinguishes clones of one machine. Each is empty where it cannot be read.
    """

    who: str
    what: str
    since: float
    pid: int
    pid_started: str = ""
    pid_space: str = ""
    boot_id: str = ""
    machine_id: str = ""
    hostname: str = ""
    hardware: str = ""
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return one_line(f"{self.who} ({self.what}, pid {self.pid} on {self.hostname}, since {_utc(self.since)})")


def _utc(seconds: float) -> str:
    """Unix time as text that sorts."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
