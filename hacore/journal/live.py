"""A task of the current run."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..address import Address
from ..model import JSON, Image, Status
from ..plan import PlanTask


@dataclass(slots=True)
class RunningTask:
    """A task of the current run: its plan, its status, and the state that its undo restores.

    `before`: the rows as JSON before this task (None: no row). `images`: the stored before-images by
    address; `image_ids` their ids. Mutable: only the walker changes it.
    """

    task: PlanTask
    status: Status = Status.DO
    images: dict[Address, Image] = field(default_factory=dict)
    image_ids: dict[Address, int] = field(default_factory=dict)
    before: dict[Address, JSON | None] = field(default_factory=dict)
    error: str = ""
    started: float | None = None
    ended: float | None = None
    shown: str = ""  # the error for the user of this run, where the state keeps less of it
    intent: bool = False  # the intent to touch a host is on disk

    @property
    def id(self) -> str:
        """The task's id in its run."""
        return self.task.id
