"""The result of a run: counts, then the tasks that failed, were undone, were done or not started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..engine.results import WayBack
from ..plan import plan_json
from ..secrets import masked
from .drift import one_drift_json
from .plan import count_line, incomplete_lines
from .style import PLAIN, Style
from .values import show_lines
from .words import clean, count, cut, listed, span

if TYPE_CHECKING:
    from ..engine import RollbackResult, RunResult, TaskSummary
    from ..plan.public_types import PlanCommand
    from .formats import TaskStatus
    from .run_formats import GroupCountsJson, RollbackSummaryLine, SummaryLine, SummaryTaskJson

_MANY = 12
_GUARDS = ("drain", "verify", "undrain")


def run_text(result: RunResult, *, command: str = "apply", commands: Mapping[str, str], style: Style = PLAIN) -> str:
    """The summary of an apply or a destroy. `commands`: the full commands for `plan`, `rollback` and `resume`."""
    title = command.capitalize()
    if result.status == "nothing":
        plan = result.planned.plan
        line = style("green" if plan.complete else "bold", count_line(plan) if plan.empty else "Nothing to apply.")
        return "\n".join([line, *incomplete_lines(plan, style)])
    tasks = result.tasks
    lines: list[str]
    if result.status == "done":
        lines = [style("green", f"{title} complete: {_counted(tasks)}. ({span(result.seconds)}, run {result.run})")]
        if command == "apply":
            lines += output_lines(result.outputs, result.planned.stack.sensitive_outputs)
        if result.leftover is not None:
            lines += ["", *_leftover(result, commands, style)]
        return "\n".join([*lines, *_lost(result.lost, style)])
    word = "interrupted" if result.status == "interrupted" else "failed"
    lines = [style("red", f"{title} {word}: {_counted(tasks)}. ({span(result.seconds)}, run {result.run})")]
    lines += _listing(tasks, style)
    lines += [*_lost(result.lost, style), "", *_next(result, commands)]
    return "\n".join(lines)


def _lost(lost: Sequence[str], style: Style) -> list[str]:
    """The addresses that are not held as before, whatever the files are."""
    if not lost:
        return []
    words = [style("red", f"Not held as before: {clean(text)}.") for text in lost]
    return ["", *words, "To show the cause and the next command: hacore status"]


def _groups(tasks: Sequence[TaskSummary]) -> dict[str, list[TaskSummary]]:
    """Each task in exactly one group; a task that could not be undone is in `failed`."""
    groups: dict[str, list[TaskSummary]] = {name: [] for name in ("failed", "undone", "done", "not_started")}
    for task in tasks:
        groups[_group(task)].append(task)
    return {name: found for name, found in groups.items() if found}


def _words(group: str) -> str:
    return group.replace("_", " ")


def _group(task: TaskSummary) -> str:
    if task.status == "undone":
        return "failed" if task.error else "undone"
    if task.status == "done":
        return "done"
    return "not_started" if task.status in ("do", "hold") else "failed"


def _counted(tasks: Sequence[TaskSummary]) -> str:
    """`2 tasks failed (1 of them undone), 1 undone, 3 not started`."""
    parts: list[str] = []
    for name, found in _groups(tasks).items():
        number = f"{len(found):,}" if parts else count(len(found), "task")
        parts.append(f"{number} {_words(name)}{_of_them_undone(found) if name == 'failed' else ''}")
    return ", ".join(parts) or "nothing done"


def _of_them_undone(failed: Sequence[TaskSummary]) -> str:
    undone = sum(task.status == "undone" for task in failed)
    if undone in (0, len(failed)):
        return " (undone)" if undone else ""
    return f" ({undone:,} of them undone)"


def _listing(tasks: Sequence[TaskSummary], style: Style) -> list[str]:
    lines: list[str] = []
    for name, found in _groups(tasks).items():
        if name == "failed":
            lines += ["", style("red", "Failed:")]
            for task in found:
                after = " (undone)" if task.status == "undone" else ""
                lines.append(f"  {_named(task)}{after}")
                lines += [f"      {line}" for line in clean(task.error).strip().splitlines()]
        else:
            lines += ["", f"{_words(name).capitalize()}:", *(f"  {text}" for text in cut(_together(found), _MANY))]
    return lines


def _together(tasks: Sequence[TaskSummary]) -> list[str]:
    """A line per operation; equal operations of several hosts are one line."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        here = f"@{task.host}" if task.host else ""
        text = (
            task.op if task.op in _GUARDS else f"{task.op} {listed([a.removesuffix(here) for a in task.addresses], 4)}"
        )
        hosts = found.setdefault(text, [])
        if task.host is not None and task.host not in hosts:
            hosts.append(task.host)
    return [f"{text} @ {', '.join(hosts)}" if hosts else text for text, hosts in found.items()]


def _named(task: TaskSummary) -> str:
    names = listed(task.addresses, 4)
    if task.op in _GUARDS:
        return f"{task.op} {task.host}"
    return f"{task.op} {names}" if task.op else names


