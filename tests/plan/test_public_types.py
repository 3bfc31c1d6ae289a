"""The docstrings of the types of a plan's JSON are its descriptions in `hacore schema plan`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from hacore.plan import public_types

DOCUMENTED = {
    node.name: {
        before.target.id: after.value.value
        for before, after in zip(node.body, node.body[1:], strict=False)
        if isinstance(before, ast.AnnAssign)
        and isinstance(before.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    for node in ast.parse(Path(public_types.__file__).read_text()).body
    if isinstance(node, ast.ClassDef)
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_field_is_described(name: str) -> None:
    schema = TypeAdapter(getattr(public_types, name)).json_schema()
    properties = (schema["$defs"][name] if "$ref" in schema else schema)["properties"]
    found = {field: properties[field].get("description") for field in DOCUMENTED[name]}
    assert found == DOCUMENTED[name]


def test_there_are_documented_fields() -> None:
    assert sum(map(len, DOCUMENTED.values())) > 20
