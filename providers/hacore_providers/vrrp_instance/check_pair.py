"""The rules for the members of a VRRP instance together.

`keepalived -t` checks one file on one host and cannot find most of these mistakes, after which both hosts hold
the address. Sources: RFC 5798 (VRRPv3), RFC 3768 (VRRPv2), keepalived.conf(5).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import pairwise

from hacore.contract import Host, Mistake

from ..facts.addresses import parse_ip
from .check_member import auth_key, member_mistakes
from .spec import OWNER, VrrpInstanceSpec

Members = Mapping[str, VrrpInstanceSpec]
LOWEST, HIGHEST = 1, 254
"""The range of a priority after the weights of trackers."""


def effective_priority(base: int, trackers: Iterable[tuple[int, bool]]) -> int | None:
    """The priority that a member advertises: its base priority and its trackers' weights, as (weight, healthy).

    A positive weight counts while its tracker is healthy, a negative one while it is not; the sum is
    clamped to 1..254. None: FAULT (a tracker of weight 0 failed), which ends the member's part in the election.
    Weights do not change the priority of the address owner (255).
    """
    state = list(trackers)
    if any(weight == 0 and not healthy for weight, healthy in state):
        return None
    if base == OWNER:
        return OWNER
    total = base + sum(weight for weight, healthy in state if (weight > 0) == healthy)
    return max(LOWEST, min(HIGHEST, total))


def weights(spec: VrrpInstanceSpec) -> dict[str, int]:
    """The weights of a member's trackers by field name, without files: their weight depends on their content."""
    found = {f"track_scripts.{name}": t.weight for name, t in spec.track_scripts.items()}
    found |= {f"track_processes.{name}": t.weight for name, t in spec.track_processes.items()}
    return found | {f"track_interfaces.{name}": t.weight for name, t in spec.track_interfaces.items()}


def mistakes(members: Members, hosts: Mapping[str, Host]) -> Iterator[tuple[str, Mistake]]:
    """All mistakes of an instance: those of each member, then those of the members together."""
    for host, spec in members.items():
        yield from ((host, mistake) for mistake in member_mistakes(spec))
    if len(members) > 1:
        yield from _unequal(members)
        yield from _priorities(members)
        yield from _preemption(members)
        yield from _unicast(members)
        yield from _names(members)
    yield from _used_addresses(members, hosts)


def _unequal(members: Members) -> Iterator[tuple[str, Mistake]]:
    """The values in the adverts must be the same on all members, else each member becomes master."""
    first, reference = next(iter(members.items()))
    v3 = any(_version(spec) == 3 for spec in members.values())
    same: list[tuple[str, Callable[[VrrpInstanceSpec], object]]] = [
        ("virtual_router_id", lambda s: s.virtual_router_id),
        ("version", _version),
        ("addresses", _ips),
        ("unicast", lambda s: bool(s.unicast)),
    ]
    if not v3:  # RFC 5798 5.2.7: with version 3 a backup learns the master's interval
        same.append(("advert_interval", lambda s: s.advert_interval))
    for host, spec in list(members.items())[1:]:
        for field, get in same:
            if get(spec) != get(reference):
                yield (
                    host,
                    Mistake.where(
                        field,
                        f"is {_text(get(spec))} here and {_text(get(reference))} on {first}: "
                        "both would hold the address; give all members the same",
                    ),
                )
        if auth_key(spec) != auth_key(reference):
            yield (
                host,
                Mistake.where(
                    "authentication",
                    f"differs from {first}: both would hold the address; give all members the same type and password",
                ),
            )


def agreement(spec: VrrpInstanceSpec) -> dict[str, Hashable]:
    """What adverts carry, and how they are sent: it must be the same on all members at every moment."""
    auth = spec.authentication
    found: dict[str, Hashable] = {
        "virtual_router_id": spec.virtual_router_id,
        "version": _version(spec),
        "addresses": _ips(spec),
        "unicast": bool(spec.unicast),
        "authentication": None if auth is None else (auth.type, auth.password),
    }
    if _version(spec) == 2:  # RFC 5798 5.2.7: with version 3 a backup learns the master's interval
        found["advert_interval"] = spec.advert_interval
    return found


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value)))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _version(spec: VrrpInstanceSpec) -> int:
    if any(":" in vip.address for vip in spec.vips):
        return 3  # VRRPv2 knows IPv4 only
    default = spec.globals.get("vrrp_version", 2)
    return spec.version or (default if isinstance(default, int) else 2)


def _ips(spec: VrrpInstanceSpec) -> frozenset[str]:
    return frozenset(vip.address.partition("/")[0] for vip in spec.vips)


def _by_priority(members: Members) -> list[tuple[str, VrrpInstanceSpec]]:
    return sorted(members.items(), key=lambda item: -item[1].priority)


