"""An evaluated instance: its spec, and which of its values are sensitive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..address import Address
from ..contract import Spec
from ..secrets import strings_in
from .stack import Position
from .yaml_nodes import Node


@dataclass(frozen=True, slots=True)
class Built:
    """The spec of a slot, its sensitive paths, the addresses that it refers to, and its hosts.

    `files`: files of the stack's folder of which the content is part of the spec.
    """

    spec: Spec
    hosts: tuple[str, ...]
    sensitive: frozenset[str] = frozenset()
    references: tuple[tuple[Address, Position], ...] = ()
    node: Node | None = None
    files: tuple[str, ...] = ()


def sensitive_strings(built: Built) -> set[str]:
    """The strings at the sensitive paths of an instance."""
    found: set[str] = set()
    for path in built.sensitive:
        value: Any = built.spec
        for step in path.split("."):
            if isinstance(value, BaseModel):
                value = getattr(value, step, None)
            elif isinstance(value, Mapping):
                value = value.get(step)
            elif isinstance(value, list | tuple) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                break
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        found.update(text for text in strings_in(value) if text)
    return found
