"""Rows as a task leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Observed, Provider
from ..graph import Graph
from ..load.stack import Instance
from ..model import Action, Found, Row, Unknown, has_loaded, has_loaded_deleted, loaded_mark, marked_keys
from ..plan import PlannedChange, Seal, recorded_spec, seal_attrs, stored_claims
from ..plan.sealing import addresses
from ..plan.types import Sources


def new_row(
    planned: PlannedChange,
    instance: Instance,
    provider: Provider[Any],
    graph: Graph,
    observed: Observed | None,
    *,
    seal: Seal,
    rows: Mapping[Address, Row],
    sources: Sources,
    run: int,
    origin: int | None = None,
    started: bool = False,
) -> Row:
    """The row of an instance that was observed in the desired state.

    `origin` is the id of the image captured in this task; an older origin wins, also one inherited
    by a rename. `sources` are those of its triggers; `started`: the daemon was started
    afresh, which loads all of them.
    """
    old = rows.get(planned.address) or (rows.get(planned.inherits) if planned.inherits else None)
    desired = planned.desired
    attrs = dict(desired.attrs) if desired is not None and desired.attrs is not None else None
    if attrs is not None and observed is not None:
        attrs = {k: observed.attrs.get(k) if isinstance(v, Unknown) else v for k, v in attrs.items()}
        for key in instance.lifecycle.ignore_changes:
            if key in attrs and key in observed.attrs:
                attrs[key] = observed.attrs[key]
    sensitive = desired.sensitive if desired is not None else frozenset[str]()
    if old is not None:  # no longer in the stack, and still on the host as the former secret: a delete would show it
        sensitive |= {name for name in old.sensitive if attrs is None or name not in attrs}
    return Row(
        address=planned.address,
        spec=recorded_spec(provider, instance, seal),
        schema_version=provider.schema_version,
        attrs=seal_attrs(attrs, sensitive, seal),
        info=dict(observed.info) if observed is not None else {},
        sensitive=tuple(sorted(sensitive)),
        needs=addresses(graph.needs[planned.address]),
        claims=stored_claims(graph.claims[planned.address]),
        hosts=instance.hosts,
        lifecycle=instance.lifecycle,
        loaded=_loaded(old, sources, rows, started),
        origin=old.origin if old is not None and old.origin is not None else origin,
        found=old.found if old is not None else _found(planned),
        tainted=False,
        run=run,
    )


def _found(planned: PlannedChange) -> Found:
    if planned.action is Action.ADOPT:
        return "same"
    return "absent" if planned.observed is None or planned.action is Action.CREATE else "different"


def _loaded(old: Row | None, sources: Sources, rows: Mapping[Address, Row], started: bool) -> dict[str, str | None]:
    """The marks of a consumer: kept; of all sources after a start; of its current attrs for a new source."""
    before = dict(old.loaded) if old is not None else {}
    loaded: dict[str, str | None] = {}
    for source in sources:
        key, row = str(source), rows.get(source)
        if row is None:  # deleted; the mark shows whether the consumer noticed
            if has_loaded_deleted(before.get(key)) and not started:
                loaded[key] = before[key]
            continue
        if started or key not in before:
            loaded[key] = loaded_mark(row.attrs, sources[source])
        else:
            loaded[key] = before[key]
    return loaded


def rows_after(
    metadata_only: Sequence[PlannedChange],
    make: Mapping[Address, Row],
    rows: Mapping[Address, Row],
) -> list[Row]:
    """Rows that are only rewritten, and consumers with marks of them, which follow."""
    out = [make[p.address] for p in metadata_only]
    moved = {
        str(new.address): (rows[new.address].attrs, new.attrs)
        for new in out
        if new.address in rows and rows[new.address].attrs != new.attrs
    }
    if not moved:
        return out
    fresh = {row.address: row for row in out}
    for address, row in rows.items():
        current = fresh.get(address, row)
        loaded = {
            source: (
                loaded_mark(moved[source][1], marked_keys(mark))
                if source in moved and has_loaded(mark, moved[source][0])
                else mark
            )
            for source, mark in current.loaded.items()
        }
        if loaded != dict(current.loaded):
            fresh[address] = replace(current, loaded=loaded)
    return list(fresh.values())


def recorded_sources(rows: Mapping[Address, Row]) -> dict[Address, Sources]:
    """The sources of each consumer by the rows alone, with the attrs that count."""
    return {
        address: {Address.parse(source): marked_keys(mark) for source, mark in row.loaded.items()}
        for address, row in rows.items()
        if row.loaded
    }
