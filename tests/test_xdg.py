"""Folders by the XDG base directory specification."""

from __future__ import annotations

from pathlib import Path

import pytest

from hacore.xdg import cache_folder, state_folder


@pytest.mark.parametrize(
    ("environ", "state", "cache"),
    [
        ({"HOME": "/h"}, "/h/.local/state/hacore", "/h/.cache/hacore"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c"}, "/s/hacore", "/c/hacore"),
        ({"HOME": "/h", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""}, "/h/.local/state/hacore", "/h/.cache/hacore"),
        ({"HOME": "/h", "XDG_STATE_HOME": "s", "XDG_CACHE_HOME": "./c"}, "/h/.local/state/hacore", "/h/.cache/hacore"),
    ],
)
def test_a_variable_wins_if_it_is_absolute(environ: dict[str, str], state: str, cache: str) -> None:
    assert str(state_folder(environ)) == state
    assert str(cache_folder(environ)) == cache


def test_without_a_home_the_users_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/of/the/process")
    assert state_folder({}) == Path("/of/the/process/.local/state/hacore")
