"""The engine: what a command does, from the stack file to the state. It prints nothing, it emits events."""

from .applying import apply
from .drifting import drift
from .keeping import forget, new_key
from .planning import load_stack, plan
from .results import (
    DriftReport,
    Planned,
    Request,
    RollbackItem,
    RollbackPlan,
    RollbackResult,
    RunResult,
    TaskSummary,
    state_url_of,
)
from .rolling import rollback

__all__ = [
    "DriftReport",
    "Planned",
    "Request",
    "RollbackItem",
    "RollbackPlan",
    "RollbackResult",
    "RunResult",
    "TaskSummary",
    "apply",
    "drift",
    "forget",
    "load_stack",
    "new_key",
    "plan",
    "rollback",
    "state_url_of",
]
