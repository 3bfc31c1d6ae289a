"""The journal: a plan as a run with tasks in the store, and back. It is the rollback plan, too."""

from .carry import Journey, Leftover, join, left_over, takers
from .renaming import Renaming
from .rows import new_row, rows_after
from .tasks import live_tasks, records_of, restore_tasks
from .types import Live

__all__ = [
    "Journey",
    "Leftover",
    "Live",
    "Renaming",
    "join",
    "left_over",
    "live_tasks",
    "new_row",
    "records_of",
    "restore_tasks",
    "rows_after",
    "takers",
]
