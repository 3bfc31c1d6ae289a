"""A plan as JSON: the object that `--json` prints, and from which text and exit code follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ..diff import AttrChange
from ..model import Unknown
from ..secrets import masked
from .ownership import NewMachine, Stranger
from .types import Drift, Plan, PlannedChange

if TYPE_CHECKING:
    from .public_types import (
        ActionWord,
        AttrJson,
        ChangeJson,
        CountsJson,
        ForeignHostJson,
        NewMachineJson,
        PlanCommand,
        PlanDriftJson,
        PlanJson,
    )

FORMAT_VERSION: Final = "1.0"


def plan_json(plan: Plan) -> PlanJson:
    """The plan in the documented format; sensitive values are replaced by "(sensitive)"."""
    value: PlanJson = {
        "format_version": FORMAT_VERSION,
        "stack": plan.stack,
        "command": cast("PlanCommand", plan.command),
        "lineage": plan.lineage,
        "serial": plan.serial,
        "applyable": bool(plan.changes) and plan.complete and plan.refreshed and not plan.ownership.foreign_hosts,
        "complete": plan.complete,
        "refreshed": plan.refreshed,
        "changes": [_change(c) for c in plan.changes],
        "drift": [_drift(d) for d in plan.drift],
        "strangers": [stranger_json(s) for s in plan.ownership.foreign_hosts],
        "new_machines": [new_machine_json(m) for m in plan.ownership.new_machines],
        "unreachable": [{"host": name, "reason": plan.hosts[name].error} for name in plan.unreachable],
        "tasks": [
            {
                "id": task.id,
                "op": task.trigger or task.op.value,
                "addresses": [str(a) for a in task.addresses],
                "host": task.host,
                "needs": list(task.needs),
                "lane": task.lane,
            }
            for task in plan.tasks
        ],
        "notes": dict(plan.notes),
        "outputs": masked(plan.outputs, plan.sensitive_outputs),
        "warnings": list(plan.warnings),
        "summary": counts_json(plan),
    }
    if plan.selection.replaces:
        value["replaces"] = [str(one) for one in plan.selection.replaces]
    if plan.selection:
        _add_selection(value, plan)
    return value


def _add_selection(value: PlanJson, plan: Plan) -> None:
    chosen = plan.selection
    if chosen.targets:
        value["targets"] = [str(target) for target in chosen.targets]
    if chosen.excludes:
        value["excludes"] = [str(exclude) for exclude in chosen.excludes]
    value["widened"] = [{"address": str(a), "reason": why} for a, why in plan.widened.items()]
    value["left_out"] = plan.left_out


def counts_json(plan: Plan) -> CountsJson:
    """Numbers of instances by action."""
    counts = plan.summary()
    return {
        "create": counts["create"],
        "update": counts["update"],
        "replace": counts["replace"],
        "delete": counts["delete"],
        "noop": counts["noop"],
        "adopt": counts["adopt"],
        "forget": counts["forget"],
    }


def stranger_json(stranger: Stranger) -> ForeignHostJson:
    """A host that another state manages."""
    marker = stranger.marker
    return {
        "host": stranger.host,
        "stack": marker.stack,
        "env": marker.env,
        "lineage": marker.lineage,
        "serial": marker.serial,
        "who": marker.who,
        "when": marker.when,
        "why": stranger.why,
    }


def new_machine_json(machine: NewMachine) -> NewMachineJson:
    """A host that is another machine than recorded."""
    return {"host": machine.host, "recorded": machine.recorded, "found": machine.found}


def _change(planned: PlannedChange) -> ChangeJson:
    sensitive = planned.sensitive
    desired = planned.desired.attrs if planned.desired else None
    unknown = sorted(key for key, value in (desired or {}).items() if isinstance(value, Unknown))
    return {
        "address": str(planned.address),
        "kind": planned.kind,
        "name": planned.address.name,
        "host": planned.address.host,
        "action": cast("ActionWord", planned.action.word),
        "reason": planned.reason,
        "before": _attrs(None if planned.observed is None else dict(planned.observed.attrs), sensitive),
        "after": _attrs(None if desired is None else dict(desired), sensitive),
        "after_unknown": unknown,
        "attrs": [_attr(a) for a in planned.attrs],
        "irreversible": planned.irreversible,
        "effect": planned.effect,
    }


def _attrs(attrs: dict[str, Any] | None, sensitive: frozenset[str]) -> dict[str, Any] | None:
    if attrs is None:
        return None
    return masked({key: value for key, value in attrs.items() if not isinstance(value, Unknown)}, sensitive)


def _attr(change: AttrChange) -> AttrJson:
    value: AttrJson = {"path": change.path, "sensitive": change.sensitive}
    if change.hunks:
        value["hunks"] = list(change.hunks)
    if not change.sensitive:
        value["before"] = change.before
        value["after"] = None if change.unknown else change.after
    return value


def _drift(drift: Drift) -> PlanDriftJson:
    found: PlanDriftJson = {
        "address": str(drift.address),
        "host": drift.host,
        "reason": drift.reason,
        "attrs": [_attr(a) for a in drift.attrs],
    }
    if drift.changed is not None:
        found["changed"] = drift.changed
    return found
