"""An import: what is recorded as it is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import Action
from ..plan.public_json import FORMAT_VERSION
from .blocks import adoptions, found_blocks
from .header import machine_lines
from .style import PLAIN, Style
from .words import count

if TYPE_CHECKING:
    from ..engine import Adoption


def adoption_text(adoption: Adoption, style: Style = PLAIN) -> str:
    """What will be recorded, before it is asked for."""
    made = adoption.planned.plan
    lines = machine_lines(made.ownership.new_machines, "what the old one had is forgotten", style)
    lines += [style("bold", f"hacore will record this in the state of {made.stack}; no host is touched:"), ""]
    lines += found_blocks((item for item in adoption.items if item.action is not Action.ADOPT), style)
    lines += adoptions(adoption.items, style)
    differing = len(_differing(adoption))
    told = f", {differing} not as the stack wants it" if differing else ""
    return "\n".join([*lines, style("bold", f"Import: {len(adoption.items)} to record{told}.")])


def adopted_text(adoption: Adoption, plan_command: str, style: Style = PLAIN) -> str:
    """What was recorded."""
    done = style("green", f"Imported: {count(len(adoption.items), 'resource')}.")
    if not _differing(adoption):
        return done
    return f"{done} To see what is to be changed: {plan_command}"


def adoption_json(adoption: Adoption) -> dict[str, Any]:
    """The same for a machine."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": adoption.planned.plan.stack,
        "imported": [
            {
                "address": str(item.address),
                "host": item.address.host,
                "differs": [attr.path for attr in item.attrs],
            }
            for item in adoption.items
        ],
    }


def _differing(adoption: Adoption) -> list[Any]:
    return [item for item in adoption.items if item.action is not Action.ADOPT]
