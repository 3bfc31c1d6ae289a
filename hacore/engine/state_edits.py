"""Edits of the state alone, without hosts: forget, move, rename, a new key for a lost one.

Each holds the state's lock and is one transaction, after a backup of an SQLite state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ..address import NAME, Address
from ..contract import Provider
from ..errors import PlanError, StoreError, UsageError
from ..journal import QUIET, Renaming
from ..model import JSON, Row
from ..spelling import suggestion
from ..store import (
    DropHost,
    DropRow,
    LockInfo,
    Move,
    PutHost,
    PutRow,
    PutRun,
    PutTask,
    StateReader,
    StateWriter,
    host_from_json,
    host_to_json,
    matching,
)
from .means import whoami
from .ownership import renamed_options

Providers = Mapping[str, Provider[Any]]
_NO_PROVIDERS: Providers = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StateEditResult:
    """The result of a state edit.

    `gone` and `moved` are addresses, `without` those that lost a member host. `backup`: the file;
    empty for a server's state. `broke`: the lock that was broken. `upgraded`: see `StateWriter.upgraded`.
    """

    serial: int
    gone: tuple[Address, ...] = ()
    moved: Mapping[Address, Address] | None = None
    without: tuple[Address, ...] = ()
    tasks: int = 0
    backup: str = ""
    broke: LockInfo | None = None
    upgraded: str = ""


async def forget(
    state_url: str, selectors: Sequence[Address], *, hosts: Sequence[str] = (), who: str = ""
) -> StateEditResult:
    """Forget what selectors match and everything on `hosts`; nothing is changed on the hosts.

    A forgotten host is no longer a member of resources that span several hosts. Raises UsageError for a
    selector that matches nothing, PlanError while a run is incomplete.
    """
    async with _opened(state_url, "state rm", who) as writer:
        rows = writer.rows()
        gone = {address for selector in selectors for address in matching(rows, selector)}
        moves: list[Move] = []
        for name in hosts:
            _known_host(writer, name, rows)
            gone |= {a for a, row in rows.items() if a.host == name or set(row.hosts) == {name}}
            moves.append(DropHost(name))
        left = {a: _without(row, hosts, gone) for a, row in rows.items() if a not in gone}
        without = tuple(sorted(a for a, row in left.items() if row.hosts != rows[a].hosts))
        moves += [DropRow(address) for address in sorted(gone)]
        moves += [PutRow(row) for a, row in left.items() if row != rows[a]]
        return await _commit(writer, moves, gone=tuple(sorted(gone)), without=without)


async def move(
    state_url: str, source: Address, target: Address, *, providers: Providers = _NO_PROVIDERS, who: str = ""
) -> StateEditResult:
    """Record under other addresses what `source` matches; edges, marks, images and journal follow.

    `providers` find the addresses that specs name.

    Raises UsageError for a source that matches nothing, or a target that is recorded already.
    """
    async with _opened(state_url, "state mv", who) as writer:
        rows = writer.rows()
        renaming = Renaming(moved_addresses(rows, source, target), {}, set(rows), _named(providers))
        for address in renaming.addresses.values():
            if address.host is not None and address.host not in writer.hosts():
                raise UsageError(
                    f"cannot move to {address}: no host {address.host} is recorded; "
                    "`hacore state mv --host OLD NEW` renames a host"
                )
        return await _rename(writer, renaming)


async def rename_host(
    state_url: str, old: str, new: str, *, providers: Providers = _NO_PROVIDERS, who: str = ""
) -> StateEditResult:
    """Record a host, and everything on it, under another name. Raises UsageError when the name is in use."""
    async with _opened(state_url, "state mv", who) as writer:
        rows, hosts = writer.rows(), writer.hosts()
        _known_host(writer, old, rows)
        if not NAME.match(new):
            raise UsageError(f"cannot rename host {old}: invalid host name {new!r}; use letters, digits, _ . and -")
        if new in hosts or any(new in row.hosts for row in rows.values()):
            raise UsageError(
                f"cannot rename host {old}: {new} is recorded already; forget it first: hacore state rm --host {new}"
            )
        moved = {a: replace(a, host=new) for a in sorted(rows) if a.host == old}
        record = hosts[old]
        host = host_from_json(record.host).model_copy(update={"name": new})
        put = PutHost(replace(record, name=new, host=host_to_json(host, variables=True)))
        renaming = Renaming(moved, {old: new}, set(rows), _named(providers))
        return await _rename(writer, renaming, DropHost(old), put)


async def new_key(state_url: str, *, who: str = "") -> StateEditResult | None:
    """Give a state that lost its key a new one; None if it has its key. Images encrypted by the old key are lost.

    Sensitive values show as changed in the next plan, and apply writes them again. Raises StoreError
    when there is no state.
    """
    reader = await asyncio.to_thread(StateReader.open, state_url)
    if reader is None:
        raise StoreError("cannot make a new key: there is no state yet; `hacore apply` creates it with its key")
    with reader:
        if reader.has_key:
            return None
    async with await StateWriter.open(state_url, who=who or whoami(), what="state new-key", new_key=True) as writer:
        return StateEditResult(writer.serial, broke=writer.broke, upgraded=writer.upgraded)


def moved_addresses(rows: Mapping[Address, Row], source: Address, target: Address) -> dict[Address, Address]:
    """Old to new address of all that `source` matches; parts that both omit are kept. Pure; raises UsageError."""
    found = matching(rows, source)
    if source.kind != target.kind:
        raise UsageError(f"cannot move {source} to {target}: kinds differ ({source.kind}, {target.kind})")
    if (source.host is None) != (target.host is None):
        raise UsageError(f"cannot move {source} to {target}: name the host in both, or in neither")
    keys = {address.key for address in found}
    if source.key is None and target.key is not None and keys != {None}:
        raise UsageError(f"cannot move {source} to {target}: {source} has several keys; name one: {found[0]}")
    keep_key = source.key is None and target.key is None
    moved = {
        a: Address(target.kind, target.name, a.key if keep_key else target.key, target.host or a.host) for a in found
    }
    for old, new in moved.items():
        if new == old:
            raise UsageError(f"cannot move {old} to itself")
        if new in rows:
            raise UsageError(
                f"cannot move {old} to {new}: {new} is recorded already; forget it first: hacore state rm '{new}'"
            )
    return moved


@asynccontextmanager
async def _opened(state_url: str, what: str, who: str) -> AsyncIterator[StateWriter]:
    """The state, locked, with no incomplete run."""
    async with await StateWriter.open(state_url, who=who or whoami(), what=what) as writer:
        unfinished = writer.unfinished()
        if unfinished is not None:
            raise PlanError(
                f"cannot change the state: run {unfinished.id} was interrupted; resume with "
                "`hacore apply --resume`, or undo with `hacore rollback`"
            )
        yield writer


async def _rename(writer: StateWriter, renaming: Renaming, *more: Move) -> StateEditResult:
    rows = writer.rows()
    after = {address: renaming.row(row) for address, row in rows.items()}
    moves: list[Move] = [*more, *(DropRow(address) for address in renaming.addresses)]
    moves += [PutRow(row) for address, row in after.items() if row != rows[address]]
    tasks = [task for run in writer.runs() for task in writer.tasks(run.id)]
    changed = [new for task in tasks for new in [renaming.task(task)] if new != task]
    moves += [PutTask(task) for task in changed]
    for run in writer.runs():
        options = renamed_options(run.options, renaming.hosts)
        if QUIET in options:
            options = {**options, QUIET: renaming.rows(options[QUIET])}
        moves.append(PutRun(replace(run, options=options)))
    return await _commit(writer, moves, moved=dict(renaming.addresses), tasks=len(changed))


async def _commit(writer: StateWriter, moves: Sequence[Move], **about: object) -> StateEditResult:
    backup = await writer.back_up()
    done = await writer.commit(*moves)
    kept = StateEditResult(done.serial, backup=backup, broke=writer.broke, upgraded=writer.upgraded)
    return replace(kept, **about)  # type: ignore[arg-type]


def _named(providers: Providers) -> Callable[[Address, JSON], Collection[str]]:
    """The addresses that a recorded spec names: sources of reloads and restarts, and needs."""

    def named(address: Address, spec: JSON) -> Collection[str]:
        provider = providers.get(address.kind)
        if provider is None:
            return ()
        try:
            value = provider.spec.model_validate(spec)
        except ValueError:
            return ()  # of another version of the kind, which the next apply records anew
        return {*(trigger.source for trigger in provider.triggers(value, address)), *provider.needs(value)}

    return named


def _known_host(writer: StateWriter, name: str, rows: Mapping[Address, Row]) -> None:
    known = sorted({*writer.hosts(), *(host for row in rows.values() for host in row.hosts)})
    if name not in known:
        hint = suggestion(name, known, f"the recorded hosts are {', '.join(known) or 'none'}")
        raise UsageError(f"cannot find host {name}: it is not recorded; {hint}")


def _without(row: Row, hosts: Sequence[str], gone: set[Address]) -> Row:
    """A row without references to what is forgotten."""
    names = {str(address) for address in gone}
    return replace(
        row,
        hosts=tuple(name for name in row.hosts if name not in hosts),
        needs=tuple(need for need in row.needs if need not in names),
        loaded={source: mark for source, mark in row.loaded.items() if source not in names},
    )


async def prune_runs(state_url: str, keep: int, *, who: str = "") -> int:
    """Forget all runs but the newest `keep`, with the images that only they need; gives their number.

    Origins are kept. Raises StoreError when there is no state, PlanError while a run is incomplete: its
    images are needed to undo it.
    """
    reader = StateReader.open(state_url)
    if reader is None:
        raise StoreError("cannot prune runs: there is no state yet")
    reader.close()
    async with await StateWriter.open(state_url, who=who or whoami(), what="runs prune") as writer:
        unfinished = writer.unfinished()
        if unfinished is not None:
            raise PlanError(f"cannot prune runs: run {unfinished.id} was interrupted; resume it or roll it back first")
        return await writer.prune(keep)
