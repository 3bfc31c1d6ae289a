"""The plan of a rollback, shown before the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..address import Address
from ..engine.results import WayBack
from ..plan.public_json import FORMAT_VERSION, new_machine_json
from .blocks import drift_blocks
from .drift import one_drift_json
from .header import machine_lines, run_words
from .style import PLAIN, Name, Style
from .words import clean, count, listed

if TYPE_CHECKING:
    from ..engine import RollbackPlan
    from .run_formats import RollbackPlanLine

_WORDS: dict[str, tuple[str, Name, str]] = {
    "delete": ("-", "red", "created by hacore"),
    "restore": ("~", "yellow", "its state before the run"),
    "bring_back": ("+", "green", "deleted by the run"),
    "forget": (".", "dim", "adopted; no host is changed"),
    "remember": (".", "dim", "was forgotten; no host is changed"),
}


_VERBS = {"bring_back": "restore", "remember": "record"}


def rollback_text(plan: RollbackPlan, style: Style = PLAIN) -> str:
    """The steps in order, each address once; equal steps of several hosts are one line."""
    lines = machine_lines(plan.new_machines, "changes of the old machine are skipped", style)
    lines += [*_title(plan, style), ""]
    if plan.drifted:
        lines += [
            style("yellow", "Changed outside of hacore since that run; the rollback overwrites these changes:"),
            "",
        ]
        lines += drift_blocks(plan.drifted, style)
    steps: dict[tuple[str, str, str], list[str]] = {}
    for item in plan.items:
        name = str(Address.parse(item.address).at(None))
        hosts = steps.setdefault((item.do, name, item.irreversible), [])
        if item.host is not None:
            hosts.append(item.host)
    for (do, name, irreversible), hosts in steps.items():
        symbol, colour, why = _WORDS.get(do, ("~", "yellow", ""))
        where = f" @ {', '.join(dict.fromkeys(hosts))}" if hosts else ""
        about = f"  ({why})" if why else ""
        lines.append(f"  {style(colour, symbol)} {_VERBS.get(do, do)} {name}{where}{style('dim', about)}")
        if irreversible:
            lines.append(style("red", f"    ! cannot be undone: {clean(irreversible)}"))
    if not plan.items:
        lines.append("  No changes on the hosts.")
    parts = [count(len(plan.items), "step")]
    if plan.irreversible:
        parts.append(f"{len(plan.irreversible)} of them {'is' if len(plan.irreversible) == 1 else 'are'} irreversible")
    return "\n".join([*lines, "", style("bold", f"Rollback: {', '.join(parts)}.")])


def rollback_words(plan: RollbackPlan) -> str:
    """The rollback in a few words: `roll back runs 4 and 3`."""
    if plan.how is WayBack.FINISH:
        return f"finish rollback {plan.run.id}"
    if plan.how is WayBack.TAKE_BACK:
        return f"undo rollback {plan.run.id}" if plan.run.command == "rollback" else f"roll back run {plan.run.id}"
    numbers = [str(run.id) for run in plan.undone]
    return f"roll back {'run' if len(numbers) == 1 else 'runs'} {listed(numbers)}"


def _title(plan: RollbackPlan, style: Style) -> list[str]:
    if plan.how is WayBack.UNDO and len(plan.undone) > 1:
        title = f"Roll back to the state before run {plan.run.id}; these runs are undone, the newest first:"
        return [style("bold", title), *(f"  {run_words(run)}" for run in plan.undone)]
    verb = "Finish rollback" if plan.how is WayBack.FINISH else "Roll back run"
    return [style("bold", f"{verb} {run_words(plan.run)}")]


def rollback_json(plan: RollbackPlan) -> RollbackPlanLine:
    """The plan of a rollback as JSON."""
    return {
        "type": "plan",
        "format_version": FORMAT_VERSION,
        "command": "rollback",
        "how": plan.how.value,
        "run": plan.run.id,
        "undoes": [run.id for run in plan.undone],
        "items": [
            {"address": i.address, "host": i.host, "do": i.do, "irreversible": i.irreversible} for i in plan.items
        ],
        "drift": [one_drift_json(drift) for drift in plan.drifted],
        "new_machines": [new_machine_json(machine) for machine in plan.new_machines],
    }
