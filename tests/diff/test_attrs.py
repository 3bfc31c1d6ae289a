"""Equality of attrs, and how a difference is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.diff import AttrChange, compare, hunks, same
from hacore.model import Unknown

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
ATTRS = st.dictionaries(st.sampled_from(["mode", "owner", "text", "list"]), JSON, max_size=4)
MAYBE = st.none() | ATTRS


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        (None, None, True),
        (None, {}, False),
        ({}, None, False),
        ({}, {}, True),
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": None}, {"a": None}, True),
        ({}, {"a": None}, False),
        ({"a": 1}, {"a": Unknown("later")}, False),
    ],
)
def test_only_what_is_desired_counts(before: Any, after: Any, equal: bool) -> None:
    assert same(before, after) is equal


def test_what_is_ignored_does_not_count() -> None:
    assert same({"a": 1}, {"a": 2, "b": 1}, ("a", "b"))
    assert compare({"a": 1}, {"a": 2, "b": 1}, ignore=("a",)) == (AttrChange("b", None, 1),)
    assert compare({}, {"a": 2}, ignore=("a",)) == compare(None, {"a": 2}, ignore=("a",)) == ()


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"mode": "0644"}, {"mode": "0600"}, [("mode", "0644", "0600")]),
        (None, {"mode": "0600"}, [("mode", None, "0600")]),
        ({"mode": "0600"}, None, [("mode", "0600", None)]),
        ({"d": {"a": 1, "b": 2}}, {"d": {"a": 1, "b": 3}}, [("d.b", 2, 3)]),
        ({"l": [{"mode": 1}, {"mode": 2}]}, {"l": [{"mode": 1}, {"mode": 3}]}, [("l[1].mode", 2, 3)]),
        ({"l": ["x"]}, {"l": ["x", "y"]}, [("l[1]", None, "y")]),
        ({"l": ["x", "y"]}, {"l": ["x"]}, [("l[1]", "y", None)]),
        ({"v": [1]}, {"v": {"a": 1}}, [("v", [1], {"a": 1})]),
        ({"v": "1"}, {"v": 1}, [("v", "1", 1)]),
    ],
)
def test_a_difference_is_named_by_its_path(before: Any, after: Any, changes: list[tuple[str, Any, Any]]) -> None:
    assert [(c.path, c.before, c.after) for c in compare(before, after)] == changes


def test_a_secret_says_only_that_it_changed() -> None:
    (change,) = compare(
        {"text": "sha256:1"},
        {"text": "sha256:2"},
        before_texts={"text": "pw1"},
        after_texts={"text": "pw2"},
        sensitive=("text",),
    )
    assert change.sensitive and change.hunks == ()
    assert "pw" not in repr(change) and "sha256" not in repr(change)
    (gone,) = compare({"text": "sha256:1"}, None, sensitive=("text",))
    assert "sha256" not in repr(gone)


def test_a_text_is_shown_by_its_lines() -> None:
    texts = {"before_texts": {"text": "a\nb\n"}, "after_texts": {"text": "a\nc\n"}}
    (change,) = compare({"text": "sha256:1"}, {"text": "sha256:2"}, **texts)
    assert [line for line in change.hunks if line[0] in "+-"] == ["-b", "+c"]


@pytest.mark.parametrize(
    ("before", "after", "known", "lines"),
    [
        ("a\n", "a", False, ["\\ no newline at end of the new file"]),
        ("a", "a\n", False, ["\\ no newline at end of the old file"]),
        (None, "a\n", True, ["+a"]),
        (None, "a\n", False, []),
        ("", "", False, []),
    ],
)
def test_hunks(before: str | None, after: str, known: bool, lines: list[str]) -> None:
    assert [line for line in hunks(before, after, known=known) if not line.startswith("@@")] == lines


def test_an_unknown_value_is_a_change_and_marked() -> None:
    (change,) = compare({"text": "x"}, {"text": Unknown("known after apply")})
    assert change.unknown and change.before == "x"


@given(MAYBE, MAYBE)
def test_a_comparison_is_empty_if_and_only_if_it_is_the_same(before: Any, after: Any) -> None:
    changes = compare(before, after)
    if before is None or after is None:
        assert len(changes) == len(before or after or ())  # an absent side: all of the other's
    else:
        assert (not changes) == same(before, after)


@given(ATTRS)
def test_attrs_equal_themselves(attrs: Any) -> None:
    assert same(attrs, attrs) and not compare(attrs, attrs)


@given(ATTRS, ATTRS)
def test_each_change_lies_under_a_desired_key(before: Any, after: Any) -> None:
    for change in compare(before, after):
        assert any(change.path == key or change.path.startswith((f"{key}.", f"{key}[")) for key in after)


def test_a_text_in_which_the_secret_is_masked_is_compared_and_its_values_are_not_shown() -> None:
    texts = {"before_texts": {"c": "a\npass (hidden)\n"}, "after_texts": {"c": "b\npass (hidden)\n"}}
    (shown,) = compare({"c": "sha256:1"}, {"c": "sha256:2"}, **texts, sensitive={"c"}, masked={"c"})
    assert shown.sensitive and (shown.before, shown.after) == ("(sensitive)", "(sensitive)")
    assert [line for line in shown.hunks if line[0] in "+-"] == ["-a", "+b"]
    (hidden,) = compare({"c": "sha256:1"}, {"c": "sha256:2"}, **texts, sensitive={"c"})
    assert hidden.hunks == ()
    (password,) = compare(
        {"c": "1"},
        {"c": "2"},
        before_texts=texts["after_texts"],
        after_texts=texts["after_texts"],
        sensitive={"c"},
        masked={"c"},
    )
    assert password.hunks == ()
