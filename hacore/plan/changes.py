"""What happens to each address: recorded, observed and desired compared, and an action chosen.

recorded  observed  desired        action
-         -         something      create
-         equal     something      adopt      (the host is not touched)
-         differs   something      update     "was here before hacore"
yes       -         something      create     (it is drift, too)
yes       equal     something      no-op
yes       differs   something      update, or replace when it would live somewhere else
yes       any       not wanted     delete, or forget when somebody wanted claims the same thing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Change, Desired, Effect, Observed, Spec, View
from ..diff import compare, same
from ..model import Action, Row
from .asked import answered_by
from .claims import Owners, moved, owners_of, split_claims, stored_claims
from .drift import drift_of
from .examine import examine
from .inputs import Comparison, Inputs
from .recall import desire, observe
from .sealing import addresses, recorded_spec, seal_attrs
from .types import PlannedChange
from .views import Recorded, desired_views, recorded_views


def compare_all(given: Inputs) -> Comparison:
    """Decide about every address, wanted ones in graph order, then the ones to go."""
    outcome = Comparison()
    outcome.views = desired_views(given.stack.instances, given.hosts, given.facts, given.providers)
    outcome.warnings = examine(outcome.views, given.stack.instances, given.providers)
    old_views = recorded_views(given.recorded, given.hosts, given.facts, given.providers)
    outcome.recorded_views = old_views
    owners = owners_of(given.stack, given.graph)
    heirs: dict[Address, Address] = {}
    gone: list[PlannedChange] = []
    for address, item in given.recorded.items():
        observed = _observe_recorded(address, item, old_views[address], given, outcome)
        if address in given.stack.instances:
            continue
        change = _gone(address, item, old_views[address], observed, owners, heirs, given)
        if change is None:
            continue
        if change.action is Action.DELETE and item.row.lifecycle.prevent_destroy:
            outcome.protected.append(address)
        gone.append(change)
    for address in given.graph.order:
        _wanted(address, heirs.get(address), owners, given, outcome)
    outcome.changes += gone
    return outcome


def _asked(address: Address, spec: Spec, hosts: tuple[str, ...], given: Inputs) -> bool:
    return answered_by(hosts, given.providers[address.kind].facts(spec), given.facts)


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


def _gone(
    address: Address,
    item: Recorded,
    view: View[Any],
    observed: Observed | None,
    owners: Owners,
    heirs: dict[Address, Address],
    given: Inputs,
) -> PlannedChange | None:
    """A recorded address that is not wanted: delete it, or forget it."""
    row = item.row
    reason = f"{_why_gone(address, given)}{_what_stays(row)}"
    base = Change(
        address=address,
        action=Action.DELETE,
        spec=item.spec,
        host=view.host,
        facts=view.facts,
        recorded=row.attrs,
        observed=None if observed is None else observed.attrs,
        desired=None,
        view=view,
    )
    provider = given.providers[address.kind]
    brings_back = row.origin is not None or row.lifecycle.on_delete == "remove"
    effect = provider.delete_effect(view, row.found) if brings_back or address.host is None else Effect()
    planned = PlannedChange(
        address=address,
        action=Action.DELETE,
        change=base,
        reason=reason,
        observed=observed,
        irreversible=provider.delete_irreversible(item.spec) if brings_back else "",
        effect=effect.text,
        disrupts=effect.disrupts,
        row=row,
        hosts=row.hosts,
        attrs=compare(None if observed is None else observed.attrs, None, sensitive=row.sensitive),
    )
    takers = {
        token: owners[host, token]
        for token, mode in split_claims(row.claims).items()
        for host in row.hosts
        if (host, token) in owners
    }
    modes = split_claims(row.claims)
    taken_own = [taker for token, taker in takers.items() if modes[token] == "own"]
    if taken_own or (takers and len(takers) == len(modes) and modes):
        taker = (taken_own or list(takers.values()))[0]
        everyone = tuple(sorted(set(takers.values())))
        for heir in taken_own[:1] or [t for t in everyone if _holds_no_more(t, modes, given)]:
            if heir.kind == address.kind and heir not in given.recorded:
                heirs[heir] = address
        return replace(
            planned,
            action=Action.FORGET,
            irreversible="",
            effect="",
            disrupts="none",
            reason=f"{taker} has its place now",
            attrs=(),
            takers=everyone,
        )
    if row.lifecycle.on_delete == "keep":
        return replace(
            planned,
            action=Action.FORGET,
            irreversible="",
            effect="",
            disrupts="none",
            reason=f"{reason}; lifecycle.on_delete is keep",
            attrs=(),
        )
    if not _asked(address, item.spec, row.hosts, given):
        return None
    return planned


def _holds_no_more(address: Address, tokens: Mapping[str, str], given: Inputs) -> bool:
    """Whether all that a wanted one has is among `tokens`: else the way back would take along what it found itself."""
    return {claim.token for claim in given.graph.claims[address] if claim.mode != "use"} <= tokens.keys()


def _why_gone(address: Address, given: Inputs) -> str:
    if address in given.stack.switched_off:
        return "its `when` is false"
    if address.host is not None and address.host not in given.stack.hosts:
        return f"the host {address.host} is not in the stack any more"
    return given.gone_reason


def _what_stays(row: Row) -> str:
    """What a delete leaves on the host: what hacore found there."""
    if row.found not in ("same", "different") or row.lifecycle.on_delete != "restore":
        return ""
    if row.origin is None:
        return "; it was here before hacore, and stays"
    return "; what was here before hacore comes back"


def _wanted(
    address: Address,
    inherits: Address | None,
    owners: Owners,
    given: Inputs,
    outcome: Comparison,
) -> None:
    """A wanted address: compare, choose the action, and file the result."""
    instance = given.stack.instances[address]
    if not _asked(address, instance.spec, instance.hosts, given):
        return
    view = outcome.views[address]
    provider = given.providers[address.kind]
    recorded = given.recorded.get(address)
    row = recorded.row if recorded else None
    observed = outcome.observed[address] = observe(provider, view, row, recall=given.recall)
    desired = desire(provider, view, row, recall=given.recall)
    if row is None and observed is not None and observed.absent:
        observed = None
    secrets = desired.sensitive | frozenset(row.sensitive if row else ())
    if secrets:
        outcome.secrets[address] = secrets
    ignore = instance.lifecycle.ignore_changes if observed is not None else ()
    before = None if observed is None else observed.attrs
    action, reason = _action(before, desired, row, ignore)
    claims = stored_claims(given.graph.claims[address])
    moves = row is not None and moved(row, claims, instance.hosts, owners)
    if row is not None and moves:
        action, reason = Action.REPLACE, "it lives somewhere else now"
        if row.lifecycle.prevent_destroy:
            outcome.protected.append(address)
    elif address in given.replace:
        action, reason = Action.REPLACE, "as requested"
    elif address in given.doubtful:
        action, reason = _in_doubt(action, given.doubtful[address]), "the unfinished run was at it"
    attrs = compare(
        before,
        desired.attrs,
        before_texts=None if observed is None else observed.texts,
        after_texts=desired.texts,
        sensitive=desired.sensitive,
        ignore=ignore,
    )
    effect = _effect(action, desired)
    planned = PlannedChange(
        address=address,
        action=action,
        change=Change(
            address=address,
            action=action,
            spec=instance.spec,
            host=view.host,
            facts=view.facts,
            recorded=row.attrs if row else None,
            observed=before,
            desired=desired.attrs,
            view=view,
        ),
        reason=reason,
        attrs=attrs if action is not Action.ADOPT else (),
        observed=observed,
        desired=desired,
        row=row,
        hosts=instance.hosts,
        inherits=inherits,
        irreversible=desired.irreversible if action not in (Action.NOOP, Action.ADOPT) else "",
        effect=effect.text,
        disrupts=effect.disrupts,
        moves=moves,
    )
    if action is not Action.NOOP:
        provider.recorded(instance.spec)  # what a kind has wrong there is to be known before a host is touched
        outcome.changes.append(planned)
        return
    outcome.still[address] = planned
    assert row is not None
    if not _row_is_current(row, planned, claims, given):
        outcome.metadata_only.append(planned)


def _effect(action: Action, desired: Desired) -> Effect:
    """What a change does beside what its attrs say."""
    if action in (Action.NOOP, Action.ADOPT):
        return Effect()
    if action is Action.REPLACE and desired.replace_effect is not None:
        return desired.replace_effect
    return Effect(desired.effect, desired.disrupts)


def _action(
    before: Mapping[str, Any] | None, desired: Desired, row: Row | None, ignore: tuple[str, ...]
) -> tuple[Action, str]:
    equal = same(before, desired.attrs, ignore)
    if row is None:
        if equal:
            return Action.ADOPT, "is so already; from now on hacore watches it"
        if before is None:
            return Action.CREATE, ""
        return Action.UPDATE, "was here before hacore"
    if row.tainted:
        return (Action.CREATE if before is None else Action.UPDATE), "an earlier run left it in doubt"
    if equal:
        return Action.NOOP, ""
    if before is None:
        return Action.CREATE, "was gone"
    changed = {key for key, value in (desired.attrs or {}).items() if before.get(key) != value}
    if changed & desired.replace_on:
        return Action.REPLACE, f"{', '.join(sorted(changed & desired.replace_on))} cannot be changed in place"
    return Action.UPDATE, ""


def _in_doubt(action: Action, begun: Action) -> Action:
    """What was begun goes on, whatever it looks like by now: half of it is no reason to adopt it."""
    if begun in (Action.CREATE, Action.UPDATE, Action.REPLACE):
        return begun
    return Action.UPDATE if action in (Action.ADOPT, Action.NOOP) else action


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
