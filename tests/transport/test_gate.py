from __future__ import annotations

import asyncio

import pytest

from hacore.transport.gate import Budget, Gate


async def test_a_gate_lets_in_its_limit_and_less_after_narrowing() -> None:
    gate = Gate(4)
    inside, most = 0, 0

    async def visit() -> None:
        nonlocal inside, most
        async with gate.enter():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(20)))
    assert most == 4

    gate.narrow()
    most = 0
    await asyncio.gather(*(visit() for _ in range(20)))
    assert most == 2


def test_a_gate_never_closes() -> None:
    gate = Gate(8)
    limits = []
    for _ in range(6):
        gate.narrow()
        limits.append(gate.limit)

    assert limits == [4, 2, 1, 1, 1, 1]


async def test_a_cancelled_visitor_leaves_no_trace() -> None:
    gate = Gate(1)
    async with gate.enter():
        waiting = asyncio.create_task(gate.enter().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5), gate.enter():
        pass


async def a_moment() -> None:
    """Until the clock shows another time."""
    clock = asyncio.get_running_loop().time
    began = clock()
    while clock() == began:  # noqa: ASYNC110 - nothing tells when a clock moves
        await asyncio.sleep(0)


async def test_a_budget_counts_only_what_is_spent() -> None:
    budget = Budget(60)
    async with budget.spend():
        await a_moment()
    left = budget.left
    await a_moment()

    assert left < 60
    assert budget.left == left


async def test_a_spent_budget_runs_out_at_once() -> None:
    budget = Budget(0.01)
    with pytest.raises(TimeoutError):
        async with budget.spend():
            await asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        async with budget.spend():
            await asyncio.get_running_loop().create_future()
