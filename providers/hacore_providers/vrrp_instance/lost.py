"""Addresses that a member lost: it is MASTER, does not have them, and nobody else holds them.

Only a restart of keepalived adds them again (see `facts/keepalived_lost.py`), so that is what the change does.
"""

from __future__ import annotations

from collections.abc import Iterable

from hacore.contract import Change, View

from ..facts.addresses import ADDRESSES, plain
from ..facts.keepalived import CONFIG
from ..facts.keepalived_lost import LOST, lost_arg
from .members import holds_here, longest_start
from .spec import VrrpInstanceSpec

ATTR = "addresses"
"""The attr that has the instance's addresses without the lost ones. It is desired only where something is lost."""


def question(spec: VrrpInstanceSpec) -> str:
    """The argument of the fact."""
    return lost_arg(spec.config, spec.service, spec.name, longest_start(spec), all_of(spec))


def all_of(spec: VrrpInstanceSpec) -> list[str]:
    """The addresses of an instance, in their shortest form."""
    return list(dict.fromkeys(plain(vip.address) for vip in spec.vips))


def shown(addresses: Iterable[str]) -> str:
    """Addresses as the value of the attr."""
    return ", ".join(addresses) or "none"


def left(view: View[VrrpInstanceSpec]) -> str:
    """The attr as it is now."""
    gone = addresses(view)
    return shown(address for address in all_of(view.spec) if address not in gone)


def addresses(view: View[VrrpInstanceSpec]) -> tuple[str, ...]:
    """What this member lost of what its file has; nothing while another one holds it, or may hold it unanswered."""
    file = view.facts.get(CONFIG, view.spec.config)
    if file is None:
        return ()
    loaded = {plain(address) for address, instance in file.instance_of.items() if instance == view.spec.name}
    members = {host: known for host, known in view.members.items() if host != view.address.host}
    if any(facts.get(ADDRESSES, "") is None for _, facts in members.values()):
        return ()
    return tuple(
        address
        for address in view.facts.get(LOST, question(view.spec)) or ()
        if address in loaded
        and not any(holds_here(facts.get(ADDRESSES, ""), spec, address) for spec, facts in members.values())
    )


def cure(view: View[VrrpInstanceSpec]) -> str:
    """What heals it, as an effect; empty if nothing is lost."""
    found = addresses(view)
    if not found:
        return ""
    spec, file = view.spec, view.facts.get(CONFIG, view.spec.config)
    servers = "; its virtual servers stop until then" if file is not None and file.servers else ""
    return (
        f"restart {spec.service}, which is MASTER of {spec.name} and has lost {', '.join(found)}: a reload does not "
        f"add an address again{servers}"
    )


def is_cure(change: Change[VrrpInstanceSpec]) -> bool:
    """Whether a change restarts the daemon for what it lost."""
    wanted = (change.desired or {}).get(ATTR)
    return wanted is not None and (change.observed or {}).get(ATTR, wanted) != wanted


__all__ = ["ATTR", "addresses", "all_of", "cure", "is_cure", "left", "question", "shown"]
