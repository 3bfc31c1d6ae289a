"""The needs of a rollback's tasks: within a run the reverse of its needs, between runs the newer first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from ...address import Address
from ...graph import reach
from ...model import JSON

if TYPE_CHECKING:
    from .types import Restore, Undone

Needs = dict[str, set[str]]


def edges(
    restores: Sequence[Restore], undone: Sequence[Undone], rows: Iterable[Mapping[Address, JSON | None]]
) -> Needs:
    """The needs of each restore, by key.

    On one host runs are undone one after the other, the newest first. Between hosts only tasks that depend on
    each other wait.
    """
    needs: Needs = {r.key: set() for r in restores}
    related = _Related(rows)
    newer: dict[str, list[str]] = {}  # host -> what the run before did there
    at: dict[Address, str] = {}  # where the newer runs were at
    for run in undone:
        mine = [r for r in restores if r.run == run.record.id]
        _within(run, {r.live.id: r.key for r in mine}, needs)
        for restore in mine:
            needs[restore.key] |= set(newer.get(restore.host, ()))
            needs[restore.key] |= {at[a] for a in related.of(restore.addresses) if a in at}
        here: dict[str, list[str]] = {}
        for restore in mine:
            here.setdefault(restore.host, []).append(restore.key)
        newer.update(here)
        at.update({a: r.key for r in mine for a in r.addresses})
    return needs


def _within(run: Undone, keys: Mapping[str, str], needs: Needs) -> None:
    """Dependents first; tasks without a restore (triggers, guards) are looked through."""
    dependants: dict[str, list[str]] = {}
    for live in run.tasks:
        for need in live.task.needs:
            dependants.setdefault(need, []).append(live.id)
    for id, key in keys.items():
        seen: set[str] = set()
        queue = list(dependants.get(id, ()))
        while queue:
            above = queue.pop()
            if above in seen:
                continue
            seen.add(above)
            if above in keys:
                needs[key].add(keys[above])
            else:
                queue.extend(dependants.get(above, ()))


class _Related:
    """Dependencies between hosts, by all the rows of the runs."""

    def __init__(self, rows: Iterable[Mapping[Address, JSON | None]]) -> None:
        self._down: dict[Address, set[Address]] = {}
        self._up: dict[Address, set[Address]] = {}
        self._wide = False
        for known in rows:
            for address, row in known.items():
                for text in row["needs"] if row is not None else ():
                    need = Address.parse(text)
                    self._down.setdefault(address, set()).add(need)
                    self._up.setdefault(need, set()).add(address)
                    self._wide = self._wide or need.host != address.host

    def of(self, addresses: Iterable[Address]) -> set[Address]:
        """All that these need, and all that need them; nothing while every need stays on its host."""
        if not self._wide:
            return set()
        return reach(addresses, self._down) | reach(addresses, self._up)


def come_back_in_order(
    restores: Sequence[Restore], needs: Needs, coming: set[Address], graph: Mapping[Address, Iterable[Address]]
) -> None:
    """What is created again waits for its needs, where the runs leave that open: a daemon for its files."""
    at: dict[Address, list[str]] = {}
    for restore in restores:
        for address in restore.addresses:
            at.setdefault(address, []).append(restore.key)
    for address in sorted(coming & at.keys()):
        mine = at[address][0]
        for need in sorted(reach(graph.get(address, ()), graph) & at.keys()):
            needs[mine] |= {key for key in at[need] if key != mine and mine not in above(key, needs)}


def above(key: str, needs: Mapping[str, Set[str]]) -> set[str]:
    """All that a task waits for, directly or not."""
    return reach(needs.get(key, ()), needs)
