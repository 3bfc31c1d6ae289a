"""A walk over hosts in memory: plan, walker and state are real.

    async with Walk.of(tmp_path, table) as walk: await walk.forward()

`row` reads what the state has recorded, not what the walk remembers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hacore.address import Address
from hacore.contract import Facts
from hacore.events import Event
from hacore.graph import build_graph
from hacore.journal import RunningTask, live_tasks, records_of
from hacore.model import Row, Status
from hacore.store import PutRow, RunRecord, StateReader, StateWriter
from hacore.testing import KINDS
from hacore.walk import Context, Walker
from hacore.walk.board import OnFailure
from tests.plan.table import Table

RUN = RunRecord(0, "apply", "running", 0.0, None, "me@desk", "s", "", "rollback")


@dataclass
class Walk:
    """One run: its tasks, the context, and what it says."""

    table: Table
    url: str
    lives: list[RunningTask]
    ctx: Context
    said: list[Event] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(
        cls, folder: Path, table: Table, lives: Sequence[RunningTask] | None = None, **more: Any
    ) -> AsyncIterator[Walk]:
        """The walk of a table's plan, or of these tasks. `more`: fields of the context."""
        url = f"sqlite:///{folder}/state.db"
        writer = await StateWriter.open(url, who="me@desk", what="apply")
        try:
            await writer.commit(*map(PutRow, table.rows.values()))
            plan, stack, said = table.make(), table.stack(), list[Event]()
            lives = list(lives) if lives is not None else live_tasks(plan.tasks, table.rows)
            run = await writer.new_run(RUN, records_of(0, lives, table.instances, KINDS, writer.hmac))
            given: dict[str, Any] = {
                "run": run,
                "token": "",
                "providers": KINDS,
                "links": {name: await table.world.connect(host) for name, host in stack.hosts.items()},
                "writer": writer,
                "rows": dict(table.rows),
                "facts": dict[str, Facts](plan.facts),
                "views": plan.views,
                "sources": plan.sources,
                "hosts": stack.hosts,
                "emit": said.append,
                "fetch": cast("Any", None),
                "instances": table.instances,
                "graph": build_graph(stack, KINDS),
            }
            yield cls(table, url, lives, Context(**{**given, **more}), said)
        finally:
            await writer.close()

    async def forward(self, on_failure: OnFailure = "rollback") -> None:
        """Walk the tasks to their end."""
        await Walker(self.lives, self.ctx, on_failure).walk()

    async def back(self) -> None:
        """Undo all of it, as a rollback of an unfinished run does."""
        walker = Walker(self.lives, self.ctx)
        walker.remember(self.lives)
        walker.board.roll_back_all()
        await walker.walk()

    def statuses(self) -> dict[str, Status]:
        """The status of each task, by its first address."""
        return {str(live.task.addresses[0]): live.status for live in self.lives}

    def row(self, address: str) -> Row | None:
        """What the state has recorded."""
        reader = StateReader.open(self.url)
        assert reader is not None
        found = reader.rows().get(Address.parse(address))
        assert found == self.ctx.rows.get(Address.parse(address)), "the walk must know what is recorded"
        return found

    def said_of(self, kind: str) -> list[tuple[str, ...]]:
        """The addresses of each event of a kind."""
        return [event.addresses for event in self.said if event.type == kind]

    def most_at_once(self, began: str, ended: str) -> int:
        """How many tasks were running at once, by what the walk says."""
        running = most = 0
        for event in self.said:
            running += (event.type == began) - (event.type == ended)
            most = max(most, running)
        return most

    def recorded(self) -> dict[str, dict[str, Any]]:
        """Each task's status in the state, with its error."""
        reader = StateReader.open(self.url)
        assert reader is not None
        return {task.id: {"status": task.status, "error": task.error} for task in reader.tasks(self.ctx.run)}


__all__ = ["Walk"]
