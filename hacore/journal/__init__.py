"""The journal: a plan as a run with tasks in the store, and back. It is the rollback plan, too."""

from .live import RunningTask
from .new_rows import new_row, recorded_sources, rows_after
from .renaming import Renaming
from .resume import ResumedRun, UnfinishedTasks, join, left_over, takers
from .rollback.as_stack import graph_of, stack_of
from .rollback.plan import QUIET, RollbackInputs, RollbackTasks, inputs_of, plan_back, rows_back
from .rollback.triggers import hanging
from .rollback.types import Undone, mirrored
from .rollback.which_runs import cancelled, last_applied, way_back
from .task_records import live_tasks, records_of, restore_tasks

__all__ = [
    "QUIET",
    "Renaming",
    "ResumedRun",
    "RollbackInputs",
    "RollbackTasks",
    "RunningTask",
    "Undone",
    "UnfinishedTasks",
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
