"""JSON Schemas (draft 2020-12) of everything that `--json` prints, derived from the types in `formats`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plan.public_types import PlanJson
from . import drill_formats, fleet_formats, formats, maintenance_formats, run_formats, state_formats

VERSION = "1.0"
FORMATS: Mapping[str, tuple[Any, str]] = {
    "plan": (PlanJson, "plan --json, show PLAN --json"),
    "events": (run_formats.EventsLine, "each line of apply, destroy and rollback --json"),
    "drift": (formats.DriftReportJson, "drift --json"),
    "status": (formats.StatusJson, "status --json"),
    "maintenance": (maintenance_formats.MaintenanceJson, "drain, undrain, and move --json"),
    "drill": (drill_formats.DrillJson, "drill --json"),
    "resources": (state_formats.ResourcesJson, "show --json, state show --json"),
    "addresses": (state_formats.AddressesJson, "state list --json"),
    "states": (state_formats.StatesJson, "state list --all --json"),
    "runs": (state_formats.RunsJson, "runs --json"),
    "run": (state_formats.RunReportJson, "runs RUN --json"),
    "history": (state_formats.HistoryJson, "state history --json"),
    "diff": (state_formats.StateDiffJson, "state diff --json"),
    "state": (state_formats.StateJson, "state pull"),
    "import": (formats.ImportJson, "import --json"),
    "validate": (formats.ValidationJson, "validate --json"),
    "version": (formats.VersionJson, "version --json"),
    "fleet-report": (fleet_formats.FleetReportJson, "fleet plan, drift, and validate --json"),
    "fleet-run": (fleet_formats.FleetRunJson, "fleet apply, rollback, and status --json"),
    "fleet-runs": (fleet_formats.FleetRunsJson, "fleet runs --json"),
    "labs": (formats.LabsJson, "lab list --json"),
    "rehearsal": (formats.RehearsalJson, "rehearse --json"),
}
"""Name to type, and the commands that print it."""


def schema_of(name: str) -> dict[str, Any]:
    """The schema of a format. Raises KeyError for an unknown name."""
    from pydantic import TypeAdapter

    kind, commands = FORMATS[name]
    found = _plain(TypeAdapter(kind).json_schema())
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:hacore:{name}:{VERSION}",
        "title": f"hacore {commands}",
    }
    return {**head, **{key: value for key, value in found.items() if key != "title"}}


def _plain(value: Any) -> Any:
    """Without the titles that pydantic makes of the names of fields and types."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _plain(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))}


__all__ = ["FORMATS", "VERSION", "schema_of"]
