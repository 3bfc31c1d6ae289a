"""A guard block that an interrupted run left open: its host is out of service. Pure.

The next block of that host continues it, or the host is undrained first. It is undrained when nothing more is to be
done there, when the next block waits for another host of the group (the two would wait for each other), or when it
waits for what depends on the tasks of the open block (its drain would come both before and after those).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..model import Op, Status
from .live import RunningTask

Tasks = list[RunningTask]


@dataclass(frozen=True, slots=True)
class Block:
    """An open block: its drain, and the ids of its other tasks that are done."""

    drain: RunningTask
    done: frozenset[str]

    @classmethod
    def of(cls, drain: str, kept: Sequence[RunningTask]) -> Block:
        """The block of a drain, by its id; `kept`: what is done of the run."""
        found = next(live for live in kept if live.id == drain)
        return cls(found, frozenset(live.id for live in kept if drain in live.task.needs))

    @property
    def started(self) -> frozenset[str]:
        """The drain and what is done inside."""
        return self.done | {self.drain.id}

    def drains(self, new: Iterable[RunningTask]) -> Tasks:
        """The drains of its group among new tasks."""
        group = self.drain.task.group
        return [live for live in new if live.task.op is Op.DRAIN and live.task.group == group]

    def successor(self, kept: Sequence[RunningTask], new: Sequence[RunningTask]) -> RunningTask | None:
        """The new drain of the same host that continues this block; None to undrain the host first."""
        drains = self.drains(new)
        mine = next((live for live in drains if live.task.host == self.drain.task.host), None)
        if mine is None:
            return None
        undrain, everything = _undrain_of(mine, new), [*kept, *new]
        if any(depends(undrain, other.id, new) for other in drains if other is not mine):
            return None
        if any(depends(need, id, everything) for need in mine.task.needs for id in self.started):
            return None
        return mine


def continue_block(block: Block, kept: Tasks, new: Tasks, name: str) -> tuple[Tasks, Tasks]:
    """The kept and new tasks with the open block continued or closed. `name`: the id of an undrain that closes it."""
    mine = block.successor(kept, new)
    return _closed(block, kept, new, name) if mine is None else _continued(block, mine, kept, new)


def _closed(block: Block, kept: Tasks, new: Tasks, name: str) -> tuple[Tasks, Tasks]:
    """Undrain the host; the drains of the group wait for that."""
    drains = block.drains(new)
    task = replace(block.drain.task, id=name, op=Op.UNDRAIN, needs=tuple(sorted(block.started)))
    return kept, [RunningTask(task), *[needing(live, [name]) if live in drains else live for live in new]]


def _continued(block: Block, mine: RunningTask, kept: Tasks, new: Tasks) -> tuple[Tasks, Tasks]:
    """The old drain stands for the new one, and is done again; the new verify also waits for what was done before."""
    old = block.drain
    needs = tuple(sorted({*old.task.needs, *mine.task.needs}))
    again = replace(
        old,
        task=replace(old.task, addresses=mine.task.addresses, needs=needs),
        status=Status.DO,
        intent=True,
    )
    inside = [_renamed_need(live, mine.id, old.id) for live in new if live is not mine]
    closing = _verifies(old.id, inside)
    return (
        [again if live is old else live for live in kept],
        [needing(live, block.done) if live.id in closing else live for live in inside],
    )


def needing(live: RunningTask, more: Iterable[str]) -> RunningTask:
    """A task with more needs."""
    return replace(live, task=replace(live.task, needs=tuple(sorted({*live.task.needs, *more}))))


def _renamed_need(live: RunningTask, old: str, new: str) -> RunningTask:
    needs = tuple(sorted(new if need == old else need for need in live.task.needs))
    return replace(live, task=replace(live.task, needs=needs))


def _verifies(drain: str, lives: Sequence[RunningTask]) -> set[str]:
    inside = {live.id for live in lives if drain in live.task.needs}
    return {live.id for live in lives if live.task.op is Op.VERIFY and inside & set(live.task.needs)}


def _undrain_of(drain: RunningTask, lives: Sequence[RunningTask]) -> str:
    verify = _verifies(drain.id, lives)
    return next(live.id for live in lives if live.task.op is Op.UNDRAIN and verify & set(live.task.needs))


def depends(id: str, other: str, lives: Sequence[RunningTask]) -> bool:
    """Whether a task is another one, or needs it, directly or not."""
    needs = {live.id: live.task.needs for live in lives}
    seen: set[str] = set()
    queue = [id]
    while queue:
        found = queue.pop()
        if found == other:
            return True
        if found not in seen:
            seen.add(found)
            queue.extend(needs.get(found, ()))
    return False


__all__ = ["Block", "continue_block", "depends", "needing"]
