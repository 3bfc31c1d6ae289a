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
    WayBack,
    state_url_of,
)

if TYPE_CHECKING:
    from .adopting import Adoption, adopt
    from .applying import apply
    from .drifting import drift
    from .keeping import Kept, forget, move, new_key, prune_runs, rename_host
    from .planfile import check_place, names_plan
    from .planning import load_stack, plan
    from .replaying import apply_saved
    from .rolling import rollback
    from .saved import SavedPlan, load_plan
    from .saving import SavedAs, save_plan

__all__ = [
    "Adoption",
    "DriftReport",
    "Kept",
    "Planned",
    "Request",
    "RollbackItem",
    "RollbackPlan",
    "RollbackResult",
    "RunResult",
    "SavedAs",
    "SavedPlan",
    "TaskSummary",
    "WayBack",
    "adopt",
    "apply",
    "apply_saved",
    "check_place",
    "drift",
    "forget",
    "load_plan",
    "load_stack",
    "move",
    "names_plan",
    "new_key",
    "plan",
    "prune_runs",
    "rename_host",
    "rollback",
    "save_plan",
    "state_url_of",
]

_WHERE = {
    "Kept": "keeping",
    "SavedAs": "saving",
    "SavedPlan": "saved",
    "Adoption": "adopting",
    "adopt": "adopting",
    "apply": "applying",
    "apply_saved": "replaying",
    "check_place": "planfile",
    "drift": "drifting",
    "forget": "keeping",
    "load_plan": "saved",
    "load_stack": "planning",
    "names_plan": "planfile",
    "move": "keeping",
    "new_key": "keeping",
    "plan": "planning",
    "prune_runs": "keeping",
    "rename_host": "keeping",
    "rollback": "rolling",
    "save_plan": "saving",
}


def __getattr__(name: str) -> Any:
    """Import what a command does when it is called: a plan needs nothing of what an apply needs."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    return found
