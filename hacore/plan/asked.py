"""What was asked and answered: a host may answer about some of its resources and not about others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..contract import Ask, Facts, Provider, Spec


def answered_by(hosts: Sequence[str], asks: Sequence[Ask], facts: Mapping[str, Facts]) -> bool:
    """Whether one of the hosts answered all questions of a resource.

    One without a host of its own may be judged by those that did.
    """
    return any(host in facts and not facts[host].unanswered(asks) for host in hosts)


def askers(specs: Iterable[tuple[str, Spec]], providers: Mapping[str, Provider[Any]]) -> dict[str, set[str]]:
    """The kinds that ask for each fact, by its name."""
    found: dict[str, set[str]] = {}
    for kind, spec in specs:
        for ask in providers[kind].facts(spec):
            found.setdefault(ask.fact.name, set()).add(kind)
    return found


__all__ = ["answered_by", "askers"]
