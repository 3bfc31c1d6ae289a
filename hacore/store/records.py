"""What goes into the store and comes out of it, besides rows and images: values, without I/O.

Writing is `await writer.commit(*moves, images={token: image})`: one transaction, all or nothing.
A *move* is one of the values below. An image that is stored in the same commit has no id yet; the
caller gives it a *token*, any string, and the moves of that commit say the token where an id
belongs (`SetTask.image_tokens`, `PutTask.image_tokens`, `PutRow.origin_token`). Tokens mean
something within one commit only; `Committed.image_ids` tells the ids they became. So before-images
and the intent that rests on them get to the disk together:

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

UNFINISHED = ("running", "interrupted")  # statuses of a run that is to be resumed or rolled back


@dataclass(frozen=True, slots=True)
class HostRecord:
    """A host as the last run knew it: enough to probe it when the stack no longer names it.

    `host` is what `host_to_json` gives; `facts` tells family, os, init and the like.
    """

    name: str
    host: JSON
    machine_id: str = ""
    facts: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. `id` 0 means not stored yet; `started` and `ended` are Unix times in seconds.

    `command`: apply, destroy or rollback. `status`: running, done, failed, rolled_back or
    interrupted. `undoes` numbers the runs that a rollback takes back.
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

    `images`: address -> id of the before-image. `before`: address -> the row as `row_to_json` had
    it before this task, None when there was no row. Both are by `str(Address)`.
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
    """Record an instance, or replace what is recorded. `origin_token` stands for `row.origin`."""

    row: Row
    origin_token: str = ""


@dataclass(frozen=True, slots=True)
class DropRow:
    """Forget an instance; one that is not recorded is no error."""

    address: Address


@dataclass(frozen=True, slots=True)
class PutHost:
    """Record a host, or replace what is recorded."""

    record: HostRecord


@dataclass(frozen=True, slots=True)
class DropHost:
    """Forget a host; one that is not recorded is no error."""

    name: str


@dataclass(frozen=True, slots=True)
class PutRun:
    """Replace a run that is stored already (`new_run` stores the first version and gives the id)."""

    run: RunRecord


@dataclass(frozen=True, slots=True)
class PutTask:
    """Store a task, or replace it. `image_tokens` (address -> token) come on top of `task.images`."""

    task: TaskRecord
    image_tokens: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetTask:
    """Change some fields of a stored task.

    `changed` maps stored names of a task's fields (not run and id; see `codec.task_columns`) to
    values. `images` and `before` are merged by address into what is stored, everything else replaces.
    A task that is not stored is a StoreError. `image_tokens` maps address -> token of an image in the same commit.
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
    """Merge into `loaded` of a row: source address -> mark, see `taken` and `waiting` in the model.

    Without a recorded row nothing happens: it will be recorded with its own `loaded`.
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
    """What a commit came to: the state's serial after it, and the ids of the images it stored."""

    serial: int
    image_ids: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LockInfo:
    """The holder of a state's lock. `since` is Unix time in seconds.

    Its start time (clock ticks since boot), boot id and pid namespace tell the process from later ones with
    the same pid; `hardware` tells clones of one machine apart. Each is empty where it cannot be read.
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
        return f"{self.who} ({self.what}, pid {self.pid} on {self.hostname}, since {_utc(self.since)})"


def _utc(seconds: float) -> str:
    """Unix time in words that sort."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
