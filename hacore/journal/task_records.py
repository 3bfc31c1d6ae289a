"""Tasks of a plan as records of the store, and records back to tasks that can be undone.

A record keeps of each change what its undo needs without stack and variables: the recorded
form of the spec, the action, and (beside it) the before-images and the previous rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..address import Address
from ..contract import Change, Provider
from ..errors import StoreError
from ..load.registry import why_missing
from ..load.stack import Instance
from ..model import JSON, Action, Host, Op, Row, Status
from ..plan import PlannedChange, PlanTask, Seal, recorded_spec
from ..store import TaskRecord, row_to_json
from .live import RunningTask


def live_tasks(tasks: Sequence[PlanTask], rows: Mapping[Address, Row]) -> list[RunningTask]:
    """Tasks ready to run, each with the rows that its undo restores."""
    return [RunningTask(task, before=_before(task, rows)) for task in tasks]


def _before(task: PlanTask, rows: Mapping[Address, Row]) -> dict[Address, JSON | None]:
    """The rows of a task's addresses, and of those that they inherit from."""
    taken = [p.inherits for p in task.changes if p.inherits is not None]
    return {address: _row_json(rows.get(address)) for address in (*(p.address for p in task.changes), *taken)}


def _row_json(row: Row | None) -> JSON | None:
    return None if row is None else row_to_json(row)


def records_of(
    run: int,
    live: Sequence[RunningTask],
    instances: Mapping[Address, Instance],
    providers: Mapping[str, Provider[Any]],
    seal: Seal,
    *,
    first: int = 0,
) -> list[TaskRecord]:
    """The records of a run's new tasks; `first` is the position of the first one.

    One that continues a task of an interrupted run may be half done before it begins.
    """
    return [
        TaskRecord(
            run=run,
            id=item.id,
            op=item.task.op.value,
            kind=item.task.kind,
            host=item.task.host,
            addresses=tuple(str(a) for a in item.task.addresses),
            status=(Status.DOING if item.intent and item.status is Status.DO else item.status).value,
            needs=item.task.needs,
            lane=item.task.lane,
            payload=_payload(item.task, instances, providers, seal),
            images={str(a): number for a, number in item.image_ids.items()},
            before={str(a): row for a, row in item.before.items()},
            position=position,
        )
        for position, item in enumerate(live, first)
    ]


def _payload(
    task: PlanTask, instances: Mapping[Address, Instance], providers: Mapping[str, Provider[Any]], seal: Seal
) -> dict[str, JSON]:
    return {
        "changes": [_change(p, instances, providers, seal) for p in task.changes],
        "trigger": task.trigger,
        "sources": [str(s) for s in task.sources],
        "exclusive": task.exclusive,
        "disrupts": task.disrupts,
        "group": task.group,
        "guarded": [str(a) for a in task.guarded],
        "abreast": task.reload_group,
        "keep": task.keep_on_failure,
        **({"restores": {str(a): number for a, number in task.restores.items()}} if task.restores else {}),
        **({"rows": {str(a): row for a, row in task.rows.items()}} if task.rows else {}),
    }


def _change(
    planned: PlannedChange, instances: Mapping[Address, Instance], providers: Mapping[str, Provider[Any]], seal: Seal
) -> dict[str, JSON]:
    instance = instances.get(planned.address)
    provider = providers[planned.kind]
    if planned.action is Action.DELETE or instance is None:
        # a rollback has the spec of the undone task, which is in its recorded form already
        slim = planned.change.spec.model_dump(mode="json", exclude_defaults=True)
        spec = planned.row.spec if planned.row is not None else slim
    else:
        spec = recorded_spec(provider, instance, seal)
    return {
        "address": str(planned.address),
        "action": planned.action.word,
        "spec": spec,
        "hosts": list(planned.hosts),
        "reason": planned.reason,
        "effect": planned.effect,
        "irreversible": planned.irreversible,
        "inherits": str(planned.inherits) if planned.inherits else None,
    }


def restore_tasks(
    records: Sequence[TaskRecord], providers: Mapping[str, Provider[Any]], hosts: Mapping[str, Host]
) -> list[RunningTask]:
    """The tasks of a stored run, as far as their undo needs them."""
    return [_restore(record, providers, hosts) for record in records]


def _restore(record: TaskRecord, providers: Mapping[str, Provider[Any]], hosts: Mapping[str, Host]) -> RunningTask:
    payload = record.payload
    changes = tuple(_restored_change(c, providers, hosts) for c in payload["changes"])
    task = PlanTask(
        id=record.id,
        op=Op(record.op),
        kind=record.kind,
        host=record.host,
        addresses=tuple(Address.parse(a) for a in record.addresses),
        changes=changes,
        needs=tuple(record.needs),
        lane=record.lane,
        trigger=payload["trigger"],
        sources=tuple(Address.parse(s) for s in payload.get("sources", ())),
        exclusive=payload["exclusive"],
        disrupts=payload["disrupts"],
        group=payload["group"],
        guarded=tuple(Address.parse(a) for a in payload.get("guarded", ())),
        reload_group=payload.get("abreast", ""),
        keep_on_failure=payload["keep"],
        restores={Address.parse(a): number for a, number in payload.get("restores", {}).items()},
        rows={Address.parse(a): row for a, row in payload.get("rows", {}).items()},
    )
    return RunningTask(
        task,
        status=Status(record.status),
        image_ids={Address.parse(a): number for a, number in record.images.items()},
        before={Address.parse(a): row for a, row in record.before.items()},
        error=record.error,
        started=record.started,
        ended=record.ended,
        intent=record.status not in ("do", "hold"),
    )


def _restored_change(
    data: Mapping[str, Any], providers: Mapping[str, Provider[Any]], hosts: Mapping[str, Host]
) -> PlannedChange:
    address = Address.parse(data["address"])
    provider = providers.get(address.kind)
    if provider is None:
        raise StoreError(f"cannot undo {address}: {why_missing(providers, address.kind)}")
    action = next(a for a in Action if a.word == data["action"])
    change: Change[Any] = Change(
        address=address,
        action=action,
        spec=provider.spec.model_validate(data["spec"]),
        host=hosts.get(address.host) if address.host else None,
    )
    inherits = Address.parse(data["inherits"]) if data.get("inherits") else None
    return PlannedChange(
        address,
        action,
        change,
        reason=data["reason"],
        hosts=tuple(data["hosts"]),
        effect=data["effect"],
        inherits=inherits,
        irreversible=data.get("irreversible", ""),
    )
