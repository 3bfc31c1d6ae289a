"""What may run beside what: turns within guarded groups, exclusive tasks, reloads that start together.

Of the hosts of a guarded group only one is out of service, and a host that does not serve is first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import ProbeError, ProviderError
from ..journal import RunningTask
from ..model import Op, Status
from .board import Board
from .context import Context
from .guards import serving


def next_in_group(ready: Sequence[str], serving: Collection[str], waiting: int, *, more: bool) -> str | None:
    """The task that has the next turn; None to wait, since a host that does not serve may become ready.

    `ready`: the tasks that may start; `serving`: those of them on hosts that serve; `waiting`: how many tasks of the
    group are to do, ready or not; `more`: whether the walk makes progress without this turn.
    """
    idle = [id for id in ready if id not in serving]
    if not idle and waiting > len(ready) and more:
        return None
    return (idle or ready)[0]


class Turns:
    """The turns of one walk."""

    def __init__(self, lives: Sequence[RunningTask], board: Board, ctx: Context) -> None:
        self.lives = {live.id: live for live in lives}
        self.board = board
        self.ctx = ctx
        self._first: dict[str, str] = {}  # group -> the task that has the turn
        self._reload_groups: dict[str, list[RunningTask]] = {}
        for live in lives:
            self._reload_groups.setdefault(live.task.reload_group, []).append(live)

    def together(self, live: RunningTask) -> Sequence[RunningTask]:
        """The tasks of its reload group, itself included; only itself where it has none."""
        return self._reload_groups[live.task.reload_group] if live.task.reload_group else (live,)

    async def take(self, *, running: bool) -> None:
        """Give each group that is free its next turn. `running`: whether tasks are running."""
        groups: dict[str, list[str]] = {}
        others = False
        for id in self.board.startable():
            task = self.lives[id].task
            if task.op is Op.DRAIN or task.guarded:
                groups.setdefault(task.group, []).append(id)
            else:
                others = True
        for group, ready in groups.items():
            still_open = self.board.open_blocks(group)
            resumed = [id for id in ready if id in still_open]
            if resumed:  # an interrupted run took its host out of service
                self._first[group] = resumed[0]
            waiting = self._waiting(group, self.lives[ready[0]].task.op)
            if still_open or self._first.get(group) in ready or waiting is None:
                continue
            busy = {id for id in ready if waiting > 1 and await self._serves(self.lives[id])}
            turn = next_in_group(ready, busy, waiting, more=running or others)
            if turn is not None:
                self._first[group] = turn

    def _waiting(self, group: str, op: Op) -> int | None:
        """How many tasks of a group are to do; None while one of them is running."""
        peers = (live for live in self.lives.values() if live.task.group == group and live.task.op is op)
        active = [status for live in peers if not (status := self.board.status[live.id]).final]
        return len(active) if all(status is Status.DO for status in active) else None

    async def _serves(self, live: RunningTask) -> bool:
        """Whether its host serves; where a kind cannot decide that, its turn comes first and fails by itself."""
        try:
            return await serving(live, self.ctx)
        except (ProviderError, ProbeError):
            return False

    def blocked(self, live: RunningTask, running: Sequence[RunningTask]) -> bool:
        """Whether a task must wait: for a package manager, for its turn, or for the others of its reload group."""
        task, status = live.task, self.board.status[live.id]
        mine = task.exclusive
        if mine and any(o.task.exclusive == mine and o.task.host == task.host for o in running):
            return True
        if task.op is Op.DRAIN and status is Status.DO:
            others = [drain for drain in self.board.open_blocks(task.group) if drain != live.id]
            return bool(others) or self._first.get(task.group) != live.id
        if task.op is Op.UNDRAIN and self.board.serves(live.id):  # its undo takes the host out of service
            return any(not self._undone_beside(live, drain) for drain in self.board.open_blocks(task.group))
        if task.op is Op.DRAIN:  # its undo puts the host back into service
            return self._more_open(live)
        if task.guarded and status is Status.DO:
            return self._first.get(task.group) != live.id
        return bool(task.reload_group) and self._peers_to_come(live)

    def _undone_beside(self, live: RunningTask, drain: str) -> bool:
        """Whether an open block keeps the same host out of service, and is being undone.

        A trigger in it may load what a closed block of that host changed: it can settle only after that block is
        opened again. The host does not serve anyhow; both blocks end together.
        """
        return self.lives[drain].task.host == live.task.host and self.board.status[drain] is Status.UNDO

    def _more_open(self, live: RunningTask) -> bool:
        """Whether the host of this drain must stay out of service: for another block, or a trigger about to settle."""
        ready = set(self.board.undoable())
        others = {drain for drain in self.board.open_blocks(live.task.group) if drain not in ready}
        for other in self.lives.values():
            if other.task.op is Op.TRIGGER and other.task.group == live.task.group:
                status = self.board.status[other.id]
                if status is Status.UNDOING or (status is Status.UNDO and other.id in ready):
                    others.add(other.id)
        return any(other != live.id and self.lives[other].task.host == live.task.host for other in others)

    def _peers_to_come(self, live: RunningTask) -> bool:
        """Whether others of its reload group are not ready yet.

        What the adverts of keepalived contain must change on all members within a few seconds, or two of them hold
        the address.
        """
        status = self.board.status[live.id]
        ready = set(self.board.startable() if status is Status.DO else self.board.undoable())
        return any(
            self.board.status[peer.id] is status and peer.id not in ready and not self.board.rests_on(peer.id, live.id)
            for peer in self._reload_groups[live.task.reload_group]
            if peer is not live
        )


__all__ = ["Turns", "next_in_group"]
