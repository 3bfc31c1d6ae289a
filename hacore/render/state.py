"""The recorded resources, runs and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..journal import cancelled
from ..model import Row, is_pending
from ..plan.public_json import FORMAT_VERSION
from ..secrets import masked
from ..store import RunRecord, TaskRecord, lifecycle_to_json
from .header import run_words
from .style import PLAIN, Style
from .values import show_lines
from .words import clean, listed, span, when

if TYPE_CHECKING:
    from .formats import TaskStatus
    from .state_formats import (
        AddressesJson,
        LifecycleJson,
        RecordedResourceJson,
        ResourcesJson,
        RunJson,
        RunReportJson,
        RunsJson,
    )

_FOUND = {
    "absent": "created by hacore",
    "same": "adopted in the desired state",
    "different": "existed before hacore, with differences",
}


def row_text(row: Row, style: Style = PLAIN) -> str:
    """One recorded instance with its attributes."""
    about = [f"run {row.run}", _FOUND.get(row.found, row.found)]
    if row.tainted:
        about.append("tainted by that run")
    lines = [style("bold", f"# {row.address}") + f"  ({', '.join(about)})"]
    lines += _table(_attrs(row) or {}, "  ")
    if row.info:
        lines += ["  info:", *_table(_info(row.info), "    ")]
    if row.needs:
        lines.append(f"  needs: {', '.join(row.needs)}")
    pending = sorted(source for source, loaded in row.loaded.items() if is_pending(loaded))
    if pending:
        lines.append(style("yellow", f"  reload pending for {', '.join(pending)}"))
    if row.lifecycle.prevent_destroy:
        lines.append("  lifecycle: prevent_destroy")
    return "\n".join(lines)


def _table(values: Mapping[str, Any], indent: str) -> list[str]:
    width = max((len(key) for key in values), default=0)
    lines = []
    for key, value in values.items():
        first, *rest = ["(sensitive)"] if value == "(sensitive)" else show_lines(value)
        lines += [f"{indent}{key:<{width}} = {first}", *(f"{indent}    {text}" for text in rest)]
    return lines


def _info(info: Mapping[str, Any]) -> dict[str, Any]:
    """`mtime` as a time: the Unix time of a file's last change is nothing to read."""
    mtime = info.get("mtime")
    return {**info, "mtime": when(mtime)} if isinstance(mtime, int) else dict(info)


def _attrs(row: Row) -> dict[str, Any] | None:
    if row.attrs is None:
        return None
    return masked(row.attrs, row.sensitive)


def row_json(row: Row) -> RecordedResourceJson:
    """A recorded instance as JSON."""
    return {
        "address": str(row.address),
        "kind": row.address.kind,
        "name": row.address.name,
        "key": row.address.key,
        "hosts": list(row.hosts),
        "attrs": _attrs(row),
        "info": row.info,
        "needs": list(row.needs),
        "claims": list(row.claims),
        "lifecycle": cast("LifecycleJson", lifecycle_to_json(row.lifecycle)),
        "pending": sorted(source for source, loaded in row.loaded.items() if is_pending(loaded)),
        "found": row.found,
        "tainted": row.tainted,
        "run": row.run,
    }


def resources_json(rows: Iterable[Row]) -> ResourcesJson:
    """Recorded instances as JSON."""
    return {"format_version": FORMAT_VERSION, "resources": [row_json(row) for row in rows]}


def addresses_json(rows: Iterable[Row]) -> AddressesJson:
    """The addresses of recorded instances as JSON."""
    return {"format_version": FORMAT_VERSION, "addresses": [str(row.address) for row in rows]}


def runs_json(runs: Iterable[RunRecord]) -> RunsJson:
    """The recorded runs as JSON."""
    return {"format_version": FORMAT_VERSION, "runs": [run_json_of(run) for run in runs]}


def run_report_json(run: RunRecord, tasks: Sequence[TaskRecord]) -> RunReportJson:
    """One run with its tasks as JSON."""
    return {"format_version": FORMAT_VERSION, **run_json_of(run, tasks)}


