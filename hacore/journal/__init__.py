"""The journal: a plan as a run with tasks in the store, and back. It is the rollback plan, too."""

from .back import QUIET, Back, Given, Undone, inputs_of, mirrored, plan_back, rows_back
from .back_triggers import hanging
from .carry import Journey, Leftover, join, left_over, takers
from .recorded import graph_of, stack_of
from .renaming import Renaming
from .rows import new_row, recorded_sources, rows_after
from .tasks import live_tasks, records_of, restore_tasks
from .types import Live
from .ways import cancelled, last_applied, way_back

__all__ = [
    "QUIET",
    "Back",
    "Given",
    "Journey",
    "Leftover",
    "Live",
    "Renaming",
    "Undone",
    "cancelled",
    "graph_of",
    "hanging",
    "inputs_of",
    "join",
    "last_applied",
    "left_over",
    "live_tasks",
    "mirrored",
    "new_row",
    "plan_back",
    "recorded_sources",
    "records_of",
    "restore_tasks",
    "rows_after",
    "rows_back",
    "stack_of",
    "takers",
    "way_back",
]
