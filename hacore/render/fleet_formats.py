"""JSON of fleets, as typed values: what `hacore schema` publishes."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from ..plan.public_types import published
from .formats import Version

FleetResult = Literal["changed", "unchanged", "differs", "failed", "unreachable", "refused", "open"]


@published
class FleetStackJson(TypedDict):
    """One stack of a fleet, and how its unit ended; `open`: not begun, or begun without an outcome."""

    name: str
    labels: dict[str, str]
    wave: int | None
    """From 1; null for plan and drift, which have no waves."""
    result: FleetResult
    run: int | None
    """The number of the run in the state of the stack."""
    counts: dict[str, int]
    error: str
    seconds: float


@published
class FleetReportJson(TypedDict):
    """The output of `hacore fleet plan`, `drift` and `validate --json`."""

    format_version: Version
    fleet: str
    verb: str
    stacks: list[FleetStackJson]


@published
class FleetRunJson(TypedDict):
    """A fleet run: `hacore fleet apply`, `rollback`, `status` and `show --json`."""

    format_version: Version
    fleet: str
    run: int
    verb: str
    status: Literal["running", "interrupted", "stopped", "done"]
    why: str
    who: str
    started: float
    ended: float | None
    waves: int
    waves_done: int
    summary: dict[str, int]
    """Stacks by result."""
    stacks: list[FleetStackJson]


@published
class FleetRunEntryJson(TypedDict):
    """A line of the list of fleet runs."""

    run: int
    verb: str
    status: Literal["running", "interrupted", "stopped", "done"]
    started: float
    who: str
    summary: dict[str, int]


@published
class FleetRunsJson(TypedDict):
    """The output of `hacore fleet runs --json`."""

    format_version: Version
    fleet: str
    runs: list[FleetRunEntryJson]
