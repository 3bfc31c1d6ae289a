"""Records of earlier versions: what was a sentence is a field."""

from __future__ import annotations

import pytest

from hacore.store.legacy import gone_of, health_of, moves_of


@pytest.mark.parametrize(
    ("reason", "moves", "gone"),
    [
        ("it lives somewhere else now", True, False),
        ("is gone", False, True),
        ("is there again", False, False),
        ("was gone", False, False),
        ("", False, False),
    ],
)
def test_a_reason_as_it_was_saved(reason: str, moves: bool, gone: bool) -> None:
    assert (moves_of(reason), gone_of(reason)) == (moves, gone)


def test_health_from_notes() -> None:
    checks = {"http://a/": "ok", "http://b/": "not asked", "http://c/": "status 502, not 200"}
    notes = {"vip.front": {"held_by": ["lb1"], "address": "192.0.2.200", "checks": checks}, "other.x": {"size": 3}}
    assert health_of(notes) == {
        "vip.front": {
            "address": "192.0.2.200",
            "holders": ["lb1"],
            "verdicts": [
                ["http://a/", True, "ok"],
                ["http://b/", None, "not asked"],
                ["http://c/", False, "status 502, not 200"],
            ],
        }
    }
