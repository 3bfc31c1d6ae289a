"""The engine: what a command does, from the stack file to the state. It prints nothing, it emits events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from .applying import apply
    from .drifting import drift
    from .keeping import forget, new_key
    from .planning import load_stack, plan
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

_WHERE = {
    "apply": "applying",
    "drift": "drifting",
    "forget": "keeping",
    "load_stack": "planning",
    "new_key": "keeping",
    "plan": "planning",
    "rollback": "rolling",
}


def __getattr__(name: str) -> Any:
    """Import what a command does when it is called: a plan needs nothing of what an apply needs."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    return found
