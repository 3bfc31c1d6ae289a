"""A plan as JSON that can be read back: enough to show it without hosts and to compare it with another one.

Unlike `plan_json`, which is for people's programs, this form keeps what is compared: a sensitive
value is there as a keyed HMAC, so that another value of it is seen. What an apply needs beside it
(specs, views, facts) is not in it: an apply plans again and compares.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..address import Address
from ..contract import Change, Desired, Observed, Spec
from ..diff import AttrChange
from ..model import JSON, Action, Attrs, Op, Row, Unknown, canonical
from ..store.legacy import gone_of, health_of, moves_of
from .ownership import Ownership
from .saved_hosts import (
    health_from_json,
    health_to_json,
    machine_from_json,
    machine_to_json,
    status_from_json,
    status_to_json,
    stranger_from_json,
    stranger_to_json,
)
from .sealing import Seal, sealed
from .selection import Selection
from .types import Drift, Plan, PlannedChange, PlanTask

_UNKNOWN = "$unknown"


def plan_to_json(plan: Plan, seal: Seal) -> dict[str, JSON]:
    """The plan; `seal` makes HMACs of what is sensitive."""
    return {
        "stack": plan.stack,
        "command": plan.command,
        "lineage": plan.lineage,
        "serial": plan.serial,
        "hosts": {name: status_to_json(status) for name, status in plan.hosts.items()},
        "changes": [_change(c, seal) for c in plan.changes],
        "quiet": [_change(c, seal) for c in plan.metadata_only],
        "drift": [
            {
                "address": str(d.address),
                "host": d.host,
                "reason": d.reason,
                "again": d.again,
                "pending": list(d.pending),
                "changed": d.changed,
                "logins": list(d.logins),
                "gone": d.gone,
                "attrs": [_attr(a) for a in d.attrs],
            }
            for d in plan.drift
        ],
        "tasks": [_task(t) for t in plan.tasks],
        "noop": plan.noop,
        "observed": {
            str(address): None if found is None else _attrs(found.attrs, plan.secrets.get(address, ()), seal)
            for address, found in sorted(plan.observed.items())
        },
        "selection": plan.selection.options(),
        "widened": {str(address): why for address, why in plan.widened.items()},
        "left_out": plan.left_out,
        "custody": {
            "new_machines": [machine_to_json(machine) for machine in plan.ownership.new_machines],
            "lost": sorted(str(address) for address in plan.ownership.lost),
            "strangers": [stranger_to_json(stranger) for stranger in plan.ownership.foreign_hosts],
            "due": list(plan.ownership.due),
        },
        "warnings": list(plan.warnings),
        "notes": dict(plan.notes),
        "health": {address: health_to_json(health) for address, health in plan.health.items()},
        "outputs": {k: v for k, v in plan.outputs.items() if k not in plan.sensitive_outputs},
    }


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """A plan to be shown. Raises KeyError, TypeError or ValueError for what `plan_to_json` did not make."""
    changes = tuple(_read_change(c) for c in data["changes"])
    by_address = {str(c.address): c for c in changes}
    return Plan(
        stack=data["stack"],
        command=data["command"],
        lineage=data["lineage"],
        serial=int(data["serial"]),
        hosts={name: status_from_json(h) for name, h in data["hosts"].items()},
        changes=changes,
        metadata_only=tuple(_read_change(c) for c in data["quiet"]),
        drift=tuple(
            Drift(
                Address.parse(d["address"]),
                tuple(_read_attr(a) for a in d["attrs"]),
                d["reason"],
                d["host"],
                gone=d["gone"] if "gone" in d else gone_of(d["reason"]),
                again=d.get("again", False),
                pending=tuple(d.get("pending", ())),
                changed=d.get("changed"),
                logins=tuple(d.get("logins", ())),
            )
            for d in data["drift"]
        ),
        tasks=tuple(_read_task(t, by_address) for t in data["tasks"]),
        noop=int(data["noop"]),
        warnings=tuple(data["warnings"]),
        notes=dict(data["notes"]),
        health=health_from_json(data["health"] if "health" in data else health_of(data["notes"])),
        outputs=dict(data["outputs"]),
        selection=Selection.of_options(data["selection"]),
        widened={Address.parse(a): why for a, why in data["widened"].items()},
        left_out=int(data["left_out"]),
        ownership=Ownership(
            tuple(machine_from_json(machine) for machine in data["custody"]["new_machines"]),
            frozenset(Address.parse(a) for a in data["custody"]["lost"]),
            tuple(stranger_from_json(stranger) for stranger in data["custody"]["strangers"]),
            tuple(data["custody"]["due"]),
            lineage=data["lineage"],
        ),
    )


def _change(planned: PlannedChange, seal: Seal) -> dict[str, JSON]:
    secrets = planned.sensitive
    desired = planned.desired
    return {
        "address": str(planned.address),
        "action": planned.action.word,
        "reason": planned.reason,
        "attrs": [_attr(a) for a in planned.attrs],
        "observed": None if planned.observed is None else _attrs(planned.observed.attrs, secrets, seal),
        "desired": None
        if desired is None
        else {
            "attrs": _attrs(desired.attrs, secrets, seal),
            "sensitive": sorted(desired.sensitive),
            "replace_on": sorted(desired.replace_on),
        },
        "sensitive": sorted(secrets),
        "hosts": list(planned.hosts),
        "inherits": None if planned.inherits is None else str(planned.inherits),
        "irreversible": planned.irreversible,
        "effect": planned.effect,
        "disrupts": planned.disrupts,
        "moves": planned.moves,
        "reduces": planned.reduces,
    }


def _read_change(data: Mapping[str, Any]) -> PlannedChange:
    address = Address.parse(data["address"])
    action = next(a for a in Action if a.word == data["action"])
    observed = data["observed"]
    desired = data["desired"]
    return PlannedChange(
        address=address,
        action=action,
        change=Change(address, action, Spec()),
        reason=data["reason"],
        attrs=tuple(_read_attr(a) for a in data["attrs"]),
        observed=None if observed is None else Observed(_read_attrs(observed) or {}),
        desired=None
        if desired is None
        else Desired(
            _read_attrs(desired["attrs"]),
            sensitive=frozenset(desired["sensitive"]),
            replace_on=frozenset(desired["replace_on"]),
        ),
        row=None if desired is not None else Row(address, {}, 0, None, sensitive=tuple(data["sensitive"])),
        hosts=tuple(data["hosts"]),
        inherits=None if data["inherits"] is None else Address.parse(data["inherits"]),
        irreversible=data["irreversible"],
        effect=data["effect"],
        disrupts=data["disrupts"],
        moves=data["moves"] if "moves" in data else moves_of(data["reason"]),
        reduces=data.get("reduces", False),
    )


def _attrs(attrs: Attrs | None, sensitive: Collection[str], seal: Seal) -> dict[str, JSON] | None:
    if attrs is None:
        return None
    return {
        key: {_UNKNOWN: value.reason}
        if isinstance(value, Unknown)
        else seal(canonical(value))
        if key in sensitive and not sealed(value)
        else value
        for key, value in attrs.items()
    }


def _read_attrs(attrs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if attrs is None else {key: _read_value(value) for key, value in attrs.items()}


def _read_value(value: Any) -> Any:
    return Unknown(value[_UNKNOWN]) if isinstance(value, dict) and value.keys() == {_UNKNOWN} else value


def _attr(change: AttrChange) -> dict[str, JSON]:
    after = {_UNKNOWN: change.after.reason} if isinstance(change.after, Unknown) else change.after
    hunks = list(change.hunks)
    return {"path": change.path, "before": change.before, "after": after, "hunks": hunks, "sensitive": change.sensitive}


def _read_attr(data: Mapping[str, Any]) -> AttrChange:
    after = _read_value(data["after"])
    return AttrChange(data["path"], data["before"], after, tuple(data["hunks"]), bool(data["sensitive"]))


def _task(task: PlanTask) -> dict[str, JSON]:
    return {
        "id": task.id,
        "op": task.op.value,
        "kind": task.kind,
        "host": task.host,
        "addresses": [str(a) for a in task.addresses],
        "changes": [[str(c.address), c.action.word] for c in task.changes],
        "needs": list(task.needs),
        "lane": task.lane,
        "trigger": task.trigger,
        "sources": [str(s) for s in task.sources],
        "disrupts": task.disrupts,
        "group": task.group,
        "guarded": [str(a) for a in task.guarded],
        "abreast": task.reload_group,
        "keep": task.keep_on_failure,
    }


def _read_task(data: Mapping[str, Any], changes: Mapping[str, PlannedChange]) -> PlanTask:
    return PlanTask(
        id=data["id"],
        op=Op(data["op"]),
        kind=data["kind"],
        host=data["host"],
        addresses=tuple(Address.parse(a) for a in data["addresses"]),
        changes=tuple(_change_of_task(address, action, changes) for address, action in data["changes"]),
        needs=tuple(data["needs"]),
        lane=int(data["lane"]),
        trigger=data["trigger"],
        sources=tuple(Address.parse(s) for s in data["sources"]),
        disrupts=data["disrupts"],
        group=data["group"],
        guarded=tuple(Address.parse(a) for a in data["guarded"]),
        reload_group=data["abreast"],
        keep_on_failure=data["keep"],
    )


def _change_of_task(address: str, word: str, changes: Mapping[str, PlannedChange]) -> PlannedChange:
    """The plan's change; the half of a replace, and what is only checked, have an action of their own."""
    found = changes.get(address)
    if found is not None and found.action.word == word:
        return found
    parsed = Address.parse(address)
    action = next(a for a in Action if a.word == word)
    return PlannedChange(parsed, action, Change(parsed, action, Spec()))
