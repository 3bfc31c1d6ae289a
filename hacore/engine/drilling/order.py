"""What a drill is asked to do, and what each of its scenarios would do to this pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...address import Address
from ...contract import Budget, Check, FailOver, Guard, Partition, Step, View, quote
from ...drill.measured import Word
from ...errors import PlanError, UsageError
from ..connections import answered
from ..maintenance import refusal, taker
from ..maintenance_site import SBIN, MaintenanceSite
from ..pair_looks import SEALED
from ..verdicts import AddressStatus

LEARN = 1.0
"""Seconds in which new connections may reach the holder that lets the address go: it hears the other one's advert, and
the gratuitous ARP of that one follows the next advert that it hears itself."""


@dataclass(frozen=True, slots=True)
class DrillOrder:
    """What the operator asks. `rate`: requests a second; `baseline`: seconds; `url`: instead of the check of a vip.

    `run_notify`: a partition may start the scripts of a second holder.
    """

    scenarios: tuple[Word, ...] = ("drain", "stop")
    rate: float = 100.0
    baseline: float = 10.0
    url: str = ""
    run_notify: bool = False


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One scenario before it begins: what it does, and what it may cost. `finding`: why it cannot be played.

    `double`: when a second member holds the address as well, in scenarios that leave it to the former one.
    """

    scenario: Word
    address: str
    host: str
    taker: str
    check: Check
    budget: Budget | None
    back: Budget | None
    notify: tuple[str, ...] = ()
    finding: str = ""
    partition: Partition | None = None
    double: Budget | None = None


def targets(site: MaintenanceSite, order: DrillOrder) -> list[AddressStatus]:
    """An address of each host that holds one: members that share several addresses crosswise are drilled one by one.

    Raises UsageError where nothing fails over, PlanError for a pair that is not healthy.
    """
    served = [address for address in site.look.addresses if len(address.members) > 1]
    if not served:
        raise UsageError("cannot drill: no address is served by several hosts")
    for address in served:
        if address.verdict != "healthy":
            why = f": {address.cause}" if address.cause else ""
            raise PlanError(f"cannot drill: {address.address} is {address.verdict}{why}; a drill begins healthy")
    if order.url:
        return served[:1]
    first: dict[str, AddressStatus] = {}
    for address in sorted(served, key=lambda one: _own_check(site, one) is None):
        first.setdefault(address.holders[0], address)
    return sorted(first.values(), key=served.index)


def rehearsed(site: MaintenanceSite, address: AddressStatus, word: Word, order: DrillOrder) -> Rehearsed:
    """A scenario on the holder of an address, with its budgets. Raises PlanError where nobody would take over."""
    host, parts = address.holders[0], _parts(site, address)
    if why := refusal(address, host):
        raise PlanError(f"cannot drill: {why}")
    facts = answered(site.statuses)[host]
    if facts.host.init != "systemd":
        raise PlanError(f"cannot drill: {host} has no systemd, so it could not revert by itself if this machine failed")
    check = _check(site, address, order)
    found = Rehearsed(word, address.address, host, taker(address, host) or "", check, None, None, parts.notify)
    if word == "partition":
        return _partition(found, parts, order)
    if word == "crash":
        return _crash(found, parts)
    budget = {"drain": parts.drain, "stop": parts.stop, "service": parts.service}[word]
    if budget is None:
        return replace(found, finding="service: no check of keepalived would see that a service on the holder stops")
    return replace(found, budget=budget, back=parts.back)


def _partition(found: Rehearsed, parts: FailOver, order: DrillOrder) -> Rehearsed:
    """Nothing may be lost while two hold the address, but for what the network needs to learn which of them stays."""
    part = parts.partition
    if part is None:
        raise UsageError(f"cannot drill partition: {parts.name} has no way to play one")
    if part.hazards and not order.run_notify:
        raise UsageError(
            f"cannot drill partition: a second holder starts {', '.join(part.hazards)}; --run-notify permits it"
        )
    learn = Budget(LEARN, f"{LEARN:g}: the network learns again which of the two it is")
    return replace(found, budget=learn, back=part.single, partition=part, double=part.double)


