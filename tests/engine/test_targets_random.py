"""Random stacks done in parts: whatever is selected, no half of anything is left, and the rest can follow.

`HACORE_SELECTIONS=100` asks for more of them, `HACORE_SEED=7` for one.
"""

from __future__ import annotations

import os
import random

import pytest

from hacore.address import Address
from hacore.engine import plan
from hacore.errors import UsageError
from hacore.graph import build_graph
from hacore.plan import Plan, Selection
from hacore.testing import KINDS
from tests.engine.dags import draw, mutate, without_a_source
from tests.engine.play import Play


def seeds() -> list[int]:
    if only := os.environ.get("HACORE_SEED"):
        return [int(only)]
    return list(range(int(os.environ.get("HACORE_SELECTIONS", "4"))))


def selection(dice: random.Random, known: list[Address]) -> Selection:
    """Up to two targets, up to two exclusions, on one host or on all."""

    def some(most: int) -> tuple[Address, ...]:
        found = dice.sample(known, min(len(known), most))
        return tuple(a if dice.random() < 0.6 else a.at(None) for a in found)

    return Selection(some(dice.randint(0, 2)), some(dice.choice((0, 0, 1, 2))))


async def planned(play: Play, chosen: Selection = Selection()) -> Plan:  # noqa: B008 - a value
    play.options = {"selection": chosen}
    return (await plan(play.request)).plan


@pytest.mark.parametrize("seed", seeds())
async def test_a_stack_can_be_done_in_parts(play: Play, seed: int) -> None:
    dice = random.Random(f"parts {seed}")
    one = draw(dice)
    made = dice.random() < 0.8
    if ("gate", "g") in one.bodies:
        play.world.vips["v"] = ["a", "b"]
    if made:
        await play.make(one.text)
    before, rows = play.world.snapshot(), play.rows()
    two = mutate(one, dice, "v2")
    if seed % 3 == 1:
        two = without_a_source(two, random.Random(seed))
    play.stack(two.text)
    all_of_it = await planned(play)
    whole = {c.address: c for c in all_of_it.changes}
    graph = build_graph(play.load(), KINDS)
    # who is reloaded for something that goes has nothing to do where that is no part of it: nobody needs what goes
    for task in all_of_it.tasks:
        if task.trigger and not graph.needs.keys() & set(task.sources):
            whole.pop(task.addresses[0])
    known = sorted({*graph.needs, *(Address.parse(text) for text in rows)})
    runs = 0
    for _ in range(2):
        chosen = selection(dice, known)
        try:
            part = await planned(play, chosen)
        except UsageError:  # nothing is left of the targets, or a first part has deleted what is meant
            continue
        left = {c.address: c for c in part.changes}
        own = {a for a, c in left.items() if c.attrs or c.action.word != "update"}
        assert not any(chosen.excluded(a) for a in left)
        if not runs:
            aimed = {a for a in whole if chosen.targets and chosen.aimed(a)}
            assert chosen.excludes or aimed <= left.keys(), "a target is missing"
            assert left.keys() <= {c.address for c in all_of_it.changes} | {
                t.addresses[0] for t in part.tasks if t.trigger
            }
            for address in own & graph.needs.keys():
                missing = {
                    n for n in graph.needs[address] if n in whole and whole[n].action.word != "adopt"
                } - left.keys()
                assert not missing, f"{address} is changed, and not what it needs: {missing}"
        result = await play.apply()
        assert result.ok, f"{chosen}: {play.story(result)}"
        runs += result.run is not None
    play.options = {}
    rest = await play.apply()
    assert rest.ok, play.story(rest)
    runs += rest.run is not None
    assert await play.actions() == {}
    for host, unit, keys in two.daemons:
        for key in keys:
            assert play.loaded(unit, key, host) == play.text(key, host), f"{unit}@{host} has not taken in {key}"
    assert play.world.cuts == [] or not made  # what is not recorded yet guards nothing
    for _ in range(runs):
        back = await play.rollback()
        assert back.ok, play.story(back)
    now = play.world.snapshot()
    assert {n: m["data"] for n, m in now.items()} == {n: m["data"] for n, m in before.items()}
