"""What a change of keepalived.conf does to the service: addresses that move, and addresses that are removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hacore.contract import Facts, View

from ..facts.addresses import ADDRESSES, plain
from ..facts.keepalived import CONFIG
from .check_pair import effective_priority, weights
from .members import holds_here, is_drained, master_down
from .rewrite import rewritten
from .spec import VrrpInstanceSpec

Members = Mapping[str, tuple[VrrpInstanceSpec, Facts]]


class Move(NamedTuple):
    """The holder of now, the member that preempts it, and within how many seconds."""

    holder: str
    taker: str
    seconds: float


def change(view: View[VrrpInstanceSpec], cure: str = "") -> str:
    """The effect of writing the desired configuration of one member. `cure`: what is done in place of a reload."""
    return ", ".join([*filter(None, [rewritten(view)]), cure or "reload keepalived", *words(view)])


def words(view: View[VrrpInstanceSpec]) -> list[str]:
    """The effects of the desired configuration of one member, besides the reload."""
    found = [
        f"{address} moves {move.holder} -> {move.taker} in about {move.seconds:.0f} s"
        for address, move in moves(view.members).items()
    ]
    return [*found, *removal(view, removed_addresses(view))]


def moves(members: Members) -> dict[str, Move]:
    """The addresses that a member with a higher priority takes from their holder, once all have loaded their specs.

    As far as can be seen: a member on which a check fails does not preempt. Nothing is known of a member that does not
    answer.
    """
    if len(members) < 2 or any(facts.get(ADDRESSES, "") is None for _, facts in members.values()):
        return {}
    if any(is_drained(spec, facts) for spec, facts in members.values()):
        return {}
    ranks = {host: _priority(spec) for host, (spec, _) in members.items()}
    best = max(ranks.values())
    first = [host for host, rank in ranks.items() if rank == best]
    taker = first[0]
    spec = members[taker][0]
    if len(first) > 1 or spec.nopreempt:
        return {}
    found: dict[str, Move] = {}
    for vip in spec.vips:
        address = plain(vip.address)
        holders = [h for h, (s, facts) in members.items() if holds_here(facts.get(ADDRESSES, ""), s, address)]
        if len(holders) == 1 and holders[0] != taker:
            found[address] = Move(holders[0], taker, master_down(spec) + (spec.preempt_delay or 0.0))
    return found


def _priority(spec: VrrpInstanceSpec) -> int:
    healthy = [(weight, True) for weight in weights(spec).values()]
    return effective_priority(spec.priority, healthy) or 0


def removed_addresses(view: View[VrrpInstanceSpec]) -> list[str]:
    """Addresses that the instance has in the file of the host, and that no instance of the stack has there."""
    file = view.facts.get(CONFIG, view.spec.config)
    if file is None:
        return []
    kept = {plain(vip.address) for _, spec in view.companions for vip in spec.vips}
    kept |= {plain(vip.address) for vip in view.spec.vips}
    own = [plain(address) for address, instance in file.instance_of.items() if instance == view.spec.name]
    return [address for address in dict.fromkeys(own) if address not in kept]


def removal(view: View[VrrpInstanceSpec], addresses: list[str]) -> list[str]:
    """What removing addresses from the configuration of a host does there."""
    here = view.facts.get(ADDRESSES, "")
    held = [address for address in addresses if any(plain(a.address) == address for a in here or ())]
    return [f"remove {address} from {view.address.host}, which holds it: its clients lose service" for address in held]


__all__ = ["Move", "change", "moves", "removal", "removed_addresses", "words"]