def runs_text(runs: Iterable[RunRecord], style: Style = PLAIN) -> str:
    """A line per run, the newest first."""
    runs = list(runs)
    undone = cancelled(runs)
    lines = []
    for run in sorted(runs, key=lambda r: -r.id):
        took = "" if run.ended is None else f"  {span(run.ended - run.started)}"
        bad = run.status in ("failed", "interrupted", "running")
        lines.append(
            style("red" if bad else "green", "! " if bad else "  ")
            + run_words(run)
            + took
            + _summary(run)
            + _undone(run, undone)
        )
    return "\n".join(lines) or "No runs yet."


def _undone(run: RunRecord, undone: Mapping[int, int]) -> str:
    return f", undone by #{undone[run.id]}" if run.id in undone else ""


def _summary(run: RunRecord) -> str:
    if run.command in ("roll", "drill") and isinstance(run.options, Mapping):
        return clean(f"  ({_rolled(run.options) if run.command == 'roll' else _drilled(run.options)})")
    counts = run.summary if isinstance(run.summary, Mapping) else {}
    parts = [f"{number} to {word}" for word, number in counts.items() if number and word != "noop"]
    return f"  (planned: {', '.join(parts)})" if parts else ""


def _rolled(options: Mapping[str, Any]) -> str:
    act = " ".join(word for word in (options["act"], options["text"]) if word)
    words = {"done": "done", "failed": "failed", "hold": "not begun"}
    return f"{act}: {', '.join(f'{host} {words.get(status, status)}' for host, status in options['hosts'])}"


def _drilled(options: Mapping[str, Any]) -> str:
    found = [f"{one['scenario']} {one['lost']} of {one['sent']} lost" for one in options["scenarios"]]
    return f"{options['verdict']}: {', '.join([*found, *options['findings']])}"


def _operation(task: TaskRecord) -> str:
    """The operation in the words of a plan: `create`, `create/update`, `reload`; else the type of the task."""
    payload: Mapping[str, Any] = task.payload if isinstance(task.payload, Mapping) else {}
    if task.op == "trigger":
        return str(payload.get("trigger") or task.op)
    if task.op != "change":
        return task.op
    return "/".join(sorted({str(change["action"]) for change in payload.get("changes", ())})) or task.op


def run_text_of(run: RunRecord, tasks: Sequence[TaskRecord], style: Style = PLAIN) -> str:
    """One run with its tasks in their order."""
    lines = [style("bold", f"Run {run_words(run)}"), f"started {when(run.started)}, on failure: {run.on_failure}", ""]
    if run.command in ("roll", "drill"):
        lines.append(_summary(run))
    width = max((len(task.status) for task in tasks), default=0)
    for task in sorted(tasks, key=lambda t: t.position):
        took = "" if task.started is None or task.ended is None else f"  {span(task.ended - task.started)}"
        bad = task.status in ("error", "doing", "undoing")
        status = style("red" if bad else "dim", f"{task.status:<{width}}")
        names = listed(task.addresses, 4) or (task.host or "")
        lines.append(f"  {task.id:>4}  {status}  {_operation(task)} {names}{took}")
        lines += [f"          {line}" for line in clean(task.error).strip().splitlines()]
    return "\n".join(lines)


def run_json_of(run: RunRecord, tasks: Sequence[TaskRecord] | None = None) -> RunJson:
    """A run as JSON; with its tasks where they are given."""
    value: RunJson = {
        "run": run.id,
        "command": run.command,
        "status": run.status,
        "started": run.started,
        "ended": run.ended,
        "who": run.who,
        "stack": run.stack,
        "on_failure": run.on_failure,
        "undoes": list(run.undoes),
        "summary": run.summary,
    }
    if tasks is not None:
        value["tasks"] = [
            {
                "id": task.id,
                "op": task.op,
                "host": task.host,
                "addresses": list(task.addresses),
                "status": cast("TaskStatus", task.status),
                "needs": list(task.needs),
                "lane": task.lane,
                "error": task.error,
                "started": task.started,
                "ended": task.ended,
            }
            for task in sorted(tasks, key=lambda t: t.position)
        ]
    return value
