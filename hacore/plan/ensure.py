"""Tasks for no-ops that may no longer be no-ops when their turn comes.

A package that is upgraded may stop a unit; a build that is replaced may change what a file's check
returns. A change names the tokens that it invalidates; what uses such a token downstream is checked
again inside the run, and updated if necessary.

What observes all of its hosts together (a virtual IP and its checks) is checked again after
everything that it depends on, reloads included: that is how a run finds out that it broke the service.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..address import Address
from ..model import Action
from .inputs import Comparison, Inputs
from .types import PlannedChange

_ACTING = (Action.CREATE, Action.UPDATE, Action.REPLACE)


def plan_ensures(outcome: Comparison, triggered: Collection[Address], given: Inputs) -> list[PlannedChange]:
    """The no-ops that must be checked again, as changes with the action no-op.

    `triggered`: the consumers that reload or restart in this plan.
    """
    stale: dict[str, set[str]] = {}  # host -> tokens
    for planned in outcome.changes:
        if planned.action in _ACTING:
            for token in given.providers[planned.kind].invalidates(planned.change):
                for host in planned.hosts:
                    stale.setdefault(host, set()).add(token)
    acting = {c.address for c in outcome.changes if c.action in _ACTING}
    if not acting and not triggered:
        return []
    below = _downstream(acting, given) if stale else set()
    resting = _downstream(acting | set(triggered), given)
    return [
        replace(still, ensured=True)
        for address, still in outcome.still.items()
        if (address in below and _touched(address, still, stale, given))
        or (address in resting and given.providers[address.kind].hosts == "together")
    ]


def _touched(address: Address, still: PlannedChange, stale: dict[str, set[str]], given: Inputs) -> bool:
    tokens = {claim.token for claim in given.graph.claims[address]}
    return any(tokens & stale.get(host, set()) for host in still.hosts)


def _downstream(changed: set[Address], given: Inputs) -> set[Address]:
    found: set[Address] = set()
    for address in given.graph.order:
        if any(need in changed or need in found for need in given.graph.needs[address]):
            found.add(address)
    return found
