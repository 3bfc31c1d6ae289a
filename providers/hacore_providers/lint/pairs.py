"""The rules of vrrp_instance, applied to the instances of files.

Which instances belong together: with two members, those of the same virtual_router_id and family, then of the rest
those that share an address, a name or a peer; with three or more, those of the same number and family that share
an address or a peer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from hacore.contract import Mistake

from ..vrrp_instance.check_member import PASSWORD, member_mistakes
from ..vrrp_instance.check_pair import mistakes
from ..vrrp_instance.from_config import FoundInstance
from ..vrrp_instance.spec import VrrpInstanceSpec
from .catalogue import RULES
from .finding import Finding, Member

__all__ = ["instance_findings", "pair_findings", "paired"]

Group = Mapping[str, FoundInstance]
"""The instances of one virtual router, by the name of their member."""

_KEYWORDS = {
    "advert_interval": "advert_int",
    "addresses": "virtual_ipaddress",
    "unicast": "unicast_peer",
    "unicast.peers": "unicast_peer",
    "authentication.password": "auth_pass",
    "authentication.type": "auth_type",
    "preempt": "nopreempt",
}
"""The keyword of keepalived.conf for a field of the kind."""

_OF_MEMBER = {
    "addresses": "address",
    "advert_interval": "advert-interval",
    "authentication": "",  # VRRP version 3 ignores it
    "authentication.password": "",  # `_passwords`
    "interface": "",  # names differ legally, and unicast needs none
    "notify": "",
    "preempt": "preempt",
    "preempt_delay": "preempt",
    "priority": "out-of-range",
    "router_id": "",
    "state": "preempt",
    "unicast": "unicast-family",
    "unicast_src_ip": "unicast-family",
    "version": "out-of-range",
}
"""The rule for a mistake of one member, by its field; an empty one: nothing is reported."""

_OF_PAIR = {
    "virtual_router_id": "members-differ",
    "version": "members-differ",
    "addresses": "members-differ",
    "advert_interval": "members-differ",
    "authentication": "members-differ",
    "name": "",  # members need not agree about it
    "preempt": "preempt-differs",
    "priority": "priority-order",
    "router_id": "router-name-twice",
    "state": "two-masters",
    "unicast": "unicast-peers",
}


def paired(members: Sequence[Member]) -> tuple[list[Group], list[tuple[Member, FoundInstance]]]:
    """The groups of instances that belong together, and those that are alone."""
    groups: list[dict[str, FoundInstance]] = []
    for strict in (True, False) if len(members) == 2 else (True,):
        for member in members:
            for instance in member.instances:
                if instance.spec is None or any(instance is known for g in groups for known in g.values()):
                    continue
                fitting = (g for g in groups if member.name not in g and _belongs(instance, g, members, strict))
                group = next(fitting, None)
                if group is not None:
                    group[member.name] = instance
                elif strict:
                    groups.append({member.name: instance})
        if strict and len(members) == 2:  # what is alone may find a partner by something else than its number
            alone = [g for g in groups if len(g) == 1]
            groups = [g for g in groups if len(g) > 1] + _joined(alone, members)
    by_name = {member.name: member for member in members}
    single = [(by_name[name], instance) for g in groups if len(g) == 1 for name, instance in g.items()]
    return [g for g in groups if len(g) > 1], single


def _joined(alone: list[dict[str, FoundInstance]], members: Sequence[Member]) -> list[dict[str, FoundInstance]]:
    left = list(alone)
    for one, other in combinations(alone, 2):
        if one in left and other in left and one.keys().isdisjoint(other):
            instance = next(iter(other.values()))
            if _belongs(instance, one, members, strict=False):
                one.update(other)
                left = [g for g in left if g is not other]
    return left


def _belongs(instance: FoundInstance, group: Group, members: Sequence[Member], strict: bool) -> bool:
    spec = instance.spec
    for other in group.values():
        there = other.spec
        if spec is None or there is None:
            continue
        same = (spec.virtual_router_id, _ipv6(spec)) == (there.virtual_router_id, _ipv6(there))
        related = bool(_addresses(spec) & _addresses(there)) or bool(set(spec.peers) & set(there.peers))
        if strict and same and (len(members) == 2 or related):
            return True
        if not strict and (related or instance.name == other.name):
            return True
    return False


def _ipv6(spec: VrrpInstanceSpec) -> bool:
    return any(":" in vip.address for vip in spec.vips)


def _addresses(spec: VrrpInstanceSpec) -> set[str]:
    return {vip.address.partition("/")[0] for vip in spec.vips}


def instance_findings(instance: FoundInstance) -> Iterator[Finding]:
    """The findings of one instance by itself."""
    if instance.spec is None:
        return
    for mistake in member_mistakes(instance.spec):
        rule = "nopreempt-weight" if mistake.field.endswith(".weight") else _OF_MEMBER.get(mistake.field, "")
        if rule == "out-of-range":
            continue  # reported with its text when it was read
        if rule and not (mistake.field == "addresses" and ("label" in mistake.message or "dev" in mistake.message)):
            yield _finding(rule, instance, mistake)
    auth = instance.spec.authentication
    if auth is not None and len(auth.password.encode()) > PASSWORD:
        message = f"auth_pass has {len(auth.password.encode())} bytes: keepalived uses the first {PASSWORD}"
        yield Finding("password-length", "warning", instance.place("authentication.password"), message)


def pair_findings(group: Group) -> Iterator[Finding]:
    """The findings that only the members together reveal."""
    specs = {name: instance.spec for name, instance in group.items() if instance.spec is not None}
    alone = {name: {(m.field, m.message) for m in member_mistakes(spec)} for name, spec in specs.items()}
    for name, mistake in mistakes(specs, {}):
        if (mistake.field, mistake.message) in alone[name]:
            continue
        rule = _rule_of_pair(mistake, specs)
        if rule:
            yield _finding(rule, group[name], mistake)


def _rule_of_pair(mistake: Mistake, specs: Mapping[str, VrrpInstanceSpec]) -> str:
    if mistake.field.endswith(".weight"):
        return "nopreempt-weight" if any(spec.nopreempt for spec in specs.values()) else "weight-moves-nothing"
    if mistake.field == "priority" and len({spec.priority for spec in specs.values()}) < len(specs):
        return "" if all(spec.nopreempt for spec in specs.values()) else "equal-priority"
    if mistake.field == "priority" and any(spec.priority == 1 for spec in specs.values()):
        return "priority-of-drain"
    return _OF_PAIR.get(mistake.field, "")


def _finding(rule: str, instance: FoundInstance, mistake: Mistake) -> Finding:
    return Finding(rule, RULES[rule].severity, instance.place(mistake.field), _in_keywords(mistake))


def _in_keywords(mistake: Mistake) -> str:
    """The sentence of a rule with the words of keepalived.conf instead of those of a stack."""
    if mistake.field == "preempt":
        return "nopreempt is missing here and set on other members: set it on all members, or on none"
    if mistake.field == "unicast" and mistake.joined:
        return "unicast_peer is set on some members only: both would hold the address; use it on all, or on none"
    tracker = re.fullmatch(r"track_(?:scripts|processes|interfaces|files)\.(.+)\.weight", mistake.field)
    field = f"the weight of {tracker[1]}" if tracker else _KEYWORDS.get(mistake.field, mistake.field)
    message = mistake.message.replace("preempt: false", "nopreempt").replace("unicast.peers", "unicast_peer")
    return f"{field}{'' if mistake.joined else ':'} {message}"
