"""Recorded rows in the shape of a stack, so that a rollback can order, guard and trigger like a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...address import Address
from ...contract import Provider
from ...graph import Graph, topological
from ...load.stack import Instance, Position, Stack
from ...model import Host
from ...plan import Recorded

_NOWHERE = Position("", 0, 0)


def stack_of(name: str, recorded: Mapping[Address, Recorded], hosts: Mapping[str, Host]) -> Stack:
    """A stack in which the recorded rows are desired."""
    return Stack(
        name=name,
        folder=Path(),
        file=Path(),
        state="",
        hosts=hosts,
        groups={},
        instances={
            a: Instance(a, r.spec, a.host, r.row.hosts, _NOWHERE, lifecycle=r.row.lifecycle)
            for a, r in recorded.items()
        },
    )


def graph_of(recorded: Mapping[Address, Recorded], providers: Mapping[str, Provider[Any]]) -> Graph:
    """The edges and claims that rows keep. Rows of several times may need each other in a circle: these come last."""
    needs = {
        a: tuple(need for text in r.row.needs if (need := Address.parse(text)) in recorded and need != a)
        for a, r in sorted(recorded.items())
    }
    order = topological(needs)
    placed = set(order)
    claims = {a: tuple(providers[a.kind].claims(r.spec)) for a, r in recorded.items()}
    return Graph((*order, *(a for a in needs if a not in placed)), needs, claims)
