"""The daemons that must load what a rollback restores, found once over all of it. Pure.

A consumer that already runs with the restored sources, by its mark, is left alone, and so is one that is
started afresh once its sources are restored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...address import Address
from ...contract import Change, View
from ...graph import by_resource, reach
from ...model import Action, Row, has_loaded, loaded_mark, marked_keys
from ...plan import Inputs
from ...plan.triggers import sources_of
from .order import above

if TYPE_CHECKING:
    from .types import Restore

Ops = Mapping[tuple[Address, Address], str]  # consumer and source -> reload or restart
At = Mapping[Address, Sequence[str]]  # the tasks that restore an address, the newest first


@dataclass(slots=True)
class PendingTrigger:
    """A reload or restart: it waits for `needs`; what is deleted while its consumer uses it (`holds`) waits for it.

    What a trigger waits for itself may be among `holds`; `with_triggers` leaves that out.
    """

    consumer: Address
    op: str
    sources: dict[Address, tuple[str, ...]]  # with the attrs that count
    needs: set[str] = field(default_factory=set)
    holds: set[str] = field(default_factory=set)
    marks: dict[str, str] = field(default_factory=dict)  # of the consumer's row, once it is done

    @property
    def key(self) -> str:
        """Its name among the tasks."""
        return f"{self.op} {self.consumer}"


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Before and after a rollback: the rows in the shape of stacks, and the views after it."""

    now: Inputs
    then: Inputs
    rows: Mapping[Address, Row]  # after it
    views: Mapping[Address, View[Any]]
    drifted: frozenset[Address] = frozenset()
    ops: Ops = field(default_factory=dict)


def due_triggers(
    restores: Sequence[Restore], needs: Mapping[str, set[str]], times: BeforeAfter
) -> list[PendingTrigger]:
    """All reloads and restarts; `needs`: of the restores."""
    at: dict[Address, list[str]] = {}
    for restore in restores:
        for address in restore.addresses:
            at.setdefault(address, []).append(restore.key)
    found: dict[Address, PendingTrigger] = {}
    replaced = {p.address for r in restores for p in r.changes if p.action is Action.REPLACE}
    for consumer, source, op, attrs in hanging(times.now, times.then, times.rows, times.ops):
        if source not in at or not (source in replaced or _stale(consumer, source, times)):
            continue
        due = found.setdefault(consumer, PendingTrigger(consumer, op, {}))
        due.sources[source] = attrs
        due.op = "restart" if "restart" in (due.op, op) else op
    dues = [due for due in found.values() if not _starts_afresh(due, at, needs, times)]
    for due in dues:
        _place(due, restores, at, times)
        due.marks = {
            str(s): loaded_mark(times.rows[s].attrs, keys) for s, keys in due.sources.items() if s in times.rows
        }
    return dues


def hanging(
    now: Inputs, then: Inputs, rows: Mapping[Address, Row], ops: Ops | None = None
) -> Iterator[tuple[Address, Address, str, tuple[str, ...]]]:
    """Consumer, source, operation and attrs: by the restored rows; by the current ones for a source that is deleted.

    `rows`: after the rollback. What a row has loaded counts as well: its spec may name its sources by
    former addresses. `ops` are the operations of such triggers in the runs that are undone.
    """
    for inputs, marks in ((then, rows), (now, {a: r.row for a, r in now.recorded.items()})):
        index = by_resource(inputs.stack)
        for consumer in inputs.graph.order:
            if consumer not in then.stack.instances:
                continue
            known = [(source, str(t.op), t.attrs) for source, t in sources_of(consumer, inputs, index)]
            named = {source for source, _, _ in known}
            for text, mark in marks[consumer].loaded.items():
                source = Address.parse(text)
                if source not in named:
                    known.append((source, (ops or {}).get((consumer, source), "reload"), marked_keys(mark)))
            for source, op, attrs in known:
                if inputs is then or source not in then.stack.instances:
                    yield consumer, source, op, attrs


def _stale(consumer: Address, source: Address, times: BeforeAfter) -> bool:
    """Whether a consumer has loaded something else than what the rollback restores.

    Equal attrs in another place are something else: claims name the place.
    """
    row, old = times.now.recorded.get(consumer), times.now.recorded.get(source)
    back = times.rows.get(source)
    if row is None or old is None or back is None or source in times.drifted or old.row.tainted:
        return True
    if old.row.claims != back.claims:
        return True
    return not has_loaded(row.row.loaded.get(str(source)), back.attrs)


def _starts_afresh(due: PendingTrigger, at: At, needs: Mapping[str, set[str]], times: BeforeAfter) -> bool:
    """Whether the consumer's own restore starts it, once all of its sources are restored."""
    mine = at.get(due.consumer)
    view = times.views.get(due.consumer)
    if not mine or view is None:
        return False
    provider = times.then.providers[due.consumer.kind]
    old = times.now.recorded.get(due.consumer)
    observed = provider.observe(view)
    change: Change[Any] = Change(
        address=due.consumer,
        action=Action.CREATE if old is None else Action.UPDATE,
        spec=view.spec,
        host=view.host,
        facts=view.facts,
        recorded=None if old is None else old.row.attrs,
        observed=None if observed is None else observed.attrs,
        desired=times.rows[due.consumer].attrs,
        view=view,
    )
    waited = above(mine[-1], needs)
    return provider.loads(change) and all(set(at[s]) <= waited | {mine[-1]} for s in due.sources)


def _place(due: PendingTrigger, restores: Sequence[Restore], at: At, times: BeforeAfter) -> None:
    """After its sources, itself and its needs; before the delete of what it still runs with."""
    upstream = reach([due.consumer], times.then.graph.needs)
    due.needs = {key for address in {*due.sources, *upstream} for key in at.get(address, ())}
    held = reach([due.consumer], times.now.graph.needs) - {due.consumer, *due.sources}
    for restore in restores:
        goes = all(a not in times.rows for a in restore.addresses)
        if goes and held & set(restore.addresses):
            due.holds.add(restore.key)


__all__ = ["BeforeAfter", "PendingTrigger", "due_triggers", "hanging"]
