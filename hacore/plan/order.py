"""The order of tasks: what must be, and what should be as long as it closes no circle."""

from __future__ import annotations

from collections.abc import Mapping, Set

from ..errors import PlanError
from ..graph import find_cycle, topological

Edge = tuple[str, str]
"""The later task, the earlier one."""


def ordered(needs: Mapping[str, Set[str]], loose: Set[Edge]) -> dict[str, tuple[str, ...]]:
    """The needs of all tasks, with the `loose` edges but those that would close a circle.

    Raises PlanError when the needs themselves go in a circle.
    """
    more: dict[str, set[str]] = {}
    for later, earlier in loose:
        more.setdefault(later, set()).add(earlier)
    while True:
        found = {key: tuple(sorted(own | more.get(key, set()))) for key, own in needs.items()}
        if len(topological(found)) == len(found):
            return found
        cycle = find_cycle(found)
        assert cycle is not None
        ring = zip(cycle.nodes, (*cycle.nodes[1:], cycle.nodes[0]), strict=True)
        giving = next(((k, need) for k, need in ring if need in more.get(k, ()) and need not in needs[k]), None)
        if giving is None:
            raise PlanError(f"cannot order the tasks, they wait for each other in a circle: {cycle}")
        more[giving[0]].discard(giving[1])


__all__ = ["Edge", "ordered"]
