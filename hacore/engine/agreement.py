"""What members of a resource must have alike, because they compare it: changed on all of them together, or not.

A VRRP instance is the example: with another password, number or address list the members drop each other's adverts,
and both become master. A host that does not answer keeps what it has, and uses it when it is there again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..address import Address
from ..contract import Provider, Spec
from ..errors import PlanError
from ..model import Action, Row
from ..plan import Plan
from ..plan.sealing import Seal, recorded_spec
from ..plan.views import revive
from .planning import Session

Specs = Mapping[Address, Spec]
Providers = Mapping[str, Provider[Any]]

__all__ = ["check_members", "check_members_restored", "disagreements"]


def disagreements(now: Specs, then: Specs, providers: Providers) -> Iterator[tuple[Address, Address, str]]:
    """(a member that changes, one that would differ from it, in what), for pairs that agree now.

    Members that disagree already are not reported: this run does not make it worse.
    """
    together: dict[tuple[str, str, str | None], list[Address]] = {}
    for address in then:
        if address.host is not None:
            together.setdefault((address.kind, address.name, address.key), []).append(address)
    for members in together.values():
        provider = providers[members[0].kind]
        before = {a: provider.agreement(now[a]) for a in members if a in now}
        after = {a: provider.agreement(then[a]) for a in members}
        for one in members:
            for other in members:
                fields = sorted(k for k in after[one] if after[one][k] != after[other].get(k))
                changed = before.get(one) != after[one] and before.get(other) == after[other]
                agreed = one not in before or before[one] == before.get(other)
                if fields and changed and agreed:
                    yield one, other, " and ".join(fields)
                    break


def check_members(made: Plan, rows: Mapping[Address, Row], session: Session, seal: Seal) -> None:
    """Raise PlanError if an apply without some hosts would set members against each other.

    With all hosts there is nothing to check: they change together, by one stack.
    """
    if not made.unreachable:
        return
    providers = session.request.means.providers
    known = {a: item.spec for a, item in revive(_known(rows, providers), providers).items()}
    then = dict(known)
    for planned in made.changes:
        if planned.action in (Action.DELETE, Action.FORGET):
            then.pop(planned.address, None)
            continue
        instance = session.stack.instances.get(planned.address)
        if instance is not None:
            spec = recorded_spec(providers[planned.kind], instance, seal)
            then[planned.address] = providers[planned.kind].spec.model_validate(spec)
    _refuse("apply", list(disagreements(known, then, providers)), made.unreachable)


def check_members_restored(rows: Mapping[Address, Row], target: Mapping[Address, Row], providers: Providers) -> None:
    """Raise PlanError if a rollback would set members against each other; `target`: the rows after it."""
    known = revive(_known(rows, providers), providers)
    then = revive(_known(target, providers), providers)
    found = disagreements({a: i.spec for a, i in known.items()}, {a: i.spec for a, i in then.items()}, providers)
    _refuse("roll back", list(found), ())


def _known(rows: Mapping[Address, Row], providers: Providers) -> dict[Address, Row]:
    return {a: row for a, row in rows.items() if a.kind in providers}


def _refuse(verb: str, found: Collection[tuple[Address, Address, str]], unreachable: Collection[str]) -> None:
    if not found:
        return
    what = "; ".join(
        f"{one} would get another {fields} than {other.host}"
        + (", which does not answer and keeps what it has" if other.host in unreachable else "")
        for one, other, fields in found
    )
    way = (
        "bring the host back first, or remove it from the stack"
        if unreachable
        else "roll back the later runs as well, or change the stack and apply it"
    )
    raise PlanError(f"cannot {verb}: {what}: each would act as if the other did not exist; {way}")
