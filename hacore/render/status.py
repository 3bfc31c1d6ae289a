"""Status: the hosts, and the holders of virtual addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plan import Plan
from ..plan.public_json import FORMAT_VERSION, counts_json, new_machine_json, stranger_json
from .header import health_lines, held_lines, host_lines, machine_lines, stack_line, stranger_lines
from .plan import count_line
from .style import PLAIN, Style
from .words import count

if TYPE_CHECKING:
    from .formats import StatusJson


def status_exit_code(plan: Plan) -> int:
    """1 when a host was not checked, an address has no or several holders, or a check failed; else 0."""
    return 1 if not plan.complete or health_lines(plan.health, PLAIN) else 0


def status_text(plan: Plan, state: str, style: Style = PLAIN) -> str:
    """Hosts, holders, checks, and the last line of a plan."""
    lines = stranger_lines(plan.ownership.foreign_hosts, plan.lineage, style)
    lines += machine_lines(plan.ownership.new_machines, "its resources are not known", style)
    lines.append(style("bold", stack_line(plan.stack, state, plan.lineage, plan.serial)))
    lines += host_lines(plan.hosts, plan.health, style)
    lines += held_lines(plan.health, style)
    if plan.drift:
        lines.append(style("yellow", f"Drift: {count(len(plan.drift), 'resource')} changed outside of hacore."))
    return "\n".join([*lines, count_line(plan)])


def status_json(plan: Plan) -> StatusJson:
    """The status as JSON."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": plan.stack,
        "complete": plan.complete,
        "hosts": [
            {
                "host": name,
                "address": status.host.address,
                "reachable": status.facts is not None,
                "os": "" if status.facts is None else status.facts.host.os,
                "error": status.error,
            }
            for name, status in plan.hosts.items()
        ],
        "strangers": [stranger_json(stranger) for stranger in plan.ownership.foreign_hosts],
        "new_machines": [new_machine_json(machine) for machine in plan.ownership.new_machines],
        "notes": dict(plan.notes),
        "summary": counts_json(plan),
        "drift": len(plan.drift),
        "ok": status_exit_code(plan) == 0,
    }
