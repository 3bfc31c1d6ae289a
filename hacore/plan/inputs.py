"""The inputs of a plan, and the result of comparing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..address import Address
from ..contract import Facts, Observed, View
from ..graph import Graph
from ..load.stack import Stack
from ..model import Action, Host
from ..secrets import Secrets
from .sealing import Seal
from .selection import NO_SELECTION, Selection
from .types import Drift, PlannedChange
from .views import Providers, Recorded


@dataclass
class Inputs:
    """Everything that a plan is computed from."""

    stack: Stack
    graph: Graph
    recorded: Mapping[Address, Recorded]
    facts: Mapping[str, Facts]  # hosts that answered
    hosts: Mapping[str, Host]  # the stack's and the recorded ones
    providers: Providers
    seal: Seal
    doubtful: Mapping[Address, Action] = field(default_factory=dict)  # what an interrupted run was doing to them
    gone_reason: str = "no longer in the stack"
    selection: Selection = NO_SELECTION
    run: int = 0  # the current run: what --replace names is replaced once in it
    secrets: Secrets = field(default_factory=Secrets)  # of the stack
    recall: Seal | None = None  # compare with the recorded attrs, sealed by this, not with facts


@dataclass
class Comparison:
    """The result: changes that will be made or recorded, rows that are only rewritten, drift, no-ops."""

    changes: list[PlannedChange] = field(default_factory=list)
    metadata_only: list[PlannedChange] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    views: dict[Address, View[Any]] = field(default_factory=dict)
    recorded_views: Mapping[Address, View[Any]] = field(default_factory=dict)
    observed: dict[Address, Observed | None] = field(default_factory=dict)
    still: dict[Address, PlannedChange] = field(default_factory=dict)  # no-ops, for ensure and triggers
    secrets: dict[Address, frozenset[str]] = field(default_factory=dict)  # names of sensitive attrs
    protected: list[Address] = field(default_factory=list)  # would be deleted against prevent_destroy
    warnings: tuple[str, ...] = ()


__all__ = ["Comparison", "Inputs"]
