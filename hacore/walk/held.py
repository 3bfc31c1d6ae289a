"""What must stay held during a run: pure. See `held_check` for the rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..address import Address
from ..contract import Held, Provider, View


@dataclass(frozen=True, slots=True)
class HeldAddresses:
    """What must stay held. `holders`: address to the one host that held it before the run.

    `views`: of the instances that answer for it, by their address; `settle` and `elect`: seconds, see `Held`.
    """

    holders: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[Address, View[Any]] = field(default_factory=dict)
    settle: float = 0.0
    elect: float = 0.0


def held_before(views: Mapping[Address, View[Any]], providers: Mapping[str, Provider[Any]]) -> HeldAddresses:
    """The addresses that exactly one host holds now, and that the desired configuration keeps. Pure."""
    found: dict[Address, tuple[View[Any], Held]] = {}
    for address, view in views.items():
        held = providers[address.kind].held(view) if address.host is not None else None
        if held is not None:
            found[address] = (view, held)
    served = {(str(a.host), name) for a, (_, held) in found.items() for name in held.served & held.present}
    kept = {name for _, held in found.values() for name in held.kept}
    holders: dict[str, set[str]] = {}
    for host, name in served:
        holders.setdefault(name, set()).add(host)
    return HeldAddresses(
        {name: next(iter(hosts)) for name, hosts in sorted(holders.items()) if len(hosts) == 1 and name in kept},
        {address: view for address, (view, _) in found.items()},
        max((held.settle for _, held in found.values()), default=0.0),
        max((held.elect for _, held in found.values()), default=0.0),
    )


__all__ = ["HeldAddresses", "held_before"]
