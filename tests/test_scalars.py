"""What a stack may hold: strings that UTF-8 can encode, integers that can be printed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.scalars import DIGITS, data_fault, scalar_fault


@given(st.text())
def test_every_unicode_text_is_allowed(text: str) -> None:
    assert scalar_fault(text) == ""


@given(st.text(), st.integers(0xD800, 0xDFFF), st.text())
def test_no_lone_surrogate_is(before: str, code: int, after: str) -> None:
    fault = scalar_fault(before + chr(code) + after)
    assert f"character {len(before) + 1} is the lone surrogate U+{code:04X}" in fault


@pytest.mark.parametrize("value", [0, True, None, 1.5, 10 ** (DIGITS - 1), -(10 ** (DIGITS - 1)), [], b"\xff"])
def test_what_can_be_printed_is_allowed(value: Any) -> None:
    assert scalar_fault(value) == ""


@pytest.mark.parametrize("value", [10**DIGITS, -(10**DIGITS), 1 << 100_000], ids=["long", "negative", "unprintable"])
def test_integers_without_end_are_not(value: int) -> None:
    assert f"at most {DIGITS} digits" in scalar_fault(value)


def test_data_is_checked_to_its_leaves_and_keys() -> None:
    assert data_fault({"a": [1, {"b": "é"}], "c": None}) == ""
    assert data_fault({"a": [1, {"b": ("\ud800",)}]})
    assert data_fault({"a": {"\ud800": 1}})
    assert data_fault([10**DIGITS])