def _next(result: RunResult, commands: Mapping[str, str]) -> list[str]:
    statuses = {task.status for task in result.tasks}
    if result.status == "rolled_back":
        if result.lost:
            return [f"The files and packages were rolled back. To show the changes that remain: {commands['plan']}"]
        return [f"The changes were rolled back. To show the changes that remain: {commands['plan']}"]
    if result.status == "interrupted" or statuses & {"do", "doing", "undo", "undoing"}:
        return [f"The run is incomplete. To resume it: {commands['resume']}", f"To undo it: {commands['rollback']}"]
    lines = [f"To show the changes that remain: {commands['plan']}"]
    if "done" in statuses or "error" in statuses:
        lines.append(f"To roll back the changes that were applied: {commands['rollback']}")
    return lines


def _leftover(result: RunResult, commands: Mapping[str, str], style: Style) -> list[str]:
    assert result.leftover is not None
    names = listed(str(change.address) for change in result.leftover.changes)
    return [
        style("yellow", f"Warning: the hosts do not match the stack after the run: {names}."),
        f"Another program reverts the changes, or the stack contradicts itself. To show them: {commands['plan']}",
    ]


def output_lines(outputs: Mapping[str, Any], sensitive: frozenset[str] = frozenset()) -> list[str]:
    """`Outputs:` with an aligned line each; nothing when there are none."""
    return ["", "Outputs:", "", *value_lines(outputs, sensitive)] if outputs else []


def value_lines(outputs: Mapping[str, Any], sensitive: frozenset[str] = frozenset()) -> list[str]:
    """An aligned line for each output."""
    width = max((len(name) for name in outputs), default=0)
    lines: list[str] = []
    for name, value in sorted(outputs.items()):
        first, *rest = ["(sensitive)"] if name in sensitive else show_lines(value)
        lines += [f"{name:<{width}} = {first}", *rest]
    return lines


def run_json(result: RunResult, *, command: str = "apply") -> SummaryLine:
    """The last line of `apply --json`."""
    return {
        "type": "summary",
        "command": cast("PlanCommand", command),
        "run": result.run,
        "status": result.status,
        "ok": result.ok,
        "seconds": round(result.seconds, 3),
        "counts": cast("GroupCountsJson", {name: len(found) for name, found in _groups(result.tasks).items()}),
        "tasks": [_task_json(task) for task in result.tasks],
        "leftover": None if result.leftover is None else plan_json(result.leftover),
        "outputs": masked(result.outputs, result.planned.stack.sensitive_outputs),
        "lost": list(result.lost),
    }


def _task_json(task: TaskSummary) -> SummaryTaskJson:
    return {
        "id": task.id,
        "op": task.op,
        "addresses": list(task.addresses),
        "host": task.host,
        "status": cast("TaskStatus", task.status),
        "error": task.error,
        "seconds": task.seconds,
    }


def rollback_result_text(result: RollbackResult, *, commands: Mapping[str, str], style: Style = PLAIN) -> str:
    """The summary of a rollback. `commands`: the full commands to repeat (`rollback`) and to `undo` it."""
    if result.status == "nothing":
        return style("green", "Nothing to roll back.")
    by_journal = result.plan is None or result.plan.how is WayBack.TAKE_BACK
    back = [task for task in result.tasks if task.status == ("undone" if by_journal else "done")]
    stuck = [task for task in result.tasks if task.status == "error"]
    took = f"({span(result.seconds)}, run {result.run})"
    counts = f"{count(len(back), 'task')} undone" if by_journal else f"{count(len(back), 'task')} done"
    if result.status == "rolled_back":
        lines = [style("green", f"Rollback complete: {counts}. {took}"), *_lost(result.lost, style)]
        if result.leftover:
            names = listed(str(drift.address) for drift in result.leftover)
            lines += [
                "",
                f"Rolled back, but these resources differ from the recorded state: {names}. "
                "Run `hacore drift` for details.",
            ]
        lines += ["", *(_STILL_IN_STACK if _undid_an_apply(result) else ())]
        undo = f"{commands['undo']} --force" if result.leftover else commands["undo"]
        return "\n".join(lines if by_journal else [*lines, f"To undo this rollback: {undo}"]).rstrip()
    if result.status == "interrupted":
        return "\n".join(
            [
                style("red", f"Rollback interrupted: {counts}. {took}"),
                *_lost(result.lost, style),
                "",
                f"The rollback is incomplete. To continue: {commands['rollback']}",
            ]
        )
    lines = [style("red", f"Rollback failed: {count(len(stuck), 'task')} could not be undone, {counts}. {took}"), ""]
    for task in stuck:
        lines.append(f"  {_named(task)}")
        lines += [f"      {line}" for line in clean(task.error).strip().splitlines()]
    return "\n".join([*lines, *_lost(result.lost, style), "", f"To try again: {commands['rollback']}"])


_STILL_IN_STACK = ("The stack still has what was rolled back: change it, or the next apply repeats it.",)


def _undid_an_apply(result: RollbackResult) -> bool:
    """Whether the rollback undid an apply, and not only another rollback."""
    plan = result.plan
    return plan is None or plan.how is WayBack.FINISH or any(run.command != "rollback" for run in plan.undone)


def rollback_result_json(result: RollbackResult) -> RollbackSummaryLine:
    """The last line of `rollback --json`."""
    return {
        "type": "summary",
        "command": "rollback",
        "run": result.run,
        "status": result.status,
        "ok": result.ok,
        "seconds": round(result.seconds, 3),
        "undoes": [] if result.plan is None else [run.id for run in result.plan.undone],
        "tasks": [_task_json(task) for task in result.tasks],
        "leftover": [one_drift_json(drift) for drift in result.leftover],
        "lost": list(result.lost),
    }
