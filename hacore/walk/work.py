"""From a task to what its provider gets, and from fresh facts to a verdict. Pure but for the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..address import Address
from ..contract import Ask, Change, Desired, Facts, Observed, View, Work
from ..diff import compare, same
from ..journal import RunningTask
from ..model import Action, Image, Op, Row, Unknown
from ..plan import PlannedChange, recorded_views, revive
from ..plan.sealing import opened, seal_attrs, with_secrets
from .context import Context

STATE_ONLY = (Action.ADOPT, Action.FORGET)


def touching(live: RunningTask) -> tuple[PlannedChange, ...]:
    """The changes of a task that do something on a host."""
    return tuple(p for p in live.task.changes if p.action not in STATE_ONLY)


def state_only(live: RunningTask) -> bool:
    """Whether a task writes the state and no host."""
    return live.task.op in (Op.CHANGE, Op.RESTORE) and not touching(live)


def deletes(live: RunningTask) -> bool:
    """Whether all that a task does on its host is to delete."""
    changes = touching(live)
    return bool(changes) and all(p.action is Action.DELETE for p in changes)


async def load_origins(live: RunningTask, ctx: Context) -> dict[Address, Image]:
    """The origins that the deletes of a task restore.

    What hacore adopted and never changed has no origin: it stays.
    """
    origins: dict[Address, Image] = {}
    for planned in live.task.changes:
        if planned.action is not Action.DELETE or planned.row is None:
            continue
        if planned.row.lifecycle.on_delete == "remove":
            absent = ctx.providers[planned.kind].absent
            origins[planned.address] = absent(planned.change.spec, planned.row.found)
        elif planned.row.origin is not None:
            origins[planned.address] = ctx.writer.image(planned.row.origin)
    return origins


def work_of(live: RunningTask, ctx: Context, images: Mapping[Address, Image], *, undo: bool = False) -> Work[Any]:
    """What the provider gets. Deletes without an origin are left out: there is nothing to restore."""
    planned = (p for p in touching(live) if undo or p.action is not Action.DELETE or p.address in images)
    changes = tuple(p.change if undo else _with_seals(p, ctx) for p in planned)
    host = live.task.host
    first = live.task.addresses[0]
    return Work(
        changes=changes,
        images=images,
        wanted=live.task.wanted,
        foreign=ctx.foreign(first, reduced=any(p.reduces and p.action is Action.DELETE for p in live.task.changes)),
        facts=ctx.facts.get(host, Facts()) if host else Facts(),
        host=ctx.hosts.get(host) if host else None,
        run=ctx.run,
    )


def _with_seals(planned: PlannedChange, ctx: Context) -> Change[Any]:
    desired = planned.desired
    if desired is None or not desired.sensitive:
        return planned.change
    return replace(planned.change, sealed=seal_attrs(desired.attrs, desired.sensitive, ctx.seal) or {})


def trigger_work(live: RunningTask, ctx: Context, view: View[Any]) -> Work[Any]:
    """The work of a trigger: its consumer, as `view` has it, as one no-op."""
    change: Change[Any] = Change(view.address, Action.NOOP, view.spec, view.host, view.facts, view=view)
    return Work((change,), facts=view.facts, host=view.host, run=ctx.run, sources=live.task.sources)


def recorded_view(address: Address, ctx: Context, rows: Mapping[Address, Row]) -> View[Any] | None:
    """The view of an instance by its row, not by the stack of this run; None without a row.

    Raises PlanError for a row that its provider cannot read.
    """
    if address not in rows:
        return None
    beside = {a: row for a, row in rows.items() if a.kind == address.kind and _seen_together(a, address)}
    return recorded_views(revive(beside, ctx.providers), ctx.hosts, ctx.facts, ctx.providers)[address]


def _seen_together(one: Address, other: Address) -> bool:
    """Whether a view of one may show the other: as a member, or as a companion."""
    return one.host == other.host or (one.name, one.key) == (other.name, other.key)


def asks_of(live: RunningTask, ctx: Context) -> tuple[Ask, ...]:
    """The questions that are asked again after a task, to check its result."""
    asks: list[Ask] = []
    for planned in touching(live) if live.task.op is not Op.RESTORE else ():
        asks.extend(ctx.providers[planned.kind].facts(planned.change.spec))
    return tuple(asks)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a change looks like after its steps: fine, or what still differs."""

    planned: PlannedChange
    observed: Observed | None
    desired: Desired | None
    fine: bool
    differs: str = ""


def judge(planned: PlannedChange, facts: Mapping[str, Facts], ctx: Context) -> Verdict:
    """Compare the current with the desired state. A delete is judged by its steps alone."""
    provider = ctx.providers[planned.kind]
    view = fresh_view(planned.change.view, facts)
    if view is None:
        return Verdict(planned, None, None, True)
    observed = provider.observe(view)
    if planned.action is Action.DELETE:
        return Verdict(planned, observed, None, True)
    instance = ctx.instances.get(planned.address)
    desired = with_secrets(provider.desire(view), instance.sensitive if instance is not None else (), ctx.secrets)
    observed = opened(observed, desired, ctx.seal)
    ignore = instance.lifecycle.ignore_changes if instance is not None and planned.observed is not None else ()
    before = None if observed is None else observed.attrs
    if same(before, _known(desired), ignore):
        return Verdict(replace(planned, desired=desired), observed, desired, True)
    hidden = desired.sensitive | planned.sensitive
    left = compare(before, desired.attrs, sensitive=hidden, ignore=ignore)
    words = ", ".join(
        f"{a.path} differs" if a.sensitive else f"{a.path} is {a.before!r}, not {a.after!r}" for a in left
    )
    missing = "it does not exist" if observed is None else words
    return Verdict(planned, observed, desired, False, missing)


def _known(desired: Desired) -> Mapping[str, Any] | None:
    """What can be checked afterwards: any result matches an Unknown value."""
    if desired.attrs is None:
        return None
    return {key: value for key, value in desired.attrs.items() if not isinstance(value, Unknown)}


def fresh_view(view: View[Any] | None, facts: Mapping[str, Facts]) -> View[Any] | None:
    """A view over newer facts of some hosts."""
    if view is None:
        return None
    members = {host: (spec, facts.get(host, old)) for host, (spec, old) in view.members.items()}
    own = facts.get(view.address.host, view.facts) if view.address.host else view.facts
    return replace(view, facts=own, members=members)
