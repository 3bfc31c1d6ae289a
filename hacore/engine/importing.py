"""Import: existing resources are recorded as they are found. No host is changed, no run is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..address import Address
from ..errors import Cancelled, PlanError, StalePlanError, UsageError
from ..journal import new_row
from ..load.stack import Stack
from ..model import Action, Row
from ..plan import Plan, PlannedChange, Seal, seal_attrs
from ..spelling import suggestion
from ..store import PutRow, StateWriter
from .ownership import check_ownership, host_moves
from .planning import Session, open_session
from .request import Request
from .results import Planned
from .snapshot import last_run, read_snapshot, read_state


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is to be recorded: planned changes; `observed` of each is what was found, `attrs` how the stack differs."""

    planned: Planned
    items: tuple[PlannedChange, ...]


Approve = Callable[[Adoption], Awaitable[bool]]


async def adopt(request: Request, selectors: Sequence[Address], *, approve: Approve) -> Adoption:
    """Record what selectors match as it is found, also where it differs from the stack: the next plan shows that.

    Raises UsageError for a selector that matches nothing of the stack, PlanError for resources that are
    recorded already or do not exist, and for hosts that another state manages.
    """
    async with open_session(request) as session:
        chosen = choose(session.stack, selectors)
        snapshot = await asyncio.to_thread(read_state, session.stack.state)
        if snapshot.unfinished is not None:
            raise PlanError(
                f"cannot import: run {snapshot.unfinished.id} was interrupted; resume it or roll it back first"
            )
        made, recorded = await session.plan(snapshot)
        check_ownership(made.ownership, "import")
        items = _items(chosen, made, recorded)
        shown = Adoption(Planned(made, session.stack, last_run(snapshot), None, session.phases), items)
        if not await approve(shown):
            raise Cancelled("import cancelled")
        async with await StateWriter.open(session.stack.state, who=request.means.who, what="import") as writer:
            now = read_snapshot(writer)
            if (made.lineage or now.lineage, made.serial) != (now.lineage, now.serial) or now.unfinished is not None:
                raise StalePlanError("cannot import: the state changed since it was read; try again")
            rows: dict[Address, Row] = {a: r for a, r in now.rows.items() if a not in made.ownership.lost}
            for item in items:
                rows[item.address] = _row(item, session, made, rows, writer.hmac)
            await writer.commit(*host_moves(made), *[PutRow(rows[item.address]) for item in items])
        return shown


def choose(stack: Stack, selectors: Sequence[Address]) -> list[Address]:
    """The instances of a stack that selectors match. Raises UsageError, with the closest name."""
    known = sorted({str(a) for a in stack.instances} | {str(a.at(None)) for a in stack.instances})
    for selector in selectors:
        if any(selector.selects(address) for address in stack.instances):
            continue
        if any(selector.selects(address) for address in stack.switched_off):
            raise UsageError(f"cannot import {selector}: its `when` is false")
        hint = suggestion(str(selector), known, "`hacore graph` shows the resources of the stack")
        raise UsageError(f"cannot import {selector}: it is not in the stack; {hint}")
    return sorted(a for a in stack.instances if any(s.selects(a) for s in selectors))


def _items(chosen: Sequence[Address], made: Plan, recorded: Mapping[Address, object]) -> tuple[PlannedChange, ...]:
    """The change of each address; raises PlanError with all that prevents the import."""
    changes = {change.address: change for change in made.changes}
    found: list[PlannedChange] = []
    wrong: list[str] = []
    for address in chosen:
        change = changes.get(address)
        if address in recorded:
            wrong.append(f"{address} is recorded already (`hacore state rm {address}` forgets it)")
        elif change is None:
            hosts = sorted({made.hosts[h].error for h in made.unreachable})
            wrong.append(f"{address} was not checked: {'; '.join(hosts)}")
        elif change.inherits is not None:
            wrong.append(f"{address} replaces {change.inherits}, which the next apply renames")
        elif change.observed is None and change.desired is not None and change.desired.attrs is not None:
            wrong.append(f"{address} does not exist: `hacore apply` creates it")
        else:
            found.append(change)
    if wrong:
        raise PlanError(f"cannot import: {'; '.join(wrong)}")
    return tuple(found)


def _row(item: PlannedChange, session: Session, made: Plan, rows: Mapping[Address, Row], seal: Seal) -> Row:
    """The row of an adopted resource, with the observed attrs in place of the desired ones."""
    row = new_row(
        replace(item, action=Action.ADOPT),
        session.stack.instances[item.address],
        session.request.means.providers[item.kind],
        session.graph,
        item.observed,
        seal=seal,
        rows=rows,
        sources=made.sources.get(item.address, {}),
        run=0,
    )
    if item.observed is None:
        return row
    desired = item.desired.attrs if item.desired is not None else None
    attrs = {k: v for k, v in item.observed.attrs.items() if desired is None or k in desired}
    return replace(row, attrs=seal_attrs(attrs, row.sensitive, seal))


__all__ = ["Adoption", "adopt", "choose"]
