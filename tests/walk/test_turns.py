"""Whose turn it is in a guarded group."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from hacore.address import Address
from hacore.journal import RunningTask
from hacore.model import Op, Status
from hacore.plan import PlanTask
from hacore.walk.board import Board
from hacore.walk.nodes import nodes_of
from hacore.walk.turns import Turns, next_in_group
from tests.plan.table import Table
from tests.walk.test_walker import with_daemon
from tests.walk.walks import Walk


@pytest.mark.parametrize(
    ("ready", "serving", "waiting", "more", "turn"),
    [
        (["a"], set(), 1, False, "a"),
        (["a", "b"], set(), 2, False, "a"),
        # a host that does not serve goes first
        (["a", "b"], {"a"}, 2, True, "b"),
        (["a", "b", "c"], {"a", "b"}, 3, True, "c"),
        # all that is ready serves: wait while one that does not may become ready
        (["a"], {"a"}, 2, True, None),
        (["a"], {"a"}, 2, False, "a"),
        # it is the last one, or all of them are ready
        (["a"], {"a"}, 1, True, "a"),
        (["a", "b"], {"a", "b"}, 2, True, "a"),
    ],
)
def test_the_next_turn(ready: list[str], serving: set[str], waiting: int, more: bool, turn: str | None) -> None:
    assert next_in_group(ready, serving, waiting, more=more) == turn


@pytest.mark.parametrize(
    ("exclusive", "host", "blocked"), [("apt", "a", True), ("apt", "b", False), ("dnf", "a", False), (None, "a", False)]
)
def test_a_host_runs_one_at_a_time_of_what_is_exclusive(exclusive: str | None, host: str, blocked: bool) -> None:
    def task(id: str, host: str, exclusive: str | None) -> RunningTask:
        where = Address.parse(f"pack.{id}@{host}")
        return RunningTask(PlanTask(id, Op.CHANGE, "pack", host, (where,), exclusive=exclusive))

    mine, other = task("mine", "a", "apt"), task("other", host, exclusive)
    lives = [mine, other]
    turns = Turns(lives, Board({node.id: node for node in nodes_of(lives)}), cast("Any", None))
    assert turns.blocked(mine, [other]) is blocked


@pytest.mark.parametrize(("host", "blocked"), [("a", False), ("b", True)])
def test_no_second_host_leaves_service_on_the_way_back(host: str, blocked: bool) -> None:
    """A closed block is opened again beside an open one only on the same host, which is out of service anyhow."""

    def part(op: Op, host: str, name: str, needs: tuple[str, ...] = ()) -> RunningTask:
        return RunningTask(PlanTask(name, op, "gate", host, (Address.parse(f"gate.g@{host}"),), needs=needs, group="g"))

    closed = [part(Op.DRAIN, "a", "out"), part(Op.UNDRAIN, "a", "back", ("out",))]
    opened = [part(Op.DRAIN, host, "out again"), part(Op.UNDRAIN, host, "back again", ("out again",))]
    lives = [*closed, *opened]
    status = {"out": Status.DONE, "back": Status.UNDO, "out again": Status.UNDO, "back again": Status.UNDONE}
    turns = Turns(lives, Board({node.id: node for node in nodes_of(lives)}, status=status), cast("Any", None))
    assert turns.blocked(closed[1], []) is blocked


async def test_the_host_that_serves_is_drained_when_nothing_else_is_to_do(tmp_path: Path) -> None:
    """The other one's block waits for it, so no other turn can come first."""
    table = Table()
    table.world.vips["v"] = ["a", "b"]
    parts = []
    for host in ("a", "b"):
        gate = Address.parse(f"gate.g@{host}")
        table.want(str(gate), vip="v")
        parts += [PlanTask(f"{op.value} {host}", op, "gate", host, (gate,), group="g") for op in (Op.DRAIN, Op.UNDRAIN)]
    chained = [parts[0], *[replace(part, needs=(before.id,)) for before, part in pairwise(parts)]]
    async with Walk.of(tmp_path, table, [RunningTask(part) for part in chained]) as walk:
        await walk.forward()
        assert {task["status"] for task in walk.recorded().values()} == {"done"}
        assert [event.data["op"] for event in walk.said if event.type == "task_done"] == [
            "drain", "undrain", "drain", "undrain",
        ]  # fmt: skip


async def test_events_name_the_operation_of_a_task(tmp_path: Path) -> None:
    async with Walk.of(tmp_path, with_daemon()) as walk:
        await walk.forward()
        assert [event.data["op"] for event in walk.said if event.type == "task_done"] == ["update", "reload"]
