"""IPv4 and IPv6 of one pair in two instances without a sync group: what would have them on different hosts.

One instance has one family (RFC 5798, section 5.2.9), so a dual-stack pair has two, and keepalived moves each alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hacore.contract import Address, Mistake, View

from .check_groups import Member, numbers, preferred
from .spec import VrrpInstanceSpec

Views = Mapping[Address, View[VrrpInstanceSpec]]


def mistakes_of_families(views: Views) -> Iterator[tuple[Address, Mistake]]:
    """Warnings: two families that prefer different hosts, or of which only one sees a failure."""
    four, six = _by_family(views)
    for name, member in six.items():
        others = {other: found for other, found in four.items() if _where(found) == _where(member)}
        if not others:
            continue
        order = preferred(member)
        address = member[order[0]][0]
        if all(preferred(other) != order for other in others.values()):
            other, reference = next(iter(others.items()))
            yield (
                address,
                Mistake.where(
                    "priority",
                    f"prefers {numbers(member, order)} for IPv6, and {other} prefers "
                    f"{numbers(reference, preferred(reference))} for IPv4: clients with both families use both hosts; "
                    "give both the same order, or one sync_group",
                    warning=True,
                ),
            )
        elif len(others) == 1 and sum(_where(found) == _where(member) for found in six.values()) == 1:
            other, reference = next(iter(others.items()))
            only = _tracked(member) ^ _tracked(reference)
            if only:
                yield (
                    address,
                    Mistake.where(
                        "track_scripts",
                        f"differ from those of {other}, which has the IPv4 addresses of the hosts of {name.name}: "
                        f"after a failure of {', '.join(sorted(only))} the families are on different hosts; "
                        "track the same in both, or give both one sync_group",
                        warning=True,
                    ),
                )


def _by_family(views: Views) -> tuple[dict[Address, Member], dict[Address, Member]]:
    """The instances outside of groups, on several hosts, of IPv4 and of IPv6."""
    four: dict[Address, Member] = {}
    six: dict[Address, Member] = {}
    for address, view in views.items():
        spec = view.spec
        if spec.sync_group is None and address.host is not None and spec.vips:
            family = six if any(":" in vip.address for vip in spec.vips) else four
            family.setdefault(address.at(None), {})[address.host] = (address, spec)
    return _pairs(four), _pairs(six)


def _pairs(found: Mapping[Address, Member]) -> dict[Address, Member]:
    return {name: member for name, member in found.items() if len(member) > 1}


def _where(member: Member) -> dict[str, tuple[str, str]]:
    return {host: (spec.config, spec.interface) for host, (_, spec) in member.items()}


def _tracked(member: Member) -> set[str]:
    """What any of the hosts tracks, by its kind and what it watches: names may differ."""
    found: set[str] = set()
    for _, spec in member.values():
        found |= {script.script for script in spec.track_scripts.values()}
        found |= {of.process for of in spec.track_processes.values()}
        found |= {of.file for of in spec.track_files.values()}
        found |= set(spec.track_interfaces)
    return found


__all__ = ["mistakes_of_families"]
