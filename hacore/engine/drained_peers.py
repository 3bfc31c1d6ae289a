"""No run takes a host out of service while an operator keeps all the others out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract import Provider
from ..errors import PlanError
from ..model import Op
from ..plan import Plan


def check_drained_peers(made: Plan, providers: Mapping[str, Provider[Any]]) -> None:
    """Raise PlanError for a plan that drains a host of which all peers are drained until `hacore undrain`.

    Reloads need no drain and go on; so does a restart on the drained host itself.
    """
    held: dict[str, dict[str, bool]] = {}
    for address, view in made.views.items():
        guard = providers[address.kind].guard(view) if address.host is not None else None
        if guard is not None and address.host is not None:
            hosts = held.setdefault(guard.group, {})
            hosts[address.host] = hosts.get(address.host, False) or guard.held
    for task in made.tasks:
        if task.op is not Op.DRAIN or task.host is None:
            continue
        others = {host: drained for host, drained in held.get(task.group, {}).items() if host != task.host}
        if others and all(others.values()):
            raise PlanError(
                f"cannot take {task.host} out of service, which a restart in this plan needs: {' and '.join(others)} "
                f"{'is' if len(others) == 1 else 'are'} drained; `hacore undrain {next(iter(others))}` first"
            )


__all__ = ["check_drained_peers"]
