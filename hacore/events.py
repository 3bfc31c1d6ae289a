"""Events: how the engine reports progress. It prints nothing; renderers listen.

Each event is a frozen value with a stable `type`, so that the text renderer and `--json` show the
same objects in the same order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

EVENTS_VERSION: Final = "1.0"
"""The version of events as JSON; see `hacore schema events`."""

EventType = Literal[
    "host_connecting",
    "host_ready",
    "host_unreachable",
    "run_started",
    "task_started",
    "task_progress",
    "task_done",
    "task_failed",
    "task_held",
    "task_undo_started",
    "task_undone",
    "task_undo_failed",
    "warning",
    "run_finished",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `data` is JSON and carries no secret; `at` is Unix time in seconds."""

    type: EventType
    message: str = ""
    host: str | None = None
    task: str | None = None
    addresses: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that ignores all events."""
