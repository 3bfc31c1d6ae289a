"""Guard blocks: what restarts something on a guarded host runs between drain and undrain.

A guard exists only for a recorded, healthy resource: all its members answered and exactly one of
them is in service now. It never stands around its own creation or last deletion. A block
with tasks that wait for another host's block in between is cut in two, so that no two hosts of one group
would have to be out of service at once.

A reload is not drained (moving a VIP cuts connections, a reload does not), but it takes its turn:
the host that does not serve is first. Between two restarts of its host it is in their block, and the block has
the turn. A kind that is its own guard reloads on all hosts at once, because what its daemons send each other must
change together: it is in no block, since only one host at a time may be in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..address import Address
from ..contract import Guard
from ..graph import between, components, find_cycle, topological
from ..model import Action, Op
from .inputs import Comparison, Inputs
from .types import PlanTask


def add_guards(tasks: tuple[PlanTask, ...], outcome: Comparison, given: Inputs) -> tuple[PlanTask, ...]:
    """The tasks with drain, verify and undrain around those that disrupt a guarded host."""
    disrupting = [t for t in tasks if t.disrupts == "restart" and t.host is not None]
    reloading = [t for t in tasks if t.op is Op.TRIGGER and t.trigger == "reload"]
    if not disrupting and not reloading:
        return _one_lane(tasks, outcome, given)
    guards = _healthy_guards(outcome, given)
    tasks = tuple(_in_turn(_abreast(t, outcome, given), guards) if t in reloading else t for t in tasks)
    blocks = _blocks(tasks, _with_between(tasks, {t.id for t in disrupting if t.host in guards}))
    if not blocks:
        return _one_lane(tasks, outcome, given)
    out: list[PlanTask] = list(tasks)
    for number, block in enumerate(blocks, 1):
        out = _wrap(out, block, number, guards)
    return _one_lane(_renumber(out), outcome, given)


def _one_lane(tasks: tuple[PlanTask, ...], outcome: Comparison, given: Inputs) -> tuple[PlanTask, ...]:
    """A guarded group is one lane: half a change of a pair would leave two different hosts."""
    first: dict[str, str] = {}
    needs = {t.id: list(t.needs) for t in tasks}
    for task in tasks:
        for address in (*task.addresses, *task.guarded):
            view = outcome.views.get(address)
            if view is None or address.host not in given.facts:
                continue
            guard = given.providers[address.kind].guard(view)
            if guard is not None:
                needs[task.id].append(first.setdefault(guard.group, task.id))
    lanes = {id: lane for lane, part in enumerate(components(needs)) for id in part}
    return tuple(replace(t, lane=lanes[t.id]) for t in tasks)


def _abreast(task: PlanTask, outcome: Comparison, given: Inputs) -> PlanTask:
    view = outcome.views.get(task.addresses[0])
    guard = given.providers[task.kind].guard(view) if view is not None else None
    return task if guard is None else replace(task, reload_group=guard.group)


def _in_turn(task: PlanTask, guards: Mapping[str, tuple[tuple[Address, Guard], ...]]) -> PlanTask:
    own = guards.get(str(task.host), ())
    if not own or task.reload_group:
        return task
    group = "+".join(sorted({guard.group for _, guard in own}))
    return replace(task, group=f"{group} {task.addresses[0].resource}", guarded=tuple(a for a, _ in own))


def _healthy_guards(outcome: Comparison, given: Inputs) -> dict[str, tuple[tuple[Address, Guard], ...]]:
    """Guards by host, as they are recorded: that is what serves now. `clear` true: this host is out of service.

    One that is created although it is recorded and observed is known to the host by another name from now on.
    """
    groups: dict[str, list[tuple[Address, Guard, bool]]] = {}
    expected: dict[str, int] = {}
    acting = {c.address: c.action for c in outcome.changes}
    for address, view in outcome.views.items():
        if address.host is None or address not in given.recorded or address.host not in given.facts:
            continue
        provider, serving = given.providers[address.kind], outcome.recorded_views.get(address, view)
        action = acting.get(address, Action.NOOP)
        renamed = action is Action.CREATE and provider.observe(serving) is not None
        if action not in (Action.NOOP, Action.UPDATE) and not renamed:
            continue
        guard = provider.guard(serving)
        if guard is not None:
            groups.setdefault(guard.group, []).append((address, guard, guard.clear(serving)))
            expected[guard.group] = max(len(view.members), len(serving.members))
    found: dict[str, list[tuple[Address, Guard]]] = {}
    for group, members in groups.items():
        holders = sum(1 for _, _, clear in members if not clear)
        if len(members) == expected[group] >= 2 and holders == 1:
            for address, guard, _ in members:
                found.setdefault(str(address.host), []).append((address, guard))
    return {host: tuple(items) for host, items in found.items()}


def _with_between(tasks: tuple[PlanTask, ...], ids: set[str]) -> list[PlanTask]:
    """The disrupting tasks, and those between two of one host: without them its block would be cut in two.

    What reloads on all hosts at once cuts it all the same.
    """
    inside = between(ids, {t.id: t.host for t in tasks}, {t.id: t.needs for t in tasks})
    return [t for t in tasks if t.id in ids | inside and not t.reload_group]


def _blocks(tasks: Iterable[PlanTask], disrupting: list[PlanTask]) -> list[list[PlanTask]]:
    """Tasks of a host in as few blocks as possible without a circle between blocks."""
    needs = {t.id: t.needs for t in tasks}
    member: dict[str, str] = {}
    blocks: dict[str, list[PlanTask]] = {}
    open_block: dict[str, str] = {}
    for number, task in enumerate(disrupting):
        host = str(task.host)
        name = open_block.get(host)
        if name is not None and not _circle({**member, task.id: name}, needs):
            member[task.id] = name
            blocks[name].append(task)
            continue
        name = f"block {number}"
        open_block[host], member[task.id], blocks[name] = name, name, [task]
    return list(blocks.values())


def _circle(member: Mapping[str, str], needs: Mapping[str, Iterable[str]]) -> bool:
    quotient: dict[str, set[str]] = {}
    for task, wanted in needs.items():
        mine = member.get(task, task)
        quotient.setdefault(mine, set()).update(member.get(n, n) for n in wanted if member.get(n, n) != mine)
    return find_cycle(quotient) is not None


def _wrap(
    tasks: list[PlanTask],
    block: list[PlanTask],
    number: int,
    guards: Mapping[str, tuple[tuple[Address, Guard], ...]],
) -> list[PlanTask]:
    host = str(block[0].host)
    addresses = tuple(address for address, _ in guards[host])
    group = "+".join(sorted({guard.group for _, guard in guards[host]}))
    inside = {t.id for t in block}
    above = {need for t in block for need in t.needs} - inside
    drain, verify, undrain = (f"g{number}{part}" for part in ("d", "v", "u"))
    base = PlanTask(drain, Op.DRAIN, addresses[0].kind, host, addresses, needs=tuple(sorted(above)), group=group)
    checked = tuple(a for t in block for a in t.addresses)
    made = [
        base,
        replace(base, id=verify, op=Op.VERIFY, kind=block[0].kind, addresses=checked, needs=tuple(sorted(inside))),
        replace(base, id=undrain, op=Op.UNDRAIN, needs=(verify,)),
    ]
    out = []
    for task in tasks:
        if task.id in inside:
            # the turn of a reload is that of its block
            out.append(replace(task, needs=tuple(sorted({*task.needs, drain})), group=group, guarded=()))
        elif inside & set(task.needs):
            out.append(replace(task, needs=tuple(sorted({*task.needs, undrain}))))
        else:
            out.append(task)
    return [*out, *made]


def _renumber(tasks: list[PlanTask]) -> tuple[PlanTask, ...]:
    by_id = {t.id: t for t in tasks}
    needs = {t.id: t.needs for t in tasks}
    order = topological(needs)
    ids = {old: f"t{number}" for number, old in enumerate(order, 1)}
    lanes = {task: lane for lane, part in enumerate(components(needs)) for task in part}
    return tuple(
        replace(by_id[old], id=ids[old], needs=tuple(ids[n] for n in by_id[old].needs), lane=lanes[old])
        for old in order
    )