def _crash(found: Rehearsed, parts: FailOver) -> Rehearsed:
    """The dead holder serves until the network learns of the new one: what a partition measures, but for its end."""
    if parts.partition is None:
        raise UsageError(f"cannot drill crash: when a member misses a dead holder of {parts.name} is not known")
    learn = Budget(LEARN, f"{LEARN:g}: the network learns again which of the two it is")
    return replace(found, budget=learn, back=parts.back, double=parts.partition.double)


def _parts(site: MaintenanceSite, address: AddressStatus) -> FailOver:
    for resource, view in site.views(address.holders[0]).items():
        parts = site.means.providers[resource.kind].fail_over(view)
        if parts is not None and str(resource.resource) in address.resources:
            return parts
    raise UsageError(f"cannot drill: nothing on {address.holders[0]} moves {address.address} to another host")


def _check(site: MaintenanceSite, address: AddressStatus, order: DrillOrder) -> Check:
    if order.url:
        return Check(order.url)
    if (check := _own_check(site, address)) is not None:
        return check
    raise UsageError(f"cannot drill {address.address}: its `vip` has no check to ask; give --url http://ADDRESS/")


def _own_check(site: MaintenanceSite, address: AddressStatus) -> Check | None:
    """The first check of what reports the address."""
    for resource, (spec, _) in site.items.items():
        if str(resource.resource) in address.resources:
            for check in site.means.providers[resource.kind].checks(spec):
                if SEALED not in check.http:
                    return check
    return None


def acts(site: MaintenanceSite, one: Rehearsed) -> tuple[Step, Step]:
    """What is done to the holder, and its mirror."""
    units = [d.name for d in (site.look.daemons or {}).get(one.host, ()) if d.wanted]
    parts = _parts(site, next(address for address in site.look.addresses if address.address == one.address))
    if one.partition is not None:
        return one.partition.isolate, one.partition.rejoin
    if one.scenario == "drain":
        guards = [guard for guard in (_guard(site, *item) for item in site.views(one.host).items()) if guard]
        return _joined([g.drain for g in guards], "drain"), _joined([g.undrain for g in guards], "undrain")
    if one.scenario == "crash":
        return _killed(parts.unit, [a.address for a in site.look.addresses if one.host in a.holders])
    unit = parts.unit if one.scenario == "stop" else next((name for name in units if name != parts.unit), "")
    if not unit:
        raise UsageError(f"cannot drill service: no unit that should run on {one.host} is managed beside {parts.unit}")
    return Step(f"systemctl stop -- {quote(unit)}", what=f"stopping {unit}"), Step(f"systemctl start -- {quote(unit)}")


def _killed(unit: str, addresses: Sequence[str]) -> tuple[Step, Step]:
    """The daemon is killed, and started again.

    Stopped first: a child that outlives its parent for a moment would send priority 0, as an orderly stop does. The
    stop of the unit keeps its `Restart=` from a start. A daemon that starts knows nothing of addresses that a killed
    one left on the interface, so they are deleted before.
    """
    name = quote(unit)
    kill = "\n".join(f"systemctl kill --kill-who=all --signal={number} -- {name}" for number in ("STOP", "KILL"))
    left = " ".join(quote(address.partition("/")[0]) for address in addresses)
    revive = f"""{SBIN}
if ! systemctl is-active --quiet -- {name}; then
  for address in {left}; do
    ip -o addr show to "$address" | while read -r _ dev _ own _; do
      [ "$dev" = lo ] || ip addr del "$own" dev "$dev" || :
    done
  done
fi
systemctl start -- {name}
"""
    return Step(f"{kill}\nsystemctl stop -- {name}", what=f"killing {unit}"), Step(revive)


def _guard(site: MaintenanceSite, address: Address, view: View[Any]) -> Guard | None:
    return site.means.providers[address.kind].guard(view)


def _joined(steps: Sequence[Step], what: str) -> Step:
    """One step of several; each in a shell of its own, as their helpers have the same names."""
    return Step("\n".join(f"(\n{step.script}\n)" for step in steps), what=what)


__all__ = ["DrillOrder", "Rehearsed", "acts", "rehearsed", "targets"]
