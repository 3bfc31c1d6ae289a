"""Rows, hosts, runs and tasks as JSON and as column values, both ways. Pure.

JSON is ASCII text: lone surrogates (file names that are not UTF-8) and NUL survive every database, and a value
that is not JSON raises. The names of columns and keys are literals: a rename in Python changes nothing on disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ..address import Address
from ..errors import HacoreError, StoreError
from ..model import JSON, Row
from .history import Revision
from .parts import lifecycle_from_json, lifecycle_to_json
from .records import HostRecord, LockInfo, RunRecord, TaskRecord

Columns = dict[str, Any]


def dump(value: JSON) -> str:
    """JSON text in one fixed form; raises TypeError or ValueError for values that are not JSON."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def text(value: str) -> str:
    """Free text in a form that every database accepts: no NUL, no lone surrogates."""
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def row_to_json(row: Row) -> dict[str, JSON]:
    """A row as JSON, with all its fields; `row_from_json` reverses it."""
    return {
        "address": str(row.address),
        "spec": row.spec,
        "schema_version": row.schema_version,
        "attrs": row.attrs,
        "info": row.info,
        "sensitive": list(row.sensitive),
        "needs": list(row.needs),
        "claims": list(row.claims),
        "hosts": list(row.hosts),
        "lifecycle": lifecycle_to_json(row.lifecycle),
        "loaded": dict(row.loaded),
        "origin": row.origin,
        "found": row.found,
        "tainted": row.tainted,
        "run": row.run,
    }


def row_from_json(data: JSON) -> Row:
    """A row from `row_to_json`; raises StoreError when it is damaged."""
    try:
        return Row(
            address=Address.parse(data["address"]),
            spec=data["spec"],
            schema_version=data["schema_version"],
            attrs=data["attrs"],
            info=data["info"],
            sensitive=tuple(data["sensitive"]),
            needs=tuple(data["needs"]),
            claims=tuple(data["claims"]),
            hosts=tuple(data["hosts"]),
            lifecycle=lifecycle_from_json(data["lifecycle"]),
            loaded=data["loaded"],
            origin=data["origin"],
            found=data["found"],
            tainted=data["tainted"],
            run=data["run"],
        )
    except (KeyError, TypeError, ValidationError, HacoreError) as error:
        raise StoreError(f"cannot read a recorded resource: {error}; restore the state from a backup") from error


ROW_COLUMNS = (
    *("address", "spec", "schema_version", "attrs", "info", "sensitive", "needs", "claims", "hosts", "lifecycle"),
    *("loaded", "origin", "found", "tainted", "run"),
)
HOST_COLUMNS = ("name", "host", "machine_id", "facts")
RUN_COLUMNS = (
    *("id", "command", "status", "started", "ended", "who", "stack", "stack_digest", "on_failure", "undoes"),
    *("options", "summary"),
)
TASK_COLUMNS = (
    *("run", "id", "op", "kind", "host", "addresses", "status", "needs", "lane", "payload", "before", "error"),
    *("started", "ended", "position"),
)
LOCK_COLUMNS = (
    *("who", "what", "since", "pid", "pid_started", "pid_space", "boot_id", "machine_id", "hostname", "token"),
)
REVISION_COLUMNS = ("serial", "at", "since", "run", "who", "what")

_ROW_JSON = ("spec", "attrs", "info", "sensitive", "needs", "claims", "hosts", "lifecycle", "loaded")
_RUN_JSON = ("undoes", "options", "summary")
_TASK_JSON = ("addresses", "needs", "payload", "before")
_TASK_TEXT = ("error",)


def row_columns(row: Row) -> Columns:
    """A row as column values."""
    return _encoded(row_to_json(row), _ROW_JSON)


def row_from_columns(columns: Mapping[str, Any]) -> Row:
    """A row from its columns."""
    values = _decoded(columns, _ROW_JSON, columns.get("address", "a row"))
    return row_from_json({**values, "tainted": bool(values["tainted"])})


def row_text(columns: Mapping[str, Any]) -> str:
    """A stored row as JSON text: as `row_to_json` gives it, without creating a Row."""
    values = _decoded(columns, _ROW_JSON, columns.get("address", "a row"))
    return dump({**values, "tainted": bool(values["tainted"])})


def host_columns(record: HostRecord) -> Columns:
    """A host as column values."""
    return {
        "name": record.name,
        "host": dump(record.host),
        "machine_id": record.machine_id,
        "facts": dump(record.facts),
    }


def host_from_columns(columns: Mapping[str, Any]) -> HostRecord:
    """A host from its columns."""
    values = _decoded(columns, ("host", "facts"), columns.get("name", "a host"))
    return HostRecord(name=values["name"], host=values["host"], machine_id=values["machine_id"], facts=values["facts"])


