"""Mistakes that a spec alone does not show: of the resources on one host together, and of the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..address import Address
from ..contract import View
from ..errors import Problem, StackError
from ..load.stack import Instance, Stack
from .views import Providers, desired_views


def examine(
    views: Mapping[Address, View[Any]], instances: Mapping[Address, Instance], providers: Providers
) -> tuple[str, ...]:
    """Ask each kind about its instances. Returns warnings; raises StackError with all that is wrong.

    The same text from several instances is one mistake.
    """
    problems: dict[str, Problem] = {}
    warnings: dict[str, str] = {}
    for address, view in views.items():
        where = instances[address].position
        for mistake in providers[address.kind].examine(view):
            text = str(mistake)
            if mistake.warning:
                warnings.setdefault(text, f"{address}: {text}")
            else:
                problems.setdefault(text, Problem(where.file, where.line, where.column, text, str(address)))
    if problems:
        raise StackError(list(problems.values()))
    return tuple(warnings.values())


def examine_stack(stack: Stack, providers: Providers) -> None:
    """Find the mistakes that need no host; raises StackError."""
    examine(desired_views(stack.instances, stack.hosts, {}, providers), stack.instances, providers)


__all__ = ["examine", "examine_stack"]
