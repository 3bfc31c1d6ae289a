"""Mistakes that a spec alone does not show: of the resources on one host together, and of the hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..address import Address
from ..contract import Mistake, View
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
    for address, mistake in _mistakes(views, providers):
        where, text = instances[address].position, str(mistake)
        if mistake.warning:
            warnings.setdefault(text, f"{address}: {text}")
        else:
            problems.setdefault(text, Problem(where.file, where.line, where.column, text, str(address)))
    if problems:
        raise StackError(list(problems.values()))
    return tuple(warnings.values())


def _mistakes(views: Mapping[Address, View[Any]], providers: Providers) -> Iterator[tuple[Address, Mistake]]:
    """Of each instance, then of all instances of each kind together."""
    by_kind: dict[str, dict[Address, View[Any]]] = {}
    contents: dict[tuple[str, str], bytes] = {}
    for address, view in views.items():
        yield from ((address, mistake) for mistake in providers[address.kind].examine(view))
        by_kind.setdefault(address.kind, {})[address] = view
        if address.host is not None:
            known = providers[address.kind].contents(view.spec)
            contents.update({(address.host, path): content for path, content in known.items()})
    for kind, all_views in by_kind.items():
        yield from providers[kind].examine_all(all_views, contents)


def examine_stack(stack: Stack, providers: Providers) -> None:
    """Find the mistakes that need no host; raises StackError."""
    examine(desired_views(stack.instances, stack.hosts, {}, providers), stack.instances, providers)


__all__ = ["examine", "examine_stack"]
