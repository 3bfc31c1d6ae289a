"""Values of a rollback: the tasks that are undone, and what each restores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...address import Address
from ...model import JSON, Action
from ...plan import PlannedChange
from ...store import RunRecord
from ..live import RunningTask

Rows = dict[Address, JSON | None]


_MIRROR = {Action.CREATE: Action.DELETE, Action.DELETE: Action.CREATE}


@dataclass(frozen=True, slots=True)
class Undone:
    """A run that is to be undone, with its tasks in their order."""

    record: RunRecord
    tasks: Sequence[RunningTask]


@dataclass(frozen=True, slots=True)
class Restore:
    """The undo of a task: the rows before and after it."""

    key: str
    run: int
    live: RunningTask
    before: Rows
    after: Rows

    @property
    def host(self) -> str:
        """The host that it changes."""
        return str(self.live.task.host)

    @property
    def changes(self) -> tuple[PlannedChange, ...]:
        """Its changes: the mirror of the task's."""
        return tuple(mirrored(p) for p in touching(self.live))

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that it restores."""
        return tuple(p.address for p in touching(self.live))

    @property
    def updates(self) -> bool:
        """Whether it neither creates nor deletes."""
        return all(p.action not in (Action.CREATE, Action.DELETE) for p in self.changes)

    @property
    def images(self) -> dict[Address, int]:
        """The ids of the images that it restores."""
        return {a: self.live.image_ids[a] for a in self.addresses if a in self.live.image_ids}


def touching(live: RunningTask) -> tuple[PlannedChange, ...]:
    """The changes of a task that its undo restores."""
    return tuple(p for p in live.task.changes if p.action not in (Action.ADOPT, Action.FORGET))


def mirrored(planned: PlannedChange) -> PlannedChange:
    """The undo of a change, as a change."""
    action = _MIRROR.get(planned.action, planned.action)
    return replace(planned, action=action, change=replace(planned.change, action=action), inherits=None)
