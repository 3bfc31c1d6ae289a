"""The engine: what a command does, from the stack file to the state. It prints nothing, it emits events."""

from .applying import apply
from .drifting import drift
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
    "load_stack",
    "plan",
    "rollback",
    "state_url_of",
]
