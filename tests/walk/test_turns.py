"""Whose turn it is in a guarded group."""

from __future__ import annotations

import pytest

from hacore.walk.turns import next_in_group


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
