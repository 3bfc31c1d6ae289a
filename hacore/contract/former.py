"""Names of earlier versions of the contract, each with its present name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from warnings import warn

API = 2
"""The version of the contract, which a provider declares as `api`."""

MEMBERS: Mapping[str, str] = MappingProxyType({"indelible": "delete_irreversible"})
"""Members of a provider of api 1: former name to present name."""


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that resolves `names` (former to present) with a DeprecationWarning."""

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(
            f"{module}.{name} is now {names[name]}; the former name is removed in the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(sys.modules[module], names[name])

    return get


__all__ = ["API", "MEMBERS", "renamed"]
