"""What `drain`, `undrain` and `move` did, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plan.public_json import FORMAT_VERSION
from .status import address_json, next_lines, verdict_line
from .style import PLAIN, Style
from .words import clean, listed, when

if TYPE_CHECKING:
    from ..engine.maintenance import MaintenanceResult
    from .maintenance_formats import MaintenanceJson


def maintenance_text(done: MaintenanceResult, style: Style = PLAIN) -> str:
    """The host, what moved, what it cost, and what remains."""
    names = listed(done.names)
    if done.order is None:
        lines = [style("green", f"{done.host} is in service: {clean(names)}.")]
    else:
        until = "until `hacore undrain`" if done.order.until is None else f"until {when(done.order.until)}"
        lines = [style("green", f"{done.host} is drained {until}: {clean(names)}.")]
        if done.order.until is not None:
            lines.append("The host undrains itself then, as soon as its units and checks are good.")
    for one in done.moved:
        lines.append(f"{clean(one.address)} moved: {one.before or 'nobody'} -> {one.after or 'nobody'}")
    lines += [f"Cost of the move: {clean(cost)}" for cost in done.costs]
    if done.order is not None and not done.order.hard and not done.costs:
        lines.append(f"{done.host} takes over all the same if no other member is left; --hard prevents that.")
    for found in done.addresses:
        if found.verdict not in ("healthy", "drained"):
            lines += [verdict_line(found, style), *next_lines(found)]
    return "\n".join(lines)


def maintenance_json(done: MaintenanceResult) -> MaintenanceJson:
    """The same as JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "host": done.host,
        "drained": done.order is not None,
        "names": list(done.names),
        "until": None if done.order is None else done.order.until,
        "moved": [{"address": m.address, "before": m.before, "after": m.after} for m in done.moved],
        "costs": list(done.costs),
        "connections": done.connections,
        "addresses": [address_json(found) for found in done.addresses],
    }


__all__ = ["maintenance_json", "maintenance_text"]
