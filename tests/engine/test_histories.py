"""Histories of random stacks: back to before any run, and forth again, also when it is killed on the way.

`HACORE_HISTORIES=200` asks for more of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hacore.store import StateReader
from tests.engine.conftest import MEMORY, impatient
from tests.engine.dags import Dag, draw, mutate
from tests.engine.killing import Grave, run_killed, set_state, state_of
from tests.engine.play import Play

HISTORIES = int(os.environ.get("HACORE_HISTORIES", "3"))
KILLS = 4  # of one history


@contextmanager
def somewhere() -> Iterator[Play]:
    fast = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=fast) as states, tempfile.TemporaryDirectory(dir=fast) as folder:
        yield Play(Path(folder), Path(states))


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        impatient(patch)
        yield


def seen(play: Play) -> tuple[dict[str, Any], dict[str, Any]]:
    return play.world.snapshot(), play.rows()


def history(play: Play, dice: random.Random, runs: int) -> tuple[list[Any], list[Dag]]:
    """Some applies; the hosts and rows before each run and after the last one, and the stacks."""
    dag = draw(dice)
    if ("gate", "g") in dag.bodies:
        play.world.vips["v"] = ["a", "b"]
    if dice.random() < 0.4:
        play.world["a"].data["/things/t0"] = {"text": "by hand"}
    moments, stacks = [seen(play)], []
    while len(moments) <= runs:
        play.stack(dag.text)
        result = asyncio.run(play.apply(destroy=bool(stacks) and dice.random() < 0.1))
        assert result.ok, play.story(result)
        if result.run is not None:
            moments.append(seen(play))
            stacks.append(dag)
        elif stacks:  # what is only described anew is no run, and stays
            moments[-1], stacks[-1] = seen(play), dag
        dag = mutate(dag, dice, f"v{dice.randint(2, 99)}")
    return moments, stacks


def settled(play: Play, dag: Dag | None) -> None:
    """No daemon runs on something else than what lies there, no host is out of service."""
    for host, unit, keys in dag.daemons if dag is not None else ():
        machine = play.world[host]
        for key in keys if machine.units.get(unit, {}).get("running") else ():
            assert machine.units[unit]["loaded"].get(key) == machine.data.get(key), f"{unit}@{host} has an old {key}"
    assert not any(machine.drained for machine in play.world)
    assert play.world.cuts == []
    reader = StateReader.open(play.url)
    assert reader is not None
    with reader:
        assert reader.unfinished() is None


def same(play: Play, moment: Any, what: str) -> None:
    hosts, rows = seen(play)
    assert hosts == moment[0], what
    assert rows == moment[1], what


@settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
@given(seed=st.integers(0, 1 << 30), runs=st.integers(2, 4), before=st.integers(1, 4))
def test_back_to_before_a_run_and_forth_again(seed: int, runs: int, before: int) -> None:
    before = min(before, runs)
    with somewhere() as play:
        moments, stacks = history(play, random.Random(seed), runs)
        back = asyncio.run(play.rollback(run=before))
        assert back.ok, play.story(back)
        same(play, moments[before - 1], "back")
        settled(play, stacks[before - 2] if before > 1 else None)
        forth = asyncio.run(play.rollback(run=back.run))
        assert forth.ok, play.story(forth)
        same(play, moments[runs], "forth")
        if before == 1:
            play.world.cuts.clear()  # what guards came back itself, and nothing guards that
        settled(play, stacks[runs - 1])
        again = asyncio.run(play.rollback(run=forth.run))
        assert again.ok, play.story(again)
        same(play, moments[before - 1], "back again")


@pytest.mark.parametrize("seed", range(max(1, HISTORIES // 4)))
def test_a_rollback_that_is_killed_is_finished_or_taken_back(seed: int) -> None:
    dice = random.Random(seed)
    grave = Grave()
    try:
        with somewhere() as play:
            moments, stacks = history(play, dice, 3)
            before = dice.randint(1, 3)
            start = state_of(play.world)
            shutil.copy(play.states / "test.db", play.states / "saved.db")

            def reset() -> None:
                set_state(play.world, start)
                shutil.copy(play.states / "saved.db", play.states / "test.db")

            points = run_killed(play.world, grave, lambda: play.rollback(run=before), 0)["points"]
            same(play, moments[before - 1], "not killed at all")
            for _ in range(KILLS):
                reset()
                at, again = dice.randint(1, points), dice.randint(1, points)
                left = run_killed(play.world, grave, lambda: play.rollback(run=before), at)
                number = play.runs()[-1].id
                story = f"seed {seed}: back to before {before}, killed at {at} of {points}"
                if not left["killed"] or play.runs()[-1].status != "running":
                    continue
                if dice.random() < 0.5:
                    story += ", then finished"
                    if dice.random() < 0.5:
                        story += f", killed at {again}"
                        run_killed(play.world, grave, lambda: play.rollback(), again)
                    if play.runs()[-1].status == "running":
                        done = asyncio.run(play.rollback())
                        assert done.ok, f"{story}\n{play.story(done)}"
                    same(play, moments[before - 1], story)
                    settled(play, stacks[before - 2] if before > 1 else None)
                    forth = asyncio.run(play.rollback(run=number))
                    assert forth.ok, f"{story}\n{play.story(forth)}"
                else:
                    story += ", then taken back"
                    if dice.random() < 0.5:
                        story += f", killed at {again}"
                        run_killed(play.world, grave, lambda number=number: play.rollback(run=number), again)
                    if play.runs()[-1].status == "running":
                        done = asyncio.run(play.rollback(run=number))
                        assert done.ok, f"{story}\n{play.story(done)}"
                same(play, moments[3], story)
                if before == 1:
                    play.world.cuts.clear()
                settled(play, stacks[2])
    finally:
        grave.close()
