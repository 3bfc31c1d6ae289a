"""The rules for the sync groups of a stack: instances that are MASTER together, as the IPv4 and IPv6 side of a pair.

keepalived puts all members of a group into FAULT with the first one, and makes none of them MASTER before all can be.
It ignores weights there (acassen/keepalived#2105), so the members must agree on who is first by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hacore.contract import Address, Mistake, View

from .check_pair import weights
from .spec import VrrpInstanceSpec

Views = Mapping[Address, View[VrrpInstanceSpec]]
Member = dict[str, tuple[Address, VrrpInstanceSpec]]
"""One instance of a group on its hosts."""


def mistakes_of_groups(views: Views) -> Iterator[tuple[Address, Mistake]]:
    """All mistakes; each is reported once for an instance."""
    for name, members in _groups(views):
        yield from _places(name, members)
        yield from _agreement(name, members)
        yield from _order(name, members)
        for member in members.values():
            yield from _weights(name, member)


def _groups(views: Views) -> Iterator[tuple[str, dict[Address, Member]]]:
    """The groups with their instances. Groups of one name on different hosts have nothing to do with each other."""
    named: dict[str, dict[Address, Member]] = {}
    for address, view in views.items():
        if view.spec.sync_group is not None and address.host is not None:
            group = named.setdefault(view.spec.sync_group, {})
            group.setdefault(address.at(None), {})[address.host] = (address, view.spec)
    for name, left in named.items():
        while left:
            first = next(iter(left))
            part = {first: left.pop(first)}
            hosts = set(part[first])
            while more := [one for one, member in left.items() if hosts & set(member)]:
                for one in more:
                    part[one] = left.pop(one)
                    hosts |= set(part[one])
            yield name, part


def _places(name: str, members: dict[Address, Member]) -> Iterator[tuple[Address, Mistake]]:
    """A group is one of the file of a host, and has two members there; keepalived rejects one with a single member."""
    first, reference = next(iter(members.items()))
    address = next(iter(reference.values()))[0]
    if len(members) == 1:
        yield (
            address,
            Mistake.where(
                "sync_group",
                f"is {name}, which no other instance on its hosts has: a group needs two; give it to the other one, "
                "or remove it",
            ),
        )
    for member in list(members.values())[1:]:
        here, there = next(iter(member.values())), ", ".join(sorted(reference))
        if set(member) != set(reference):
            yield (
                here[0],
                Mistake.where(
                    "sync_group",
                    f"is {name} on {', '.join(sorted(member))}, and {first} is in it on {there}: a group cannot move "
                    "to a host that has only a part of it; give both the same members",
                ),
            )
        for host, (at, spec) in member.items():
            other = reference.get(host)
            if other is not None and other[1].config != spec.config:
                yield (
                    at,
                    Mistake.where(
                        "config",
                        f"is {spec.config}, and that of {first} in the same sync_group is {other[1].config}: a group "
                        "is part of one file",
                    ),
                )
                break


_SAME: tuple[tuple[str, Callable[[VrrpInstanceSpec], object], str], ...] = (
    ("preempt", lambda spec: not spec.nopreempt, "one of them would hold the others back"),
    ("preempt_delay", lambda spec: spec.preempt_delay or 0, "they would not preempt together"),
    ("state", lambda spec: spec.role, "they would not start together"),
)
"""What all members of a group on one host have alike."""


def _agreement(name: str, members: dict[Address, Member]) -> Iterator[tuple[Address, Mistake]]:
    first, reference = next(iter(members.items()))
    for member in list(members.values())[1:]:
        for field, get, why in _SAME:
            for host, (address, spec) in member.items():
                other = reference.get(host)
                if other is not None and get(other[1]) != get(spec):
                    yield (
                        address,
                        Mistake.where(
                            field,
                            f"is {_text(get(spec))} here and {_text(get(other[1]))} in {first}, which is in the same "
                            f"sync_group {name}: {why}; give both the same",
                        ),
                    )
                    break


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _order(name: str, members: dict[Address, Member]) -> Iterator[tuple[Address, Mistake]]:
    """The host that one member prefers must be that of the others: a group is MASTER only where all of them are."""
    first, reference = next(iter(members.items()))
    hosts = preferred(reference)
    for member in list(members.values())[1:]:
        theirs = preferred(member)
        if set(member) == set(reference) and theirs != hosts:
            address = member[theirs[0]][0]
            yield (
                address,
                Mistake.where(
                    "priority",
                    f"prefers {numbers(member, theirs)}, and {first} in the same sync_group {name} prefers "
                    f"{numbers(reference, hosts)}: they are MASTER on one host together; give both the same order",
                ),
            )


def preferred(member: Member) -> list[str]:
    """The hosts of an instance, the first master first."""
    return sorted(member, key=lambda host: (-member[host][1].priority, host))


def numbers(member: Member, hosts: list[str]) -> str:
    """The hosts in their order, with their priorities."""
    return " before ".join(f"{host} ({member[host][1].priority})" for host in hosts)


def _weights(name: str, member: Member) -> Iterator[tuple[Address, Mistake]]:
    """keepalived (2.2.7) ignores a tracker with a weight of an instance that is in a group."""
    told: set[str] = set()
    for address, spec in member.values():
        files = {f"track_files.{file}": tracker.weight for file, tracker in spec.track_files.items()}
        for field, weight in (weights(spec) | files).items():
            if weight and field not in told:
                told.add(field)
                yield (
                    address,
                    Mistake.where(
                        f"{field}.weight",
                        f"is {weight} in the sync_group {name}: keepalived ignores weights of its members, so a "
                        "failure would move nothing; set 0 (FAULT on failure)",
                    ),
                )


__all__ = ["Member", "mistakes_of_groups", "numbers", "preferred"]
