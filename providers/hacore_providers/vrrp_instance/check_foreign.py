"""Routers and machines of others that would fight with an instance, heard before its first apply.

After it, two groups of routers with one number take each other for their own (RFC 5798, section 5.2.3), and an address
that somebody else has is answered for twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from hacore.contract import Mistake, View

from ..facts.addresses import ADDRESSES, plain
from ..facts.foreign import FOREIGN, foreign_arg
from .spec import VrrpInstanceSpec


def question(spec: VrrpInstanceSpec) -> str:
    """The argument of the fact. Members that send to named peers do not listen to a group."""
    own = dict.fromkeys(plain(vip.address) for vip in spec.vips if vip.dev in (None, spec.interface))
    number = 0 if spec.unicast else spec.virtual_router_id
    return foreign_arg(spec.config, spec.interface, number, spec.advert_interval, own)


def mistakes_of_foreign(view: View[VrrpInstanceSpec]) -> Iterator[Mistake]:
    """A router with the same number, and a machine with an address; none of a member of the instance."""
    spec, found = view.spec, view.facts.get(FOREIGN, question(view.spec))
    if found is None:
        return
    host = view.host.name if view.host is not None else "the host"
    where = f"{spec.interface} of {host}"
    known = [facts.get(ADDRESSES, "") for _, facts in view.members.values()]
    own = {plain(one.address) for here in known for one in here or ()}
    silent = [name for name, (_, facts) in view.members.items() if facts.get(ADDRESSES, "") is None]
    perhaps = f", unless it is {' or '.join(silent)}, which did not answer" if silent else ""
    if not found.heard:
        yield Mistake.where(
            "virtual_router_id",
            f"is {spec.virtual_router_id}: whether another router in the network of {where} uses it, and whether "
            f"another machine has an address of {spec.name}, is not known, because {host} has neither perl nor Python, "
            "or its user may not open packet sockets",
            warning=True,
        )
    routers = [source for source in found.routers if plain(source) not in own]
    if routers:
        yield Mistake.where(
            "virtual_router_id",
            f"is {spec.virtual_router_id}, and another router with this number, {', '.join(routers)}, sends on {where}"
            f"{perhaps}: each would take the other for its own; choose a number that is free",
            warning=bool(silent),
        )
    for address, mac in found.taken:
        if address in own:
            continue
        allowed = address in {plain(name) for name in spec.replace_existing}
        yield Mistake.where(
            "addresses",
            f"has {address}, for which another machine with the MAC {mac} answers on {where}{perhaps}: "
            + (
                "both would have it, as replace_existing allows"
                if allowed
                else "both would have it; remove it there, choose one that is free, or, where it is removed in time, "
                f"allow it with replace_existing: [{address}]"
            ),
            warning=allowed or bool(silent),
        )


__all__ = ["mistakes_of_foreign", "question"]
