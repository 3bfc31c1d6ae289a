"""The execution graph in words: the order of tasks, what runs in parallel, what a failure rolls back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..model import Action, Op
from ..plan import PlanTask
from .blocks import anywhere
from .words import count, listed

_LABELS = 8  # of one level on the same hosts
_LANES = 5
_GUARDS = (Op.DRAIN, Op.VERIFY, Op.UNDRAIN)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A task, or all tasks of a guard block on one host."""

    tasks: tuple[PlanTask, ...]
    guarded: bool = False

    @property
    def metadata_only(self) -> bool:
        """Whether no host is changed: resources are only added to the state."""
        return all(t.changes and all(c.action is Action.ADOPT for c in t.changes) for t in self.tasks)


def order_lines(tasks: Sequence[PlanTask], serving: Collection[str] = ()) -> list[str]:
    """`  1. package.build-tools (lb1, lb2)` and so on. `serving`: hosts that are last in a guarded group."""
    units = _units(tasks)
    where = {task.id: name for name, unit in units.items() for task in unit.tasks}
    levels: dict[int, list[_Unit]] = {}
    for name, level in _levels(units, where).items():
        if not units[name].metadata_only:
            levels.setdefault(level, []).append(units[name])
    lines = []
    for number, level in enumerate(sorted(levels), 1):
        first, *more = [*_plain(levels[level]), *_guarded(levels[level], serving)]
        lines.append(f"{number:>3}. {first}")
        lines += [f"     {text}" for text in more]
    return lines


def _units(tasks: Sequence[PlanTask]) -> dict[str, _Unit]:
    """Guard blocks as one unit each: drain, the dependent tasks on that host, verify, undrain."""
    block: dict[str, str] = {}
    for task in tasks:
        if task.op is Op.DRAIN:
            block[task.id] = task.id
        elif task.group:
            home = next((block[need] for need in task.needs if need in block), None)
            if home is not None:
                block[task.id] = home
    members: dict[str, list[PlanTask]] = {}
    for task in tasks:
        members.setdefault(block.get(task.id, task.id), []).append(task)
    return {name: _Unit(tuple(inside), guarded=name in block) for name, inside in members.items()}


def _levels(units: Mapping[str, _Unit], where: Mapping[str, str]) -> dict[str, int]:
    """The longest chain of units before each; units without work on a host do not count."""
    needs = {
        name: {where[need] for task in unit.tasks for need in task.needs if need in where} - {name}
        for name, unit in units.items()
    }
    dependants: dict[str, list[str]] = {}
    for name, needed in needs.items():
        for need in needed:
            dependants.setdefault(need, []).append(name)
    waits = {name: len(needed) for name, needed in needs.items()}
    level = dict.fromkeys(units, 0)
    ready = [name for name, waiting in waits.items() if not waiting]
    for name in ready:  # grows during iteration
        after = level[name] + (0 if units[name].metadata_only else 1)
        for dependant in dependants.get(name, ()):
            level[dependant] = max(level[dependant], after)
            waits[dependant] -= 1
            if not waits[dependant]:
                ready.append(dependant)
    return level


def _label(task: PlanTask) -> list[str]:
    names = list(dict.fromkeys(anywhere(a) for a in task.addresses))
    if task.op is Op.TRIGGER:
        return [f"{task.trigger} {name}" for name in names]
    if task.op is Op.ENSURE:
        return [f"check {name}" for name in names]
    deleted = {anywhere(c.address): c.word for c in task.changes if c.action is Action.DELETE}
    return [f"{deleted[name]} {name}" if name in deleted else name for name in names]


def _plain(units: Sequence[_Unit]) -> list[str]:
    hosts: dict[str, list[str]] = {}
    for task in (t for unit in units if not unit.guarded for t in unit.tasks):
        for label in _label(task):
            found = hosts.setdefault(label, [])
            if task.host is not None and task.host not in found:
                found.append(task.host)
    labels: dict[tuple[str, ...], list[str]] = {}
    for label, names in hosts.items():
        labels.setdefault(tuple(names), []).append(label)
    return [f"{_many(found)} ({_many(names)})" if names else _many(found) for names, found in labels.items()]


def _guarded(units: Sequence[_Unit], serving: Collection[str]) -> list[str]:
    """One host after the other, those that hold an address last."""
    found: dict[tuple[str, str], list[str]] = {}
    for unit in (u for u in units if u.guarded):
        inside = [label for t in unit.tasks if t.op not in _GUARDS for label in _label(t)]
        words = ", ".join(["drain", *dict.fromkeys(inside), "verify", "undrain"])
        found.setdefault((unit.tasks[0].group, words), []).append(str(unit.tasks[0].host))
    lines = []
    for (_, words), hosts in found.items():
        turn = sorted(dict.fromkeys(hosts), key=lambda host: (host in serving, host))
        lines.append(f"{turn[0]}: {words}" + "".join(f"; then the same on {host}" for host in turn[1:]))
    return lines


def _many(words: Sequence[str]) -> str:
    if len(words) <= _LABELS + 1:
        return ", ".join(words)
    return f"{', '.join(words[:_LABELS])} and {len(words) - _LABELS:,} more"


def failure_lines(tasks: Sequence[PlanTask], on_failure: str = "rollback") -> list[str]:
    """The consequence of a failing task."""
    lanes: dict[int, list[PlanTask]] = {}
    for task in tasks:
        if not _Unit((task,)).metadata_only:
            lanes.setdefault(task.lane, []).append(task)
    if not lanes:
        return []
    if on_failure == "halt":
        return [
            "If a step fails, steps that depend on it are not started and nothing is rolled back (--on-failure halt)."
        ]
    if len(lanes) == 1:
        lines = ["If a step fails, all of them are rolled back."]
    else:
        lines = [
            f"If a step fails, the steps of its lane are rolled back; the other {_lanes(lanes)}:",
            *(f"  lane {number}: {_lane(part)}" for number, part in enumerate(list(lanes.values())[:_LANES], 1)),
        ]
        if len(lanes) > _LANES:
            lines.append(f"  and {count(len(lanes) - _LANES, 'more lane')}")
    kept = [str(a) for task in tasks if task.keep_on_failure for a in task.addresses]
    if kept:
        lines.append(f"  not rolled back: {listed(kept)} (lifecycle.keep_on_failure)")
    final = [str(c.address) for task in tasks for c in task.changes if c.irreversible]
    if final:
        lines.append(f"  cannot be undone: {listed(final)} (marked ! above)")
    return lines


def _lanes(lanes: Mapping[int, object]) -> str:
    return "lane continues" if len(lanes) == 2 else "lanes continue"


def _lane(tasks: Sequence[PlanTask]) -> str:
    names = dict.fromkeys(anywhere(a) for t in tasks if t.op not in _GUARDS for a in t.addresses)
    hosts = dict.fromkeys(t.host for t in tasks if t.host is not None)
    where = f" ({_many(list(hosts))})" if hosts else ""
    return _many(list(names)) + where
