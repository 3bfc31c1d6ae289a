"""A plan as text and as exit code."""

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


PLANNED_AFRESH = "it is planned from scratch; what is recorded of the old machine is forgotten, nothing is deleted"


@dataclass(frozen=True, slots=True)
class PlanText:
    """The surroundings of a plan. `next_command` applies it; empty: not shown. `verbose`: names beside counts."""

    state: str
    last_run: RunRecord | None = None
    unfinished: RunRecord | None = None
    next_command: str = ""
    on_failure: str = "rollback"
    verbose: bool = False


def exit_code(plan: Plan, *, detailed: bool = False) -> int:
    """0; 1 when a host was not checked; with `detailed` 2 for changes or drift."""
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
        lines += change_blocks(plan.changes, style, verbose=about.verbose)
        lines += adoptions(plan.changes, style)
        order = order_lines(plan.tasks, serving(plan.health))
        if order:
            lines += ["Order of execution:", *order, *failure_lines(plan.tasks, about.on_failure), ""]
    lines += [style("yellow", f"Warning: {clean(warning)}") for warning in plan.warnings]
    lines += [style("bold", count_line(plan))]
    lines += incomplete_lines(plan, style)
    if about.next_command and plan.changes and plan.refreshed and about.unfinished is None:
        lines += ["", f"To apply this plan: {about.next_command}"]
    return "\n".join(lines)


def _intent(plan: Plan) -> str:
    if plan.command == "destroy":
        return "hacore will destroy the managed resources"
    return "hacore will perform the following actions"


def _legend(plan: Plan) -> str:
    used = {change.action for change in plan.changes}
    words = [f"{action.value} {word}" for action, word in _LEGEND if action in used]
    if any(change.irreversible for change in plan.changes):
        words.append("! cannot be undone")
    return ", ".join(words)


def refresh_lines(plan: Plan, style: Style) -> list[str]:
    """That no host was contacted, and what is not known for that reason."""
    if plan.refreshed:
        return []
    text = (
        "Hosts were not contacted (--no-refresh): the stack is compared with the state. Existing resources, changes "
        "since the last run and drained hosts are not known."
    )
    return [style("yellow", text)]


def selection_lines(plan: Plan, style: Style) -> list[str]:
    """That a plan is partial, and which resources were added to the selected ones."""
    chosen = plan.selection
    if not chosen:
        return []
    words = [f"only {listed(str(t) for t in chosen.targets)} and what it depends on"] if chosen.targets else []
    words += (
        [f"without {listed(str(e) for e in chosen.excludes)} and everything that depends on it"]
        if chosen.excludes
        else []
    )
    left = f"; {count(plan.left_out, 'other change')} not included" if plan.left_out else ""
    lines = [style("yellow", f"Partial plan: {', '.join(words)}{left}.")]
    changing = {change.address for change in plan.changes}
    for address, why in plan.widened.items():
        lines.append(f"  {'included' if address in changing else 'excluded'}: {address}: {clean(why)}")
    return lines


def count_line(plan: Plan) -> str:
    """`Plan: 3 to create, ...`, or `No changes ...`."""
    if plan.changes:
        counts = plan.summary()
        words = ("create", "update", "replace", "delete", "adopt")
        parts = [f"{counts[word]} to {word}" for word in words]
        if counts["forget"]:
            parts.append(f"{counts['forget']} to forget")
        return f"Plan: {', '.join(parts)}."
    if not plan.complete:
        if all(status.facts is None for status in plan.hosts.values()):
            return "No host was checked."
        return "No changes on the hosts that were checked."
    if plan.command == "refresh-only":
        return _outside(len(plan.drift))
    if plan.selection:
        return "No changes for the selected targets."
    if not plan.refreshed and plan.command != "destroy":
        return "No changes. The stack matches the state."
    if plan.command == "destroy":
        return "No changes. The state has no resources to destroy."
    if plan.drift:
        return "No changes. The hosts match the stack, but differ from the recorded state (see above)."
    return "No changes. The hosts match the stack."


def _outside(drifted: int) -> str:
    """The conclusion of a plan with --refresh-only."""
    if not drifted:
        return "No changes outside of hacore. The hosts match the recorded state."
    were = "1 resource was" if drifted == 1 else f"{drifted} resources were"
    return (
        f"{were} changed outside of hacore. To keep a change, write it into the stack; "
        "`hacore plan` shows what an apply would do."
    )


def incomplete_lines(plan: Plan, style: Style) -> Sequence[str]:
    """The hosts that were not checked."""
    if plan.complete:
        return ()
    names = ", ".join(plan.unreachable)
    verb = "is" if len(plan.unreachable) == 1 else "are"
    found = f"{names} {verb} unreachable"
    if any(plan.hosts[name].answered for name in plan.unreachable):
        found = f"{names} {'was' if len(plan.unreachable) == 1 else 'were'} not checked"
    text = f"Incomplete: {found}: changes needed there are not known."
    if plan.changes:
        text += " To apply the changes of the other hosts, add --allow-degraded."
    return (style("red", text),)
