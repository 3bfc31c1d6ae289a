"""Plans, made by hand: the renderers need no engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hacore.address import Address
from hacore.contract import Change, Desired, Facts, Health, HostFacts, Observed, Spec, Verdict
from hacore.diff import compare
from hacore.model import Action, Disrupts, Host, Op
from hacore.plan import Drift, HostStatus, Plan, PlannedChange, PlanTask
from hacore.store import RunRecord

DEBIAN = "Debian GNU/Linux 12 (bookworm)"
LAST = RunRecord(4, "apply", "done", 1_790_000_000.0, 1_790_000_041.0, "ops@desk", "web", "d1", "rollback")
HEALTH = {"vip.front": Health("192.0.2.200", ("lb1",), (Verdict("http://192.0.2.200/", True, "ok"),))}
HELD = {"vip.front": {"held_by": ["lb1"], "address": "192.0.2.200", "checks": {"http://192.0.2.200/": "ok"}}}


def hosts(*names: str, silent: Iterable[str] = ()) -> dict[str, HostStatus]:
    found = {}
    for number, name in enumerate(names, 11):
        host = Host(name=name, address=f"192.0.2.{number}")
        if name in silent:
            found[name] = HostStatus(host, None, f"cannot connect to {name} (192.0.2.{number}:22): timed out")
        else:
            found[name] = HostStatus(host, Facts(HostFacts(os=DEBIAN, family="debian")))
    return found


def change(
    address: str,
    action: Action,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    texts: tuple[str | None, str] | None = None,
    text_of: str = "content",
    sensitive: frozenset[str] = frozenset(),
    replace_on: frozenset[str] = frozenset(),
    reason: str = "",
    effect: str = "",
    irreversible: str = "",
    disrupts: Disrupts = "none",
    hosts: tuple[str, ...] | None = None,
) -> PlannedChange:
    where = Address.parse(address)
    old = {text_of: texts[0]} if texts is not None and texts[0] is not None else {}
    new = {text_of: texts[1]} if texts is not None else {}
    attrs = compare(before, after, before_texts=old, after_texts=new, sensitive=sensitive)
    if action is Action.ADOPT:
        attrs = ()
    return PlannedChange(
        address=where,
        action=action,
        change=Change(where, action, Spec()),
        reason=reason,
        attrs=attrs,
        observed=None if before is None else Observed(before, texts=old),
        desired=None if after is None else Desired(after, new, sensitive=sensitive, replace_on=replace_on),
        hosts=hosts if hosts is not None else ((where.host,) if where.host else ()),
        irreversible=irreversible,
        effect=effect,
        disrupts=disrupts,
    )


def on_both(planned: PlannedChange) -> list[PlannedChange]:
    """The same on lb1 and lb2."""
    return [
        replace(planned, address=planned.address.at(host), hosts=(host,), change=planned.change)
        for host in ("lb1", "lb2")
    ]


def task(id_: str, of: PlannedChange | Sequence[PlannedChange], *needs: str, lane: int = 0, **more: Any) -> PlanTask:
    changes = (of,) if isinstance(of, PlannedChange) else tuple(of)
    first = changes[0].address
    addresses = tuple(c.address for c in changes)
    return PlanTask(id_, Op.CHANGE, first.kind, first.host, addresses, changes, needs, lane, **more)


def other(id_: str, op: Op, address: str, host: str | None, *needs: str, **more: Any) -> PlanTask:
    where = Address.parse(address)
    return PlanTask(id_, op, where.kind, host, (where,), (), needs, **more)


def drift(address: str, before: Any, after: Any, reason: str = "", sensitive: frozenset[str] = frozenset()) -> Drift:
    where = Address.parse(address)
    return Drift(where, compare(before, after, sensitive=sensitive), reason, where.host, gone=after is None)


def plan(
    changes: Iterable[PlannedChange] = (), tasks: Iterable[PlanTask] = (), drifts: Iterable[Drift] = (), **more: Any
) -> Plan:
    given: dict[str, Any] = {
        "stack": "web",
        "command": "apply",
        "lineage": "1a2b3c4d-0000-4000-8000-000000000000",
        "serial": 12,
        "hosts": hosts("lb1", "lb2"),
        "notes": HELD,
        "health": HEALTH,
        **more,
    }
    return Plan(changes=tuple(changes), tasks=tuple(tasks), drift=tuple(drifts), **given)
