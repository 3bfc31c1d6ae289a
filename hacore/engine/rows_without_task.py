"""Rows that a run writes without a task: only their metadata changed, and nothing on a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..address import Address
from ..journal import new_row, rows_after
from ..model import JSON, Action, Row
from ..plan import Plan
from ..store import DropRow, PutRow, StateWriter, row_to_json
from .planning import Session


def metadata_moves(
    made: Plan, rows: Mapping[Address, Row], run: int, session: Session, writer: StateWriter
) -> list[PutRow | DropRow]:
    """Rows of which only the metadata changed, and rows that another address replaced."""
    fresh = {}
    for planned in made.metadata_only:
        address = planned.address
        fresh[address] = new_row(
            planned,
            session.stack.instances[address],
            session.request.means.providers[address.kind],
            session.graph,
            planned.observed,
            seal=writer.hmac,
            rows=rows,
            sources=made.sources.get(address, {}),
            run=rows[address].run if address in rows else run,
        )
    put = [PutRow(row) for row in rows_after(made.metadata_only, fresh, rows)]
    drop = [DropRow(c.address) for c in made.changes if c.action is Action.FORGET and c.address in rows]
    return [*put, *drop]


def previous_rows(moves: Sequence[PutRow | DropRow], rows: Mapping[Address, Row]) -> dict[str, JSON | None]:
    """The rows that moves replace, as JSON by address; None where none was recorded."""
    found = [move.row.address if isinstance(move, PutRow) else move.address for move in moves]
    return {str(a): row_to_json(rows[a]) if a in rows else None for a in found}


__all__ = ["metadata_moves", "previous_rows"]