def run_columns(run: RunRecord) -> Columns:
    """A run as column values, without its id."""
    values = {
        "command": run.command,
        "status": run.status,
        "started": run.started,
        "ended": run.ended,
        "who": run.who,
        "stack": run.stack,
        "stack_digest": run.stack_digest,
        "on_failure": run.on_failure,
        "undoes": list(run.undoes),
        "options": run.options,
        "summary": run.summary,
    }
    return _encoded(values, _RUN_JSON, ("who", "stack"))


def run_from_columns(columns: Mapping[str, Any]) -> RunRecord:
    """A run from its columns."""
    values = _decoded(columns, _RUN_JSON, f"run {columns.get('id')}")
    return RunRecord(
        id=values["id"],
        command=values["command"],
        status=values["status"],
        started=values["started"],
        ended=values["ended"],
        who=values["who"],
        stack=values["stack"],
        stack_digest=values["stack_digest"],
        on_failure=values["on_failure"],
        undoes=tuple(values["undoes"]),
        options=values["options"],
        summary=values["summary"],
    )


def task_columns(task: TaskRecord) -> Columns:
    """A task as column values, without its images (they are rows of their own)."""
    return task_changes(
        {
            "run": task.run,
            "id": task.id,
            "op": task.op,
            "kind": task.kind,
            "host": task.host,
            "addresses": task.addresses,
            "status": task.status,
            "needs": task.needs,
            "lane": task.lane,
            "payload": task.payload,
            "before": task.before,
            "error": task.error,
            "started": task.started,
            "ended": task.ended,
            "position": task.position,
        }
    )


def task_changes(changed: Mapping[str, Any]) -> Columns:
    """Some fields of a task, by their column names, as column values."""
    values = {k: list(v) if k in ("addresses", "needs") else v for k, v in changed.items()}
    if "before" in values:
        values["before"] = dict(values["before"])
    return _encoded(values, _TASK_JSON, _TASK_TEXT)


def task_from_columns(columns: Mapping[str, Any], images: Mapping[str, int]) -> TaskRecord:
    """A task from its columns and images."""
    values = _decoded(columns, _TASK_JSON, f"task {columns.get('id')}")
    return TaskRecord(
        run=values["run"],
        id=values["id"],
        op=values["op"],
        kind=values["kind"],
        host=values["host"],
        addresses=tuple(values["addresses"]),
        status=values["status"],
        needs=tuple(values["needs"]),
        lane=values["lane"],
        payload=values["payload"],
        images=dict(images),
        before=values["before"],
        error=values["error"],
        started=values["started"],
        ended=values["ended"],
        position=values["position"],
    )


def lock_columns(lock: LockInfo) -> Columns:
    """A lock as column values.

    Every version of hacore reads these columns, so none is ever added: the hardware stands behind the machine
    id. A version that does not know of it takes the holder for one on another machine, which counts as alive.
    """
    return {
        "who": lock.who,
        "what": lock.what,
        "since": lock.since,
        "pid": lock.pid,
        "pid_started": lock.pid_started,
        "pid_space": lock.pid_space,
        "boot_id": lock.boot_id,
        "machine_id": f"{lock.machine_id} {lock.hardware}".rstrip(),
        "hostname": lock.hostname,
        "token": lock.token,
    }


def lock_from_columns(columns: Mapping[str, Any]) -> LockInfo:
    """A lock from its columns."""
    machine_id, _, hardware = columns["machine_id"].partition(" ")
    return LockInfo(
        who=columns["who"],
        what=columns["what"],
        since=columns["since"],
        pid=columns["pid"],
        pid_started=columns["pid_started"],
        pid_space=columns["pid_space"],
        boot_id=columns["boot_id"],
        machine_id=machine_id,
        hostname=columns["hostname"],
        hardware=hardware,
        token=columns["token"],
    )


def revision_from_columns(columns: Mapping[str, Any]) -> Revision:
    """A commit of the history from its columns."""
    return Revision(
        serial=columns["serial"],
        at=columns["at"],
        since=columns["since"],
        run=columns["run"],
        who=columns["who"],
        what=columns["what"],
    )


def _encoded(values: Mapping[str, Any], as_json: tuple[str, ...], as_text: tuple[str, ...] = ()) -> Columns:
    return {
        name: dump(value) if name in as_json else text(value) if name in as_text else value
        for name, value in values.items()
    }


def _decoded(columns: Mapping[str, Any], as_json: tuple[str, ...], what: object) -> Columns:
    try:
        return {name: json.loads(value) if name in as_json else value for name, value in columns.items()}
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"cannot read {what}: its record is damaged ({error}); restore the state from a backup"
        ) from error
