"""The types of what `hacore drill --json` prints; see formats.py."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from ..plan.public_types import published
from .formats import Version


@published
class DrillJson(TypedDict):
    """The output of `hacore drill --json`."""

    format_version: Version
    run: int
    verdict: str
    """passed, failed, or void: nothing is known."""
    restored: bool
    """Whether all hosts were restored; `problem` is why not."""
    problem: str
    rate: float
    """Requests a second."""
    findings: list[str]
    """Why a scenario could not be played."""
    scenarios: list[dict[str, Any]]
    """The numbers of each scenario beside its budget; times in seconds since its begin."""


__all__ = ["DrillJson"]
