"""The engine: what a command does, from the stack file to the state. It emits events and prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..load.request import LoadRequest
from .means import Means
from .request import ApplyOptions, Request, state_url_of
from .results import DriftReport, Planned, RollbackItem, RollbackPlan, RollbackResult, RunResult, TaskSummary, WayBack

if TYPE_CHECKING:
    from .applying import apply
    from .drift_check import drift
    from .importing import Adoption, adopt
    from .planning import load_stack, plan
    from .rolling_back.choose import rollback
    from .run import check_applyable
    from .saved_plans.apply_file import apply_saved, state_of
    from .saved_plans.authentic import check_authentic, sign
    from .saved_plans.file import check_place, names_plan
    from .saved_plans.read import SavedPlan, load_plan
    from .saved_plans.write import SavedAs, save_plan
    from .state_edits import StateEditResult, forget, move, new_key, prune_runs, rename_host
    from .status_check import StatusReport, status

__all__ = [
    "Adoption",
    "ApplyOptions",
    "DriftReport",
    "LoadRequest",
    "Means",
    "Planned",
    "Request",
    "RollbackItem",
    "RollbackPlan",
    "RollbackResult",
    "RunResult",
    "SavedAs",
    "SavedPlan",
    "StateEditResult",
    "StatusReport",
    "TaskSummary",
    "WayBack",
    "adopt",
    "apply",
    "apply_saved",
    "check_applyable",
    "check_authentic",
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
    "sign",
    "state_of",
    "state_url_of",
    "status",
]

_WHERE = {
    "StateEditResult": "state_edits",
    "SavedAs": "saved_plans.write",
    "SavedPlan": "saved_plans.read",
    "Adoption": "importing",
    "adopt": "importing",
    "apply": "applying",
    "apply_saved": "saved_plans.apply_file",
    "check_applyable": "run",
    "check_authentic": "saved_plans.authentic",
    "check_place": "saved_plans.file",
    "drift": "drift_check",
    "forget": "state_edits",
    "load_plan": "saved_plans.read",
    "load_stack": "planning",
    "names_plan": "saved_plans.file",
    "move": "state_edits",
    "new_key": "state_edits",
    "plan": "planning",
    "prune_runs": "state_edits",
    "rename_host": "state_edits",
    "rollback": "rolling_back.choose",
    "save_plan": "saved_plans.write",
    "sign": "saved_plans.authentic",
    "state_of": "saved_plans.apply_file",
    "StatusReport": "status_check",
    "status": "status_check",
}


def __getattr__(name: str) -> Any:
    """Import a command when it is first used: a plan needs nothing that only an apply needs."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    return found
