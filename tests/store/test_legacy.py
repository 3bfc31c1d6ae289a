"""Records of earlier versions: what was a sentence is a field."""

from __future__ import annotations

import pytest

from hacore.store.legacy import gone_of, health_of, moves_of, reported_reason


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


@pytest.mark.parametrize(
    ("gone", "again", "pending", "reason"),
    [
        (False, False, (), ""),
        (True, False, (), "is gone"),
        (False, True, (), "is there again"),
        (True, True, (), "is gone"),
        (False, False, ("file.a", "file.b"), "has not taken in file.a, file.b yet"),
        (True, True, ("file.a",), "has not taken in file.a yet"),
    ],
)
def test_a_drift_has_the_words_by_which_it_was_reported(
    gone: bool, again: bool, pending: tuple[str, ...], reason: str
) -> None:
    assert reported_reason(gone=gone, again=again, pending=pending) == reason


def test_health_of_what_has_no_address_or_was_not_checked() -> None:
    assert health_of({"service.x": {"held_by": []}, "word": "held_by", "list": ["held_by"]}) == {
        "service.x": {"address": "", "holders": [], "verdicts": []}
    }


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
