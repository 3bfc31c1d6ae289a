"""What a restore waits for, by the needs of the tasks that it undoes."""

from __future__ import annotations

import pytest

from hacore.address import Address
from hacore.graph import between, reach
from hacore.journal import RunningTask
from hacore.journal.rollback.order import above, edges
from hacore.journal.rollback.types import Restore
from tests.journal.runs import run, task, trigger

WEB = "daemon.web@a"


def restores(*lives: RunningTask) -> list[Restore]:
    return [Restore(live.id, 1, live, {}, {}) for live in lives]


def place(name: str) -> Address:
    return Address.parse(f"thing.{name}@a")


def test_dependents_are_found_behind_all_triggers_that_share_one() -> None:
    """Two triggers after one change meet in a third one; what depends on either of the two is still found."""
    one = task("t1", "thing.x@a")
    two, three = (trigger(id, WEB, "reload", needs=("t1",)) for id in ("t2", "t3"))
    meet = trigger("t4", WEB, "reload", needs=("t2", "t3"))
    last = [task("t5", "thing.y@a", needs=("t2",)), task("t6", "thing.z@a", needs=("t3",)),
            task("t7", "thing.w@a", needs=("t4",))]  # fmt: skip
    done = run(1, one, two, three, meet, *last)
    assert edges(restores(one, *last), [done], [])["t1"] == {"t5", "t6", "t7"}


def test_what_is_beyond_a_restore_is_left_to_that_restore() -> None:
    lives = [task("t1", "thing.x@a"), task("t2", "thing.y@a", needs=("t1",)), task("t3", "thing.z@a", needs=("t2",))]
    assert edges(restores(*lives), [run(1, *lives)], []) == {"t1": {"t2"}, "t2": {"t3"}, "t3": set()}


DIAMOND = {"top": ("left", "right"), "left": ("low",), "right": ("low", "side"), "low": ("end",), "end": ("low",)}


@pytest.mark.parametrize(
    ("start", "found"),
    [("top", "left right low side end"), ("left", "low end"), ("low", "end low"), ("side", "")],
)
def test_all_that_a_task_waits_for(start: str, found: str) -> None:
    assert above(start, {key: frozenset(needs) for key, needs in DIAMOND.items()}) == set(found.split())
    graph = {place(key): [place(need) for need in needs] for key, needs in DIAMOND.items()}
    assert reach([place(start)], graph) == {place(name) for name in (start, *found.split())}


@pytest.mark.parametrize(
    ("hosts", "inside"),
    [
        ({"top": "a", "mid": "a", "low": "a"}, {"mid"}),
        ({"top": "a", "mid": "b", "low": "a"}, set()),
        ({"top": "a", "mid": "a", "low": "b"}, set()),
        ({"top": None, "mid": None, "low": None}, set()),
    ],
)
def test_what_lies_between_two_restarts_of_one_host(hosts: dict[str, str | None], inside: set[str]) -> None:
    assert between({"top", "low"}, hosts, {"top": {"mid"}, "mid": {"low"}, "low": set()}) == inside
    assert between({"top"}, hosts, {"top": {"mid"}, "mid": {"low"}, "low": set()}) == set()
