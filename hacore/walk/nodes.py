"""Tasks as the board sees them: their needs, and what is undone together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..address import Address
from ..journal import RunningTask
from ..model import Op


@dataclass(frozen=True, slots=True)
class Node:
    """What the board needs to know of a task."""

    id: str
    needs: tuple[str, ...] = ()
    lane: int = 0
    op: Op = Op.CHANGE
    keep_on_failure: bool = False
    group: str = ""
    sources: frozenset[str] = frozenset()  # of a trigger: the tasks that it takes in
    consumer: frozenset[str] = frozenset()  # of a trigger: the tasks that change its consumer


def nodes_of(lives: Sequence[RunningTask]) -> list[Node]:
    """What the board needs to know of the tasks."""
    changed: dict[Address, set[str]] = {}
    for live in lives:
        for planned in live.task.changes:
            changed.setdefault(planned.address, set()).add(live.id)

    def changing(addresses: Sequence[Address]) -> frozenset[str]:
        return frozenset(id for address in addresses for id in changed.get(address, ()))

    return [
        Node(
            live.id,
            live.task.needs,
            live.task.lane,
            live.task.op,
            live.task.keep_on_failure,
            live.task.group,
            changing(live.task.sources),
            changing(live.task.addresses) if live.task.op is Op.TRIGGER else frozenset(),
        )
        for live in lives
    ]


def undrains(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Each drain's undrain."""
    return {
        drain: node.id
        for node in nodes.values()
        if node.op is Op.UNDRAIN
        for drain in _drains_below(node, nodes)
        if nodes[drain].op is Op.DRAIN
    }


def _drains_below(undrain: Node, nodes: Mapping[str, Node]) -> list[str]:
    """drain, tasks, verify, undrain; or drain, undrain, where an interrupted run left a block open.

    A drain may itself wait for the undrain of another block, which is not part of its own.
    """

    def needs(id: str) -> list[str]:
        return [need for need in nodes[id].needs if need in nodes]

    direct = needs(undrain.id)
    inside = [task for verify in direct if nodes[verify].op is Op.VERIFY for task in needs(verify)]
    return [*[d for task in inside for d in needs(task)], *direct]


__all__ = ["Node", "nodes_of", "undrains"]
