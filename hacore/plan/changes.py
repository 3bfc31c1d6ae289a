"""What happens to each address: an action for each, with all that its provider and the user need of it.

The actions themselves are chosen in `decision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..address import Address
from ..contract import Change, Desired, Effect, Observed, Spec, View
from ..contract.claims import spoken
from ..diff import compare
from ..model import Action, Row
from .asked import answered_by
from .claims import Owners, left_tokens, owners_of, split_claims, stays, stored_claims
from .decision import Decision, decide, decide_unwanted, owners_among
from .drift import drift_of
from .examine import examine
from .inputs import Comparison, Inputs
from .recall import desire, observe
from .sealing import addresses, opened, recorded_spec, seal_attrs
from .types import PlannedChange
from .views import Recorded, desired_views, recorded_views


def compare_all(given: Inputs) -> Comparison:
    """Decide about every address: desired ones in graph order, then those to delete or forget."""
    outcome = Comparison()
    outcome.views = desired_views(given.stack.instances, given.hosts, given.facts, given.providers)
    outcome.warnings = examine(outcome.views, given.stack.instances, given.providers)
    outcome.recorded_views = recorded_views(given.recorded, given.hosts, given.facts, given.providers)
    owners = owners_of(given.stack, given.graph)
    heirs: dict[Address, Address] = {}
    unwanted: list[PlannedChange] = []
    for address, item in given.recorded.items():
        view = outcome.recorded_views[address]
        observed = _observe_recorded(address, item, view, given, outcome)
        if address in given.stack.instances:
            continue
        takers = _takers(item.row, owners)
        change = _unwanted(address, item, view, observed, takers, given)
        if change is None:
            continue
        if change.action is Action.FORGET and change.takers:
            heirs.update((heir, address) for heir in _heirs(address, item.row, takers, given))
        if change.action is Action.DELETE and item.row.lifecycle.prevent_destroy:
            outcome.protected.append(address)
        unwanted.append(change)
    for address in given.graph.order:
        _desired(address, heirs.get(address), owners, given, outcome)
    outcome.changes += unwanted
    return outcome


def _asked(address: Address, spec: Spec, hosts: tuple[str, ...], given: Inputs) -> bool:
    return answered_by(hosts, given.providers[address.kind].facts(spec), given.facts)


# -- recorded, and no longer in the stack


def _observe_recorded(
    address: Address, item: Recorded, view: View[Any], given: Inputs, outcome: Comparison
) -> Observed | None:
    """Observe what is recorded, and note drift: recorded against observed on the recorded keys."""
    row = item.row
    if not _asked(address, item.spec, row.hosts, given):
        return None
    observed = observe(given.providers[address.kind], view, row, recall=given.recall)
    if given.recall is not None:
        return observed
    drift = drift_of(row, observed, given.seal)
    if drift is not None:
        outcome.drift.append(drift)
    return observed


def _takers(row: Row, owners: Owners) -> dict[str, Address]:
    """The desired address that claims each token of a row, on one of its hosts."""
    tokens = split_claims(row.claims)
    return {token: owners[host, token] for token in tokens for host in row.hosts if (host, token) in owners}


def _heirs(address: Address, row: Row, takers: Mapping[str, Address], given: Inputs) -> list[Address]:
    """The new address of what is only renamed: its row and origin move there.

    It must have nothing else: the origin is all that its own delete would restore.
    """
    everyone = sorted(set(takers.values()))
    tokens = split_claims(row.claims).keys()
    candidates = owners_among(row, takers)[:1] or [t for t in everyone if _tokens(t, given) <= tokens]
    return [heir for heir in candidates if heir.kind == address.kind and heir not in given.recorded]


def _tokens(address: Address, given: Inputs) -> set[str]:
    return {claim.token for claim in given.graph.claims[address] if claim.mode != "use"}


def _unwanted(
    address: Address,
    item: Recorded,
    view: View[Any],
    observed: Observed | None,
    takers: Mapping[str, Address],
    given: Inputs,
) -> PlannedChange | None:
    """A recorded address that the stack does not have: delete it, or forget it."""
    row = item.row
    answered = _asked(address, item.spec, row.hosts, given)
    decision = decide_unwanted(row, f"{_why(address, given)}{_what_stays(row)}", takers, answered=answered)
    if decision is None:
        return None
    deletes = decision.action is Action.DELETE
    restores = row.origin is not None or row.lifecycle.on_delete == "remove"
    provider = given.providers[address.kind]
    touches = deletes and (restores or address.host is None)
    effect = provider.delete_effect(view, row.found) if touches else Effect()
    before = None if observed is None else observed.attrs
    return PlannedChange(
        address=address,
        action=decision.action,
        change=Change(
            address=address,
            action=Action.DELETE,
            spec=item.spec,
            host=view.host,
            facts=view.facts,
            recorded=row.attrs,
            observed=before,
            desired=None,
            view=view,
        ),
        reason=decision.reason,
        observed=observed,
        irreversible=provider.delete_irreversible(item.spec) if deletes and restores else "",
        effect=effect.text,
        disrupts=effect.disrupts,
        row=row,
        hosts=row.hosts,
        takers=decision.takers,
        attrs=compare(before, None, sensitive=row.sensitive) if deletes else (),
    )


def _why(address: Address, given: Inputs) -> str:
    if address in given.stack.switched_off:
        return "its `when` is false"
    if address.host is not None and address.host not in given.stack.hosts:
        return f"host {address.host} is no longer in the stack"
    return given.gone_reason


def _what_stays(row: Row) -> str:
    """What a delete leaves on the host."""
    if row.found not in ("same", "different") or row.lifecycle.on_delete != "restore":
        return ""
    if row.origin is None:
        return "; existed before hacore, stays on the host"
    return "; the original state is restored"


# -- desired


def _desired(address: Address, inherits: Address | None, owners: Owners, given: Inputs, outcome: Comparison) -> None:
    """A desired address: compare, decide, and file the result."""
    instance = given.stack.instances[address]
    if not _asked(address, instance.spec, instance.hosts, given):
        return
    view = outcome.views[address]
    provider = given.providers[address.kind]
    recorded = given.recorded.get(address)
    row = recorded.row if recorded else None
    observed = observe(provider, view, row, recall=given.recall)
    desired = desire(provider, view, row, recall=given.recall, secret=(instance.sensitive, given.secrets))
    observed = outcome.observed[address] = opened(observed, desired, given.seal)
    if row is None and observed is not None and observed.absent:
        observed = None
    secrets = desired.sensitive | frozenset(row.sensitive if row else ())
    if secrets:
        outcome.secrets[address] = secrets
    ignore = instance.lifecycle.ignore_changes if observed is not None else ()
    before = None if observed is None else observed.attrs
    claims = stored_claims(given.graph.claims[address])
    left: tuple[str, ...] = ()
    without, wanted = "", False
    if row is not None:
        left = left_tokens(row, claims, instance.hosts, owners)
        without = ", ".join(map(spoken, left)) if left and stays(row, claims, left) else ""
        wanted = row.run != given.run and given.selection.replaced(address)
    begun = given.doubtful.get(address)
    decision = decide(
        before, desired, row, ignore=ignore, moves=bool(left), without=without, wanted=wanted, begun=begun
    )
    if decision.moves and row is not None and row.lifecycle.prevent_destroy:
        outcome.protected.append(address)
    attrs = compare(
        before,
        desired.attrs,
        before_texts=None if observed is None else observed.texts,
        after_texts=desired.texts,
        sensitive=secrets,
        masked=desired.masked,
        ignore=ignore,
    )
    effect = _effect(decision, desired)
    planned = PlannedChange(
        address=address,
        action=decision.action,
        change=Change(
            address=address,
            action=decision.action,
            spec=instance.spec,
            host=view.host,
            facts=view.facts,
            recorded=row.attrs if row else None,
            observed=before,
            desired=desired.attrs,
            view=view,
        ),
        reason=decision.reason,
        attrs=attrs if decision.action is not Action.ADOPT else (),
        observed=observed,
        desired=desired,
        row=row,
        hosts=instance.hosts,
        inherits=inherits,
        irreversible=desired.irreversible if decision.action not in (Action.NOOP, Action.ADOPT) else "",
        effect=effect.text,
        disrupts=effect.disrupts,
        moves=decision.moves,
        reduces=decision.reduces,
    )
    if decision.action is not Action.NOOP:
        provider.recorded(instance.spec)  # what a kind has wrong there must be known before a host is touched
        outcome.changes.append(planned)
        return
    outcome.still[address] = planned
    assert row is not None
    if not _row_is_current(row, planned, claims, given):
        outcome.metadata_only.append(planned)


def _effect(decision: Decision, desired: Desired) -> Effect:
    """What a change does beside what its attrs show."""
    if decision.action in (Action.NOOP, Action.ADOPT):
        return Effect()
    if decision.action is Action.REPLACE and desired.replace_effect is not None:
        return desired.replace_effect
    return Effect(desired.effect, desired.disrupts)


def _row_is_current(row: Row, planned: PlannedChange, claims: tuple[str, ...], given: Inputs) -> bool:
    instance = given.stack.instances[planned.address]
    provider = given.providers[planned.address.kind]
    assert planned.desired is not None
    return (
        row.spec == recorded_spec(provider, instance, given.seal)
        and row.attrs == seal_attrs(planned.desired.attrs, planned.desired.sensitive, given.seal)
        and row.needs == addresses(given.graph.needs[planned.address])
        and row.claims == claims
        and row.lifecycle == instance.lifecycle
        and row.hosts == instance.hosts
        and row.schema_version == provider.schema_version
    )


__all__ = ["compare_all"]
