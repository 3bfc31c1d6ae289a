"""Words, numbers and durations; and errors."""

from __future__ import annotations

import pytest

from hacore.errors import HacoreError, PlanError, Problem, StackError, StalePlanError, StepError
from hacore.render.errors import error_json, error_text, problems_json
from hacore.render.words import clean, count, cut, listed, span, when


@pytest.mark.parametrize(
    ("seconds", "text", "whole"),
    [
        (-1, "0.0s", "-1s"),
        (0, "0.0s", "0s"),
        (9.94, "9.9s", "9s"),
        (9.95, "10s", "9s"),
        (59.4, "59s", "59s"),
        (59.6, "1m00s", "59s"),
        (61, "1m01s", "1m01s"),
        (3599, "59m59s", "59m59s"),
        (3600, "1h00m", "1h00m"),
        (3659, "1h00m", "1h00m"),
        (3660, "1h01m", "1h01m"),
        (7199, "1h59m", "1h59m"),
        (90061, "25h01m", "25h01m"),
    ],
)
def test_durations(seconds: float, text: str, whole: str) -> None:
    assert (span(seconds), span(seconds, whole=True)) == (text, whole)


@pytest.mark.parametrize(
    ("words", "most", "text"),
    [
        ("", 2, ""),
        ("a", 2, "a"),
        ("ab", 2, "a and b"),
        ("abc", 2, "a, b and c"),  # one more is no more
        ("abcd", 2, "a, b and 2 more"),
        ("abcdefg", 6, "a, b, c, d, e, f and g"),
        ("abcdefgh", 6, "a, b, c, d, e, f and 2 more"),
    ],
)
def test_lists(words: str, most: int, text: str) -> None:
    assert listed(words, most) == text
    assert most != 6 or listed(words) == text


def test_lines_are_cut_and_a_single_one_is_never_hidden() -> None:
    assert cut("abc", 2) == ["a", "b", "c"]
    assert cut("abcd", 2) == ["a", "b", "… 2 more lines"]
    assert cut("", 2) == []


def test_counts_and_times() -> None:
    assert [count(n, "host") for n in (0, 1, 2, 1234)] == ["0 hosts", "1 host", "2 hosts", "1,234 hosts"]
    assert when(1_790_000_000) == "2026-09-21 14:13:20 UTC"
    assert clean("a\x1b[2J\x00b\tc\nd\x85") == "a\\x1b[2J\\x00b\tc\nd\\x85"


# -- errors


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PlanError("cannot plan: no"), "error: cannot plan: no"),
        (HacoreError(""), f"error: {HacoreError.code}"),
        (
            StepError("cannot change x: exit code 1", "no space\x1b left\n\n"),
            "error: cannot change x: exit code 1\nno space\\x1b left",
        ),
        (StepError("cannot change x: no space left", "no space left\n"), "error: cannot change x: no space left"),
        (StepError("cannot change x", ""), "error: cannot change x"),
    ],
)
def test_an_error_in_text(error: HacoreError, text: str) -> None:
    assert error_text(error) == text


def test_all_mistakes_of_a_stack() -> None:
    problems = [Problem("s.yaml", n, 3, f"mistake {n}", address) for n, address in ((1, ""), (2, "file.x@a"))]
    error = StackError(problems)
    lines = error_text(error).splitlines()
    assert [line.startswith(f"s.yaml:{n}:3") for n, line in enumerate(lines[:2], 1)] == [True, True]
    assert lines[2:] == ["error: 2 mistakes in the stack"]
    assert error_text(StackError(problems[:1])).splitlines()[-1] == "error: 1 mistake in the stack"
    found = [
        {"file": "s.yaml", "line": n, "column": 3, "address": a, "message": f"mistake {n}"}
        for n, a in ((1, ""), (2, "file.x@a"))
    ]
    assert problems_json(error) == found
    assert error_json(error) == {"type": "error", "error": "StackError", "message": str(error), "problems": found}


def test_errors_in_json() -> None:
    assert error_json(PlanError("no")) == {"type": "error", "error": "PlanError", "message": "no"}
    assert error_json(StalePlanError("no", ["file.x@a"])) == {
        "type": "error",
        "error": "StalePlanError",
        "message": "no",
        "addresses": ["file.x@a"],
    }
