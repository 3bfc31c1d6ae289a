"""A finding, and the members that rules compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..keepalived import Document, Place
from ..vrrp_instance.from_config import FoundInstance

__all__ = ["Finding", "Member", "Severity"]

Severity = Literal["fault", "warning"]
"""`fault`: wrong with every version of keepalived. `warning`: works, but not as most people expect."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its rule, its place, and a sentence with what would be right."""

    rule: str
    severity: Severity
    at: Place
    message: str


@dataclass(frozen=True, slots=True)
class Member:
    """One host: its configuration, and a name of its own (its file, or its id in a shared one).

    `scripts`: content by path, of those that could be read.
    """

    name: str
    document: Document
    instances: tuple[FoundInstance, ...]
    scripts: dict[str, str]
