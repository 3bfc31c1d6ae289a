"""The record of a task that is done: its status and its rows, in one commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..address import Address
from ..contract import Observed
from ..diff import same
from ..journal import RunningTask, new_row
from ..model import Action, Op, Row, Status
from ..plan import PlannedChange, stored_claims
from ..plan.sealing import seal_attrs
from ..store import DropRow, Move, PutRow, SetLoaded, SetTask, row_from_json
from .context import Context
from .undo_steps import restored_rows
from .work import Verdict, touching


async def record(live: RunningTask, verdicts: Iterable[Verdict], ctx: Context) -> None:
    """Record a task as done, with its rows, in one commit."""
    moves: list[Move] = [SetTask(ctx.run, live.id, {"status": Status.DONE.value, "ended": ctx.now()})]
    rows: dict[Address, Row | None] = restored_rows(live, ctx) if live.task.op is Op.RESTORE else {}
    seen = {v.planned.address: v for v in verdicts}
    for planned in live.task.changes if live.task.op is not Op.RESTORE else ():
        verdict = seen.get(planned.address)
        if planned.action in (Action.DELETE, Action.FORGET):
            rows[planned.address] = _reduced(planned, ctx) if planned.reduces else None
            if verdict is not None and verdict.observed is not None and planned.row is not None:
                _warn_leftover(planned.address, planned.row, verdict.observed, live, ctx)
            continue
        current = verdict.planned if verdict is not None else planned
        provider = ctx.providers[planned.kind]
        rows[planned.address] = new_row(
            current,
            ctx.instances[planned.address],
            provider,
            ctx.graph,
            verdict.observed if verdict is not None else planned.observed,
            seal=ctx.seal,
            rows=ctx.rows,
            sources=ctx.sources.get(planned.address, {}),
            run=ctx.run,
            origin=live.image_ids.get(planned.address),
            started=provider.loads(planned.change),
        )
        if planned.inherits is not None:
            rows[planned.inherits] = None
    for address, row in rows.items():
        moves.append(DropRow(address) if row is None else PutRow(row))
    consumers = live.task.addresses if live.task.op is Op.TRIGGER else ()
    loaded = {consumer: ctx.taken_in(consumer, live.task.sources) for consumer in consumers}
    moves.extend(SetLoaded(consumer, marks) for consumer, marks in loaded.items())
    await ctx.commit(*moves)
    for consumer, marks in loaded.items():
        ctx.set_loaded(consumer, marks)
    for address, row in rows.items():
        if row is None:
            ctx.rows.pop(address, None)
        else:
            ctx.rows[address] = row


def _reduced(planned: PlannedChange, ctx: Context) -> Row | None:
    """The row between the delete of a part and the update: its origin is that of what stays."""
    row = planned.row
    if row is None:
        return None
    now = set(stored_claims(ctx.graph.claims[planned.address]))
    return replace(row, claims=tuple(claim for claim in row.claims if claim in now), tainted=True, run=ctx.run)


def _warn_leftover(address: Address, row: Row, observed: Observed, live: RunningTask, ctx: Context) -> None:
    """Warn of a created resource that was not removed, such as a folder that is not empty."""
    if row.found == "absent" and address.host is not None and same(observed.attrs, row.attrs):
        ctx.say("warning", f"{address}: still exists after the delete", task=live.id, host=address.host)


def tainted_rows(live: RunningTask, ctx: Context) -> list[Row]:
    """Tainted rows of a task that failed and is not undone (`--on-failure halt`): the origin is kept."""
    if live.task.op is Op.RESTORE:
        return _half_restored(live, ctx)
    rows: list[Row] = []
    for planned in touching(live):
        instance = ctx.instances.get(planned.address)
        if instance is None or planned.action is Action.DELETE or not live.intent:
            continue
        provider = ctx.providers[planned.kind]
        row = new_row(
            planned,
            instance,
            provider,
            ctx.graph,
            None,
            seal=ctx.seal,
            rows=ctx.rows,
            sources=ctx.sources.get(planned.address, {}),
            run=ctx.run,
            origin=live.image_ids.get(planned.address),
        )
        hidden = sorted({*row.sensitive, *planned.sensitive})  # the host may still have what was sensitive before
        attrs = None if planned.observed is None else seal_attrs(planned.observed.attrs, hidden, ctx.seal)
        rows.append(replace(row, tainted=True, attrs=attrs, sensitive=tuple(hidden)))
    return rows


def _half_restored(live: RunningTask, ctx: Context) -> list[Row]:
    """The current rows, and those of what may be half restored, tainted."""
    if not live.intent:
        return []
    back = {a: row_from_json(row) for a, row in live.task.rows.items() if row is not None}
    known = {**back, **{a: ctx.rows[a] for a in live.task.rows if a in ctx.rows}}
    return [replace(row, tainted=True, run=ctx.run) for _, row in sorted(known.items())]


__all__ = ["record", "tainted_rows"]
