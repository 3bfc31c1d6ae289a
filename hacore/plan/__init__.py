"""Plan: a pure function of what is wanted, what is recorded and what was observed."""

from .changes import Inputs, drift_of
from .custody import Custody, NewMachine, lost_rows, new_machines
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
    "asks_of_desired",
    "asks_of_recorded",
    "desired_views",
    "drift_of",
    "lost_rows",
    "make_plan",
    "merge_asks",
    "new_machines",
    "plan_json",
    "recorded_spec",
    "recorded_views",
    "revive",
    "seal_attrs",
    "stored_claims",
]
