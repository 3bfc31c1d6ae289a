"""The types of what `hacore drain`, `undrain` and `move` print with --json; see formats.py."""

from __future__ import annotations

from typing_extensions import TypedDict

from ..plan.public_types import published
from .formats import AddressStatusJson, Version


@published
class MovedJson(TypedDict):
    """An address that changed its holder; null: nobody."""

    address: str
    before: str | None
    after: str | None


@published
class MaintenanceJson(TypedDict):
    """The output of `hacore drain`, `undrain` and `move` with --json."""

    format_version: Version
    host: str
    drained: bool
    names: list[str]
    """The instances that were drained or undrained."""
    until: float | None
    """Unix time at which the host undrains itself."""
    moved: list[MovedJson]
    costs: list[str]
    """What the move cost beyond open connections."""
    connections: int | None
    """Open connections that ended with the move; null: not known."""
    addresses: list[AddressStatusJson]
