"""An import: resources that are recorded in their current state."""

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
    from .formats import ImportJson


_DIFFER = {True: "does not match the desired state", False: "do not match the desired state"}


def adoption_text(adoption: Adoption, style: Style = PLAIN) -> str:
    """The resources to record, shown before the question."""
    made = adoption.planned.plan
    lines = machine_lines(made.ownership.new_machines, "what is recorded of the old machine will be forgotten", style)
    lines += [
        style("bold", f"hacore will record these resources in the state of {made.stack}; no host is changed:"),
        "",
    ]
    lines += found_blocks((item for item in adoption.items if item.action is not Action.ADOPT), style)
    lines += adoptions(adoption.items, style)
    differing = len(_differing(adoption))
    differ = f", {differing} of them {_DIFFER[differing == 1]}" if differing else ""
    return "\n".join([*lines, style("bold", f"Import: {len(adoption.items)} to record{differ}.")])


def adopted_text(adoption: Adoption, plan_command: str, style: Style = PLAIN) -> str:
    """The resources that were recorded."""
    done = style("green", f"Imported: {count(len(adoption.items), 'resource')}.")
    if not _differing(adoption):
        return done
    return f"{done} To show the changes that remain: {plan_command}"


def adoption_json(adoption: Adoption) -> ImportJson:
    """An import as JSON."""
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
