"""Plan: a pure function of what is wanted, what is recorded and what was observed."""

from .changes import Inputs, drift_of
from .custody import (
    Claimant,
    Custody,
    NewMachine,
    Stranger,
    custody_of,
    marks_of_rows,
    marks_of_stack,
    new_machines,
    refuse_conflicts,
)
from .make import make_plan
from .rows import Seal, recorded_spec, seal_attrs, stored_claims
from .show import plan_json
from .types import Drift, HostStatus, Plan, PlannedChange, PlanTask
from .views import (
    Recorded,
    asks_of_desired,
    asks_of_recorded,
    desired_views,
    merge_asks,
    recorded_views,
    revive,
)

__all__ = [
    "Claimant",
    "Custody",
    "Drift",
    "HostStatus",
    "Inputs",
    "NewMachine",
    "Plan",
    "PlanTask",
    "PlannedChange",
    "Recorded",
    "Seal",
    "Stranger",
    "asks_of_desired",
    "asks_of_recorded",
    "custody_of",
    "desired_views",
    "drift_of",
    "make_plan",
    "marks_of_rows",
    "marks_of_stack",
    "merge_asks",
    "new_machines",
    "plan_json",
    "recorded_spec",
    "recorded_views",
    "refuse_conflicts",
    "revive",
    "seal_attrs",
    "stored_claims",
]
