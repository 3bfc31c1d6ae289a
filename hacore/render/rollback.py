"""What a rollback would do, before it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..address import Address
from .blocks import drift_blocks
from .header import machine_lines, run_words
from .style import PLAIN, Name, Style
from .words import clean, count

if TYPE_CHECKING:
    from ..engine import RollbackPlan

_WORDS: dict[str, tuple[str, Name, str]] = {
    "delete": ("-", "red", "what the run made"),
    "restore": ("~", "yellow", "as it was before the run"),
    "bring back": ("+", "green", "what the run deleted"),
    "forget": (".", "dim", "adopted by the run; no host is touched"),
    "remember": (".", "dim", "forgotten by the run; no host is touched"),
}


def rollback_text(plan: RollbackPlan, style: Style = PLAIN) -> str:
    """The way back, in the order in which it is gone; equal steps on several hosts are one line."""
    lines = machine_lines(plan.new_machines, "what the run did to the old one is passed over", style)
    lines += [style("bold", f"Roll back run {run_words(plan.run)}"), ""]
    if plan.drifted:
        lines += [style("yellow", "Changed since that run; rolling back overwrites it:"), ""]
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
        lines.append(f"  {style(colour, symbol)} {do} {name}{where}{style('dim', about)}")
        if irreversible:
            lines.append(style("red", f"    ! cannot be undone: {clean(irreversible)}"))
    if not plan.items:
        lines.append("  Nothing on the hosts has to change.")
    told = count(len(plan.items), "step")
    return "\n".join([*lines, "", style("bold", f"Rollback: {told}.")])
