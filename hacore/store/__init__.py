"""The state: recorded hosts and resources, and the journal of runs. Knows no kinds and no plans.

    StateReader   for plan and drift: read-only, does not change a byte
    StateWriter   for a run: one lock, one thread, one connection; atomic commits of moves and images
    records       the values that are written and read

SQLite by default, any SQLAlchemy URL for teams. sqlalchemy, alembic and cryptography are imported
nowhere else, and only when they are needed: reading an SQLite state needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import row_from_json, row_to_json
from .history import Delta, Episode, Revision, RowChange, changes_between, episodes
from .parts import host_from_json, host_to_json, lifecycle_from_json, lifecycle_to_json
from .place import Place
from .reader import StateReader, StateView
from .records import (
    UNFINISHED,
    Committed,
    DropHost,
    DropRow,
    HostRecord,
    LockInfo,
    Move,
    PutHost,
    PutRow,
    PutRun,
    PutTask,
    RunRecord,
    SetLoaded,
    SetTask,
    TaskRecord,
)
from .select import matching
from .spill import Spilled
from .writer import StateWriter

if TYPE_CHECKING:
    from .catalog import StateEntry
    from .relocation import Relocated

__all__ = [
    "UNFINISHED",
    "Committed",
    "Delta",
    "DropHost",
    "DropRow",
    "Episode",
    "HostRecord",
    "LockInfo",
    "Move",
    "PutHost",
    "PutRow",
    "PutRun",
    "PutTask",
    "Revision",
    "RowChange",
    "RunRecord",
    "SetLoaded",
    "SetTask",
    "Spilled",
    "StateReader",
    "StateView",
    "StateWriter",
    "TaskRecord",
    "changes_between",
    "episodes",
    "host_from_json",
    "host_to_json",
    "lifecycle_from_json",
    "lifecycle_to_json",
    "matching",
    "relocate",
    "row_from_json",
    "row_to_json",
    "states",
    "unlock",
]


def states(url: str) -> list[StateEntry]:
    """All states of the database of a URL, by name. Read-only. Raises StoreError."""
    from . import catalog

    return catalog.states(url)


def relocate(source_url: str, target_url: str, *, who: str) -> Relocated:
    """Move a state to another database; see relocation.py. Raises StoreError, LockedError."""
    from . import relocation

    return relocation.relocate(source_url, target_url, who=who)


def unlock(url: str, force: bool = False, run: int | None = None) -> LockInfo | None:
    """Break the lock of a dead holder, with `force` of any; returns the former lock, None if there was none.

    `run`: only the lock of that run, also if it is not known whether its process is running.
    A running holder fails at its next commit. Raises LockedError, StoreError.
    """
    from . import session

    return session.unlock(Place.parse(url), force=force, run=run)
