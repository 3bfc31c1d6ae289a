"""The plan as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Health
from ..errors import PlanError
from ..load.contained import naming
from ..model import Action, Op
from .changes import compare_all
from .draft import Draft
from .ensure import plan_ensures
from .guards import add_guards
from .inputs import Comparison, Inputs
from .targets import Scope, narrow
from .tasks import build_tasks
from .triggers import all_sources, plan_triggers
from .types import HostStatus, Plan, PlannedChange


def make_plan(
    given: Inputs, *, lineage: str, serial: int, hosts: Mapping[str, HostStatus], command: str = "apply"
) -> Plan:
    """Compare, decide, and order. Raises PlanError for an impossible or forbidden plan, ProviderError for a kind."""
    wanted = ((address, instance.spec) for address, instance in given.stack.instances.items())
    with naming(wanted, ((address, item.spec) for address, item in given.recorded.items())):
        return _plan(given, lineage, serial, hosts, command)


def _plan(given: Inputs, lineage: str, serial: int, hosts: Mapping[str, HostStatus], command: str) -> Plan:
    outcome = compare_all(given)
    scope = narrow(outcome, given)
    _refuse(outcome.protected)
    drafts, pulled = plan_triggers(outcome, given, scope)
    ensures = plan_ensures(outcome, {a for draft in drafts for a in draft.addresses}, given)
    for ensured in ensures:
        outcome.changes.append(ensured)
    tasks = build_tasks(outcome, drafts, given)
    tasks = add_guards(tasks, outcome, given)
    changes = [c for c in outcome.changes if not c.ensured] + pulled
    pulls = _pulls(drafts)
    changes = [_with_effect(c, pulls.get(c.address, ()), given) for c in changes]
    return Plan(
        stack=given.stack.name,
        command=command,
        lineage=lineage,
        serial=serial,
        hosts=hosts,
        changes=tuple(sorted(changes, key=lambda c: c.address)),
        drift=tuple(sorted(outcome.drift, key=lambda d: d.address)),
        tasks=tasks,
        metadata_only=tuple(outcome.metadata_only),
        noop=len(_at_rest(outcome, scope) - {c.address for c in pulled}),
        notes=_notes(outcome),
        health=_health(outcome),
        warnings=outcome.warnings,
        outputs=dict(given.stack.outputs),
        sensitive_outputs=given.stack.sensitive_outputs,
        facts=dict(given.facts),
        views=outcome.views,
        sources=all_sources(given, outcome.changes),
        observed=dict(outcome.observed),
        secrets=outcome.secrets,
        selection=given.selection,
        refreshed=given.recall is None,
        widened={} if scope is None else scope.widened,
        left_out=0 if scope is None else len(scope.aside.keys() - {c.address for c in pulled}),
    )


def _refuse(protected: Collection[Address]) -> None:
    if protected:
        raise PlanError(
            f"cannot delete {', '.join(str(a) for a in sorted(protected))}: lifecycle.prevent_destroy is set and is "
            "kept in the state; set it to false in the stack and apply that first"
        )


def _at_rest(outcome: Comparison, scope: Scope | None) -> set[Address]:
    """The selected addresses in the desired state."""
    return {address for address in outcome.still if scope is None or address in scope.inside}


def _pulls(drafts: Iterable[Draft]) -> dict[Address, list[Draft]]:
    """The triggers that each source pulls."""
    found: dict[Address, list[Draft]] = {}
    for draft in drafts:
        for source in draft.sources if draft.op is Op.TRIGGER else ():
            found.setdefault(source, []).append(draft)
    return found


def _with_effect(planned: PlannedChange, pulled: Iterable[Draft], given: Inputs) -> PlannedChange:
    """Name what a change makes reload or restart; a change without any such thing has no effect."""
    effects = [planned.effect] if planned.effect else []
    restarts = False
    if planned.action not in (Action.ADOPT, Action.FORGET):
        for draft in pulled:
            consumer = draft.addresses[0]
            name = _daemon(consumer, given)
            where = "" if consumer.host == planned.address.host else f" on {consumer.host}"
            text = f"{draft.trigger} {name}{where}"
            restarts = restarts or draft.trigger == "restart"
            if text not in effects:
                effects.append(text)
    if not effects:
        return planned
    return replace(planned, effect=", ".join(effects), disrupts="restart" if restarts else planned.disrupts)


def _daemon(consumer: Address, given: Inputs) -> str:
    """The name of what reloads: a unit's, where the kind has one."""
    instance = given.stack.instances.get(consumer)
    spec = instance.spec if instance is not None else given.recorded[consumer].spec
    return given.providers[consumer.kind].daemon(spec) or consumer.name


def _health(outcome: Comparison) -> dict[str, Health]:
    """The health of what hosts serve together."""
    return {
        str(address): observed.health
        for address, observed in outcome.observed.items()
        if address.host is None and observed is not None and observed.health is not None
    }


def _notes(outcome: Comparison) -> dict[str, Any]:
    """The info of instances without a host: the holder of a virtual IP."""
    return {
        str(address): dict(observed.info)
        for address, observed in outcome.observed.items()
        if address.host is None and observed is not None and observed.info
    }
