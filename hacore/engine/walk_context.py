"""The one place that builds the context of a walk, for applies and for rollbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..address import Address
from ..contract import Facts, View
from ..model import Host, Row
from ..plan import Ownership
from ..plan.types import Sources
from ..probe import HostLink
from ..store import StateWriter
from ..walk import Context
from .host_locks import HeldHosts
from .means import Means
from .sources import fetch


@dataclass(frozen=True, slots=True)
class Answers:
    """Hosts as they answered: how each is reached, its facts, the views of what is on it, and its owner."""

    hosts: Mapping[str, Host]
    facts: Mapping[str, Facts] = field(default_factory=dict)
    views: Mapping[Address, View[Any]] = field(default_factory=dict)
    ownership: Ownership = field(default_factory=Ownership)


def walk_context(
    run: int,
    means: Means,
    writer: StateWriter,
    held: HeldHosts,
    answers: Answers,
    *,
    rows: Mapping[Address, Row],
    sources: Mapping[Address, Sources],
    links: Mapping[str, HostLink] | None = None,
    **more: Any,
) -> Context:
    """The context of a walk over the tasks of `run`. `rows`: as recorded before it, copied.

    `links` are those of the locked hosts if not given; `more` are fields of `Context` that only some walks have.
    """
    return Context(
        run=run,
        token=held.token,
        relock=held.again,
        links=held.links if links is None else links,
        providers=means.providers,
        emit=means.listener,
        parallelism=means.parallelism,
        writer=writer,
        fetch=fetch,
        rows=dict(rows),
        sources=sources,
        hosts=answers.hosts,
        facts=dict(answers.facts),
        views=answers.views,
        others={name: answers.ownership.others_have(name) for name in answers.facts},
        **more,
    )


__all__ = ["Answers", "walk_context"]
