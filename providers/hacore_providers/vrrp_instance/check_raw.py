"""Files that raw text includes: on the hosts they may have what hacore writes itself."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname, join

from hacore.contract import Mistake, View

from ..facts.keepalived import INCLUDE
from .raw_text import ELSEWHERE, included
from .spec import VrrpInstanceSpec


def patterns(spec: VrrpInstanceSpec) -> tuple[tuple[str, str], ...]:
    """The fields with `include` lines and their patterns, absolute as keepalived reads them."""
    fields = (("raw_before", spec.lines_before), ("raw_after", spec.lines_after), ("extra", spec.extra_lines))
    return tuple((field, join(dirname(spec.config), pattern)) for field, lines in fields for pattern in included(lines))


def mistakes_of_included(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """An included instance or tracker escapes the rules, the drain and the diff."""
    for field, pattern in patterns(view.spec):
        told: set[tuple[str, str]] = set()
        for keyword, path in view.facts.get(INCLUDE, pattern) or ():
            if (keyword, path) in told:
                continue
            told.add((keyword, path))
            instead = ELSEWHERE.get(keyword, "write what it has into the stack")
            host = view.host.name if view.host is not None else "the host"
            yield Mistake.where(field, f"includes {path} on {host}, which has the keyword {keyword}: {instead}")


__all__ = ["mistakes_of_included", "patterns"]
