"""A plan as text. The exit code comes from the same object: see `exit_code`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model import Action
from ..plan import Plan
from ..store import RunRecord
from .blocks import adoptions, change_blocks, drift_blocks
from .header import health_lines, host_lines, machine_lines, run_lines, serving, stack_line, stranger_lines
from .order import failure_lines, order_lines
from .style import PLAIN, Style
from .words import clean, count, listed

_LEGEND = (
    (Action.CREATE, "create"),
    (Action.UPDATE, "update"),
    (Action.REPLACE, "replace"),
    (Action.DELETE, "delete"),
    (Action.ADOPT, "adopt"),
    (Action.FORGET, "forget"),
)


PLANNED_AFRESH = "planned from scratch; what the old one had is forgotten, nothing is deleted for it"


@dataclass(frozen=True, slots=True)
class PlanText:
    """What is told of a plan besides the plan itself.

    `next_command` is what the user would type to do it; empty leaves it away. `on_failure` None:
    not chosen yet.
    """

    state: str
    last_run: RunRecord | None = None
    unfinished: RunRecord | None = None
    next_command: str = ""
    on_failure: str = "rollback"


def exit_code(plan: Plan, *, detailed: bool = False) -> int:
    """0; 1 when it could not be told what all hosts need; with `detailed` 2 for changes or drift."""
    if not plan.complete:
        return 1
    return 2 if detailed and (plan.changes or plan.drift) else 0


def plan_text(plan: Plan, about: PlanText, style: Style = PLAIN) -> str:
    """The whole plan."""
    lines = [
        *stranger_lines(plan.ownership.foreign_hosts, plan.lineage, style),
        *machine_lines(plan.ownership.new_machines, PLANNED_AFRESH, style),
        *run_lines(None, about.unfinished, style),
        style("bold", stack_line(plan.stack, about.state, plan.lineage, plan.serial)),
        *run_lines(about.last_run if about.last_run != about.unfinished else None, None, style),
        *host_lines(plan.hosts, plan.health, style),
        *health_lines(plan.health, style),
        *refresh_lines(plan, style),
        *selection_lines(plan, style),
        "",
    ]
    if plan.drift:
        lines += [style("bold", "Changed outside of hacore since the last run (recorded -> found):"), ""]
        lines += drift_blocks(plan.drift, style)
    if plan.changes:
        lines += [f"{_intent(plan)} ({_legend(plan)}):", ""]
        lines += change_blocks(plan.changes, style)
        lines += adoptions(plan.changes, style)
        order = order_lines(plan.tasks, serving(plan.health))
        if order:
            lines += ["Order:", *order, *failure_lines(plan.tasks, about.on_failure), ""]
    lines += [style("yellow", f"Warning: {clean(warning)}") for warning in plan.warnings]
    lines += [style("bold", count_line(plan))]
    lines += incomplete_lines(plan, style)
    if about.next_command and plan.changes and plan.refreshed and about.unfinished is None:
        lines += ["", f"To do this: {about.next_command}"]
    return "\n".join(lines)


def _intent(plan: Plan) -> str:
    if plan.command == "destroy":
        return "hacore will take back everything it made"
    return "hacore will do this"


def _legend(plan: Plan) -> str:
    used = {change.action for change in plan.changes}
    words = [f"{action.value} {word}" for action, word in _LEGEND if action in used]
    if any(change.irreversible for change in plan.changes):
        words.append("! cannot be undone")
    return ", ".join(words)


def refresh_lines(plan: Plan, style: Style) -> list[str]:
    """That no host was asked, and what cannot be told without."""
    if plan.refreshed:
        return []
    text = (
        "Hosts were not asked (--no-refresh): this compares the stack with what the last run recorded. "
        "What is there already, what was changed since and who is drained is not known."
    )
    return [style("yellow", text)]


def selection_lines(plan: Plan, style: Style) -> list[str]:
    """That a plan is not about everything, and what came along with what was asked for."""
    chosen = plan.selection
    if not chosen:
        return []
    words = [f"only {listed(str(t) for t in chosen.targets)} and what it needs"] if chosen.targets else []
    words += [f"without {listed(str(e) for e in chosen.excludes)} and what rests on it"] if chosen.excludes else []
    left = f"; {count(plan.left_out, 'other change')} left out" if plan.left_out else ""
    lines = [style("yellow", f"Partial plan: {', '.join(words)}{left}.")]
    changing = {change.address for change in plan.changes}
    for address, why in plan.widened.items():
        lines.append(f"  {'also' if address in changing else 'nor'} {address}: {clean(why)}")
    return lines


def count_line(plan: Plan) -> str:
    """`Plan: 3 to create, ...`, or that there is nothing to do."""
    if plan.changes:
        counts = plan.summary()
        words = ("create", "update", "replace", "delete", "adopt")
        told = [f"{counts[word]} to {word}" for word in words]
        if counts["forget"]:
            told.append(f"{counts['forget']} to forget")
        return f"Plan: {', '.join(told)}."
    if not plan.complete:
        if all(status.facts is None for status in plan.hosts.values()):
            return "No host answered."
        return "No changes on the hosts that answered."
    if plan.selection:
        return "No changes to what was asked for."
    if not plan.refreshed and plan.command != "destroy":
        return "No changes. The stack is as the last run left it."
    if plan.command == "destroy":
        return "No changes. Nothing is recorded that could be taken back."
    if plan.drift:
        return "No changes. The hosts match the stack, though not what the last run left (see above)."
    return "No changes. Hosts match the stack."


def incomplete_lines(plan: Plan, style: Style) -> Sequence[str]:
    """Which hosts did not answer, and so are not in it."""
    if plan.complete:
        return ()
    names = ", ".join(plan.unreachable)
    verb = "is" if len(plan.unreachable) == 1 else "are"
    found = f"{names} {verb} unreachable"
    if any(plan.hosts[name].answered for name in plan.unreachable):
        found = f"{names} could not be asked"
    text = f"Incomplete: {found}, so what is needed there is not known."
    if plan.changes:
        text += " To apply what concerns the other hosts, add --allow-degraded."
    return (style("red", text),)
