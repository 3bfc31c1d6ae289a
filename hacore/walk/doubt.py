"""What a task that failed and stays leaves in the state: rows in doubt."""

from __future__ import annotations

from dataclasses import replace

from ..journal import Live, new_row
from ..model import Action, Op, Row
from ..plan.sealing import seal_attrs
from ..store import row_from_json
from .context import Context
from .work import touching


def tainted_rows(live: Live, ctx: Context) -> list[Row]:
    """Rows that say "in doubt" for a task that failed and stays (`--on-failure halt`): the origin is kept."""
    if live.task.op is Op.RESTORE:
        return _half_restored(live, ctx)
    rows: list[Row] = []
    for planned in touching(live):
        instance = ctx.stack.instances.get(planned.address)
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
        attrs = None if planned.observed is None else seal_attrs(planned.observed.attrs, row.sensitive, ctx.seal)
        rows.append(replace(row, tainted=True, attrs=attrs))
    return rows


def _half_restored(live: Live, ctx: Context) -> list[Row]:
    """What is recorded now; what was to come back and may be half there, too."""
    if not live.intent:
        return []
    back = {a: row_from_json(row) for a, row in live.task.rows.items() if row is not None}
    known = {**back, **{a: ctx.rows[a] for a in live.task.rows if a in ctx.rows}}
    return [replace(row, tainted=True) for _, row in sorted(known.items())]
