"""Plan: a pure function of the desired, the recorded and the observed state."""

from .asked import answered_by, askers
from .claims import stored_claims
from .drift import drift_of
from .examine import examine_stack
from .inputs import Inputs
from .make import make_plan
from .ownership import (
    Claimant,
    NewMachine,
    Ownership,
    Stranger,
    custody_of,
    marks_of_rows,
    marks_of_stack,
    new_machines,
    refuse_conflicts,
)
from .public_json import plan_json
from .sealing import Seal, recorded_spec, seal_attrs
from .selection import NO_SELECTION, Selection
from .targets import hosts_to_ask
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
    "NO_SELECTION",
    "Claimant",
    "Drift",
    "HostStatus",
    "Inputs",
    "NewMachine",
    "Ownership",
    "Plan",
    "PlanTask",
    "PlannedChange",
    "Recorded",
    "Seal",
    "Selection",
    "Stranger",
    "answered_by",
    "askers",
    "asks_of_desired",
    "asks_of_recorded",
    "custody_of",
    "desired_views",
    "drift_of",
    "examine_stack",
    "hosts_to_ask",
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
