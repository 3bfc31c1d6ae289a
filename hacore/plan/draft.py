"""A task before it has an id."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..address import Address
from ..model import Disrupts, Op
from .types import PlannedChange


@dataclass
class Draft:
    """A task with its needs not all collected yet; `key` stands for its id until the order is known."""

    key: str
    op: Op
    kind: str
    host: str | None
    changes: list[PlannedChange] = field(default_factory=list)
    addresses: tuple[Address, ...] = ()
    needs: set[str] = field(default_factory=set)
    trigger: str = ""
    sources: tuple[Address, ...] = ()
    disrupts: Disrupts = "none"
    group: str = ""
    aggregate: str = ""
    level: int | None = None  # of an aggregate that may have several tasks on a host