def _priorities(members: Members) -> Iterator[tuple[str, Mistake]]:
    ordered = _by_priority(members)
    for (high, a), (low, b) in pairwise(ordered):
        if a.priority == b.priority:
            yield (
                low,
                Mistake.where(
                    "priority", f"is {b.priority} as on {high}: the election would be random; give each member its own"
                ),
            )
    masters = [host for host, spec in members.items() if spec.state == "MASTER"]
    if len(masters) > 1:
        yield (
            masters[1],
            Mistake.where("state", f"is MASTER on {' and '.join(masters)}: set BACKUP on all but the preferred member"),
        )
    elif masters and members[masters[0]].priority < ordered[0][1].priority:
        top, spec = ordered[0]
        yield (
            masters[0],
            Mistake.where(
                "priority",
                f"is {members[masters[0]].priority} on the MASTER, but {spec.priority} on {top}, which would become "
                "master: give the MASTER the highest priority",
            ),
        )
    for host, spec in members.items():
        if spec.priority == LOWEST:
            yield host, Mistake.where("priority", "is 1, the priority of a drained peer: set 2 or more")
    yield from _weights_move(ordered)


def _weights_move(ordered: list[tuple[str, VrrpInstanceSpec]]) -> Iterator[tuple[str, Mistake]]:
    """A failing tracker must lower its member strictly below the next one; a healthy member must stay above."""
    for (high, a), (low, b) in pairwise(ordered):
        if a.nopreempt or b.nopreempt or a.priority <= b.priority or OWNER in (a.priority, b.priority):
            continue
        ours, theirs = weights(a), weights(b)
        next_up = effective_priority(b.priority, [(w, True) for w in theirs.values()])
        healthy = effective_priority(a.priority, [(w, True) for w in ours.values()])
        assert next_up is not None and healthy is not None  # nothing has failed
        if healthy <= next_up:
            yield (
                low,
                Mistake(
                    "priority",
                    f"with all weights added, {low} has {next_up} and {high} {healthy}: {high} would not become master "
                    f"although its priority is higher (keepalived limits it to {HIGHEST})",
                ),
            )
            continue
        for field, weight in ours.items():
            after = effective_priority(a.priority, [(w, name != field) for name, w in ours.items()])
            if after is not None and after >= next_up:
                yield (
                    high,
                    Mistake.where(
                        f"{field}.weight",
                        f"is {weight}: a failure lowers {high} from {healthy} to {after}, but {low} has {next_up}, so "
                        f"the addresses do not move; set {-(healthy - next_up + 1)} or lower, or 0 (FAULT on failure)",
                    ),
                )


def _preemption(members: Members) -> Iterator[tuple[str, Mistake]]:
    some = {spec.nopreempt for spec in members.values()}
    for host, spec in members.items():
        if some == {True, False} and not spec.nopreempt:
            yield host, Mistake.where("preempt", "is false on other members: set it on all members")
        if spec.nopreempt:
            for field, weight in weights(spec).items():
                if weight != 0:
                    yield (
                        host,
                        Mistake.where(
                            f"{field}.weight",
                            f"is {weight} with preempt: false: a lower priority does not move the addresses; set 0, so "
                            "that a failure is a FAULT",
                        ),
                    )


def _unicast(members: Members) -> Iterator[tuple[str, Mistake]]:
    sources = {host: spec.unicast_src_ip for host, spec in members.items() if spec.unicast}
    for host, spec in members.items():
        if not spec.unicast:
            continue
        if not spec.peers:
            yield host, Mistake.where("unicast", "has no peers: name the other members' addresses in unicast.peers")
            continue
        for other, source in sources.items():
            if other != host and source is not None and source not in spec.peers:
                yield (
                    host,
                    Mistake(
                        "unicast",
                        f"does not name {source}, the source of {other}: both would hold the address; add it to "
                        "unicast.peers",
                    ),
                )


def _names(members: Members) -> Iterator[tuple[str, Mistake]]:
    seen: dict[str, str] = {}
    for host, spec in members.items():
        router = spec.router_id if spec.router_id is not None else spec.globals.get("router_id")
        if router is not None and seen.setdefault(str(router), host) != host:
            yield host, Mistake.where("router_id", f"is {router} as on {seen[str(router)]}: give each host its own")
    first, name = next((host, spec.name) for host, spec in members.items())
    for host, spec in members.items():
        if spec.name != name:
            yield host, Mistake.where("name", f"is {spec.name} here and {name} on {first}: give all members the same")


def _used_addresses(members: Members, hosts: Mapping[str, Host]) -> Iterator[tuple[str, Mistake]]:
    # only the resolver knows the address of a host name
    own = {address: name for name, address in ((h.name, parse_ip(h.address)) for h in hosts.values()) if address}
    for host, spec in members.items():
        for vip in spec.vips:
            address = parse_ip(vip.address.partition("/")[0])
            if address in own:
                yield (
                    host,
                    Mistake.where(
                        "addresses", f"has {vip.address}, which is the address of {own[address]}: choose a free one"
                    ),
                )
