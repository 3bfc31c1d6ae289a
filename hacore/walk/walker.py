"""The walk: starts what may start, waits, and reports the result of each task to the board.

Forwards and backwards are one loop over one board, so a failure, `hacore rollback` and a later
resume walk the same way. What may run beside what is decided in `turns`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from ..address import Address
from ..contract import Provider
from ..errors import ProviderError
from ..journal import RunningTask
from ..model import Op, Row, Status
from ..store import Move, PutRow, SetTask
from .backward import undo_task
from .board import Board, OnFailure
from .context import Context
from .forward import do_batch
from .guards import guard_task
from .health import recheck
from .held_check import check_held
from .nodes import nodes_of
from .record import tainted_rows
from .steps import Failed
from .turns import Turns
from .work import state_only, touching

_GUARDS = (Op.DRAIN, Op.VERIFY, Op.UNDRAIN)


class Walker:
    """One walk over the tasks of a run."""

    def __init__(self, lives: Sequence[RunningTask], ctx: Context, on_failure: OnFailure = "rollback") -> None:
        self.lives = {live.id: live for live in lives}
        self.ctx = ctx
        ctx.begin(lives)
        self.board = Board.of(nodes_of(lives), on_failure)
        for live in lives:
            self.board.status[live.id] = live.status
        self.board.begun = {live.id for live in lives if live.intent and live.status is Status.DO}
        self._running: dict[asyncio.Task[None], tuple[str, ...]] = {}
        self._fatal: BaseException | None = None
        self._loaded: dict[Address, set[Address]] = {}
        self._turns = Turns(lives, self.board, ctx)

    def stop(self, *, undoing: bool = False) -> None:
        """Start no new tasks; running ones and open guard blocks are finished. `undoing`: start no undo either."""
        self.board.stopped = True
        self.board.paused = undoing

    def remember(self, lives: Sequence[RunningTask]) -> None:
        """For an earlier run: its triggers that were started have loaded their sources."""
        for live in lives:
            if live.task.op is Op.TRIGGER and live.status not in (Status.DO, Status.HOLD):
                self._loaded.setdefault(live.task.addresses[0], set()).update(live.task.sources)

    async def walk(self) -> None:
        """Walk until nothing is left to do or undo. Raises the error that made the store unusable."""
        while True:
            if self._fatal is None:
                await self._launch()
            if not self._running:
                break
            done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self._running.pop(task)
                if (error := task.exception()) is not None and self._fatal is None:
                    self._fatal = error
        if self._fatal is None:
            await self._end()
        for id, live in self.lives.items():
            live.status = self.board.status[id]
        if self._fatal is not None:
            raise self.ctx.lost(self._fatal)

    async def _end(self) -> None:
        """Report the hosts that stay out of service, and hold what waits for them."""
        left = [self.lives[id] for id in self.board.out_of_service()]
        for drain in left:
            self._say(
                "warning", drain, f"{drain.task.host} stays out of service: a task failed there and could not be undone"
            )
        if not self.board.stopped and (held := self.board.hold_rest()):
            await self._save(held, self._taint(held))
            for id in held:
                self._say("task_held", self.lives[id])
        if stuck := self.board.give_up():
            for id in stuck:
                self.lives[id].error = "not undone: a host of its group stays out of service"
            await self._save(stuck, self._undo_taint(stuck))

    # -- starting -----------------------------------------------------------------------------------

    async def _launch(self) -> None:
        await self._turns.take(running=bool(self._running))
        batches: dict[str, list[RunningTask]] = {}
        for id in self.board.startable() if self._may_start() else ():
            live = self.lives[id]
            host = str(live.task.host)
            if self._alone(live):
                if self._may_start(len(batches)) and not self._blocked(live):
                    self._start([live], self._guard(live) if live.task.op in _GUARDS else self._do([live]))
            elif (host in batches or self._batch_may_start(host, len(batches))) and not self._blocked(live):
                batches.setdefault(host, []).append(live)
        for lives in batches.values():
            self._start(lives, self._do(lives))
        for id in self.board.undoable(lambda id: self._blocked(self.lives[id])) if self._may_start() else ():
            self._start([self.lives[id]], self._undo(self.lives[id]), undo=True)
            if not self._may_start():
                break

    def _may_start(self, more: int = 0) -> bool:
        """Whether one more exec stays below `--parallelism`, with `more` of them about to start."""
        return len(self._running) + more < self.ctx.parallelism

    def _start(self, lives: Sequence[RunningTask], work: Coroutine[Any, Any, None], *, undo: bool = False) -> None:
        """The status moves here, not in the coroutine: a sibling's failure may come before it first runs."""
        for live in lives:
            if undo:
                self.board.start_undo(live.id)
                live.started = self.ctx.now()
                self._say("task_undo_started", live)
            else:
                self.board.start([live.id])
                live.started = self.ctx.now()
                self._say("task_started", live)
        self._running[asyncio.create_task(work)] = tuple(live.id for live in lives)

    def _alone(self, live: RunningTask) -> bool:
        """Whether a task gets an exec of its own: guards, tasks over several hosts, reload groups, long ones."""
        provider = self.ctx.providers[live.task.kind]
        long = type(provider).prepare is not Provider.prepare and live.task.op in (Op.CHANGE, Op.RESTORE)
        own = live.task.op in _GUARDS or live.task.host is None or bool(live.task.reload_group)
        return own or state_only(live) or long

    def _batch_may_start(self, host: str, more: int) -> bool:
        running = [self.lives[id] for ids in self._running.values() for id in ids]
        return self._may_start(more) and not any(o.task.host == host and not self._alone(o) for o in running)

    def _blocked(self, live: RunningTask) -> bool:
        return self._turns.blocked(live, [self.lives[id] for ids in self._running.values() for id in ids])

    # -- doing --------------------------------------------------------------------------------------

    async def _do(self, lives: Sequence[RunningTask]) -> None:
        outcome = await do_batch(lives, self.ctx)
        for live in lives:
            error = outcome[live.id]
            if error is None and (live.task.host is None and touching(live)):
                error = await recheck(live, self.ctx)
            if error is None and live.task.op is Op.TRIGGER and self._ends_set(live, lives):
                error = await check_held(live, self.ctx)
            if error is None:
                if live.task.op is Op.TRIGGER:
                    self._loaded.setdefault(live.task.addresses[0], set()).update(live.task.sources)
                await self._finished(live)
            else:
                await self._failed(live, error)

    def _ends_set(self, live: RunningTask, together: Sequence[RunningTask]) -> bool:
        """Whether a trigger is the last one of those that load their sources together."""
        if live is not together[-1]:
            return False
        peers = (other.id for other in self._turns.together(live) if other is not live)
        return not any(self.board.status[id] in (Status.DO, Status.DOING) for id in peers)

    async def _guard(self, live: RunningTask) -> None:
        error = await guard_task(live, self.ctx)
        if error is None and live.task.op is Op.UNDRAIN:
            error = await check_held(live, self.ctx)
        await (self._finished(live) if error is None else self._failed(live, error))

    async def _finished(self, live: RunningTask) -> None:
        live.ended = self.ctx.now()
        await self._save(self.board.done(live.id))
        self._say("task_done", live, seconds=live.ended - (live.started or live.ended))

    async def _failed(self, live: RunningTask, error: Failed) -> None:
        live.error, live.ended = error.kept, self.ctx.now()
        live.shown = str(error)
        self._say("task_failed", live, message=live.shown)
        moved = self.board.failed(live.id, undo=not error.fenced, halt=error.doubt)
        await self._save(moved, self._taint(moved))
        for id in moved:
            if self.board.status[id] is Status.HOLD:
                self._say("task_held", self.lives[id])

    def _taint(self, ids: Sequence[str]) -> list[Move]:
        """The rows of failed tasks that are not undone: tainted."""
        wrong = [self.lives[id] for id in ids if self.board.status[id] is Status.ERROR]
        rows = [row for live in wrong for row in self._tainted(live)]
        self.ctx.rows.update({row.address: row for row in rows})
        return [PutRow(row) for row in rows]

    def _tainted(self, live: RunningTask) -> Sequence[Row]:
        try:
            return tainted_rows(live, self.ctx)
        except ProviderError as error:  # its kind cannot make a row: the recorded ones are tainted
            self._say("warning", live, str(error))
            known = (self.ctx.rows.get(address) for address in live.task.addresses)
            return [replace(row, tainted=True, run=self.ctx.run) for row in known if row is not None]

    # -- undoing ------------------------------------------------------------------------------------

    async def _undo(self, live: RunningTask) -> None:
        if live.task.op in _GUARDS:
            error = await guard_task(live, self.ctx, undo=True) if live.intent else None
        else:
            error = await undo_task(live, self.ctx, triggered=self._loaded)
        live.ended = self.ctx.now()
        if error is None:
            again = self.board.undone(live.id)
            await self._save([live.id, *again])
            self._say("task_undone", live, seconds=live.ended - (live.started or live.ended))
            return
        live.shown = f"{live.shown or live.error}\n{error}".strip()
        live.error = f"{live.error}\n{error.kept}".strip()
        drains = self.board.undo_failed(live.id)
        for drain in drains:
            self.lives[drain].error = f"{live.task.host} stays out of service: {live.id} could not be undone"
        await self._save([live.id, *drains], self._undo_taint([live.id]))
        self._say("task_undo_failed", live, message=str(error))

    def _undo_taint(self, ids: Sequence[str]) -> list[Move]:
        """The rows of what could not be undone: tainted."""
        known = (self.ctx.rows.get(a) for id in ids for a in self.lives[id].before)
        rows = [replace(row, tainted=True, run=self.ctx.run) for row in known if row and not row.tainted]
        self.ctx.rows.update({row.address: row for row in rows})
        return [PutRow(row) for row in rows]

    async def _save(self, ids: Sequence[str], more: Sequence[Move] = ()) -> None:
        moves: list[Move] = [
            SetTask(self.ctx.run, id, {"status": self.board.status[id].value, "error": self.lives[id].error})
            for id in ids
        ]
        if moves or more:
            await self.ctx.commit(*moves, *more)

    def _say(self, type_: str, live: RunningTask, message: str = "", **data: Any) -> None:
        op = live.task.trigger or live.task.op.value
        if live.task.op is Op.CHANGE:
            op = "/".join(sorted({p.word for p in live.task.changes}))
        self.ctx.say(
            type_,
            message,
            host=live.task.host,
            task=live.id,
            addresses=tuple(str(a) for a in live.task.addresses),
            data={"op": op, **data},
        )


async def watched(walker: Walker, stop: asyncio.Event | None, *, undoing: bool = False) -> None:
    """Walk to the end. Once `stop` is set no new task starts; `undoing`: no undo either."""
    if stop is None:
        await walker.walk()
        return
    watcher = asyncio.create_task(stop.wait())
    watcher.add_done_callback(lambda task: walker.stop(undoing=undoing) if not task.cancelled() else None)
    try:
        await walker.walk()
    finally:
        watcher.cancel()
