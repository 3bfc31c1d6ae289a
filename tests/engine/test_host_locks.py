"""The lock of a host that somebody holds: kept for a holder that may be running, taken over from one that is not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from hacore.errors import LockedError
from hacore.store import holder
from tests.engine.play import Play

ONE, TWO = "thing: {x: {hosts: a, text: v1}}", "thing: {x: {hosts: a, text: v2}}"
NOBODY = 2**22 + 1  # above the highest pid


def held(**change: Any) -> str:
    """The lock of this process, which runs, as another state's run keeps it on a host."""
    mine = asdict(holder.this_process("bob@ci", "apply"))
    info = {**{k: v for k, v in mine.items() if k != "token"}, "stack": "other", "lineage": "theirs", **change}
    return f"their-token\n{json.dumps({k: v for k, v in info.items() if v is not None})}"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"pid": NOBODY, "hostname": "elsewhere"},
        {"pid": NOBODY, "machine_id": "another"},
        {"pid": NOBODY, "boot_id": ""},
        {"pid": NOBODY, "pid_space": "pid:[1]"},
        {"pid": NOBODY, "pid_started": ""},
        {"pid": "many", "lineage": None},
        {"since": "yesterday", "pid": NOBODY},
        {"pid": None, "boot_id": None},
    ],
    ids=str,
)
async def test_a_holder_that_may_be_running_keeps_its_lock(play: Play, change: dict[str, Any]) -> None:
    await play.make(ONE)
    play.stack(TWO)
    lock = play.world["a"].lock = held(**change)
    with pytest.raises(LockedError, match=r"cannot lock a@192\.0\.2\.1: it is held by bob@ci"):
        await play.apply()
    assert play.world["a"].lock == lock
    assert play.text("/things/x") == "v1"


@pytest.mark.parametrize(
    "change",
    [{"pid": NOBODY}, {"pid_started": "1"}, {"boot_id": "of an earlier boot"}, {"pid": NOBODY, "lineage": None}],
    ids=str,
)
async def test_the_lock_of_a_holder_that_has_surely_ended_is_taken_over(play: Play, change: dict[str, Any]) -> None:
    await play.make(ONE)
    play.stack(TWO)
    play.world["a"].lock = held(**change)
    result = await play.apply()
    assert result.ok, play.story(result)
    assert play.world["a"].lock == ""


async def test_a_run_of_the_same_state_has_lost_its_lock_with_that_of_the_state(play: Play) -> None:
    """Who holds the lock of the state has broken that of the other run, which will find another token here."""
    await play.make(ONE)
    lineage = (await play.plan())["lineage"]
    play.stack(TWO)
    play.world["a"].lock = held(lineage=lineage)
    assert (await play.apply()).ok
    assert play.text("/things/x") == "v2"


async def test_the_lock_names_the_run_and_its_process(play: Play) -> None:
    seen: list[str] = []
    play.stack(ONE)
    play.world["a"].on("write *", lambda machine: seen.append(machine.lock))
    await play.apply()
    token, _, text = seen[0].partition("\n")
    info, mine = json.loads(text), holder.this_process("x", "y")
    assert len(token) == 32
    assert (info["who"], info["what"], info["stack"]) == ("tester@test", "apply", "test")
    assert info["lineage"] == (await play.plan())["lineage"]
    for name in ("pid", "pid_started", "pid_space", "boot_id", "machine_id", "hostname", "hardware"):
        assert info[name] == getattr(mine, name)
    assert 0 < info["since"] <= mine.since


async def test_of_two_hosts_none_stays_locked_when_the_second_is_held(play: Play) -> None:
    play.stack("thing: {x: {text: v1}}")
    lock = play.world["b"].lock = held()
    with pytest.raises(LockedError, match="cannot lock b@"):
        await play.apply()
    assert play.world["a"].lock == ""
    assert play.world["b"].lock == lock
