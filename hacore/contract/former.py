"""Names of earlier versions of the contract, and what they are called now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from warnings import warn

API = 2
"""The version of the contract: what a provider declares as `api`."""

MEMBERS: Mapping[str, str] = MappingProxyType({"indelible": "delete_irreversible"})
"""Members of a provider of api 1: former name to today's."""


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that still knows `names` (former to today's), each with a DeprecationWarning."""

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(
            f"{module}.{name} is now {names[name]}; the former name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(sys.modules[module], names[name])

    return get


__all__ = ["API", "MEMBERS", "renamed"]
