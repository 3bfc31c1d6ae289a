"""Records survive the way through columns and JSON, whatever is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hacore.address import Address
from hacore.errors import StoreError
from hacore.model import Lifecycle, Row, Unknown
from hacore.store import TaskRecord, row_from_json, row_to_json
from hacore.store.columns import dump, row_columns, row_from_columns, task_columns, task_from_columns, text

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(st.characters()), anything, max_size=4)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
addresses = st.builds(
    Address,
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
    names,
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.none() | names,
)
texts = st.lists(st.text(max_size=8), max_size=3).map(tuple)
rows = st.builds(
    Row,
    address=addresses,
    spec=objects,
    schema_version=st.integers(1, 99),
    attrs=objects,
    info=objects,
    sensitive=texts,
    needs=texts,
    claims=texts,
    hosts=texts,
    lifecycle=st.builds(Lifecycle, prevent_destroy=st.booleans(), ignore_changes=texts),
    loaded=st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=5), max_size=3),
    origin=st.none() | st.integers(1, 2**31 - 1),
    found=st.sampled_from(["absent", "same", "different"]),
    tainted=st.booleans(),
    run=st.integers(0, 2**31 - 1),
)


@unhurried
@given(rows)
def test_a_row_comes_back_from_json_text(row: Row) -> None:
    assert row == row_from_json(json.loads(json.dumps(row_to_json(row))))


@unhurried
@given(rows)
def test_a_row_comes_back_from_columns_that_any_database_takes(row: Row) -> None:
    columns = row_columns(row)

    for name, value in columns.items():
        if isinstance(value, str) and name != "address":
            assert value.isascii()
            assert "\0" not in value
    assert row == row_from_columns(columns)


@unhurried
@given(st.dictionaries(st.text(max_size=5), st.none() | objects, max_size=2), objects)
def test_a_task_comes_back_from_columns(before: dict[str, Any], payload: dict[str, Any]) -> None:
    task = TaskRecord(
        3, "t", "change", "file", None, ("a", "b"), "doing", ("s",), 2, payload, {"a": 7}, before, "oh", 1.5, None, 4
    )

    assert task == task_from_columns(task_columns(task), {"a": 7})


@pytest.mark.parametrize("value", [Unknown("later"), {"a": {1, 2}}, float("nan"), b"bytes"])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        dump(value)


@unhurried
@given(st.text(st.characters()))
def test_free_text_is_made_to_fit_any_database(value: str) -> None:
    fit = text(value)

    assert "\0" not in fit
    assert fit.encode().decode() == fit
    if "\0" not in value and value.isascii():
        assert fit == value


def test_a_damaged_row_is_a_store_error_that_names_it() -> None:
    columns = row_columns(Row(Address.parse("file.x@lb1"), {}, 1, {}))

    with pytest.raises(StoreError, match=r"file\.x@lb1"):
        row_from_columns({**columns, "attrs": "{"})
    with pytest.raises(StoreError, match="recorded resource"):
        row_from_columns({**columns, "lifecycle": '{"on_delete": "explode"}'})
