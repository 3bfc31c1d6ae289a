"""The docstrings of the types of a plan's JSON are its descriptions in `hacore schema plan`."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import TypeAdapter

from hacore.plan import public_types


def documented(module: ModuleType) -> dict[str, dict[str, Any]]:
    """The docstrings of the fields of each class of a module."""
    return {
        node.name: {
            before.target.id: after.value.value
            for before, after in zip(node.body, node.body[1:], strict=False)
            if isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        }
        for node in ast.parse(Path(str(module.__file__)).read_text()).body
        if isinstance(node, ast.ClassDef)
    }


def described(module: ModuleType, name: str) -> dict[str, Any]:
    """The descriptions of the same fields in the JSON Schema of a class."""
    schema = TypeAdapter(getattr(module, name)).json_schema()
    properties = (schema["$defs"][name] if "$ref" in schema else schema)["properties"]
    return {field: properties[field].get("description") for field in documented(module)[name]}


@pytest.mark.parametrize("name", documented(public_types))
def test_a_documented_field_is_described(name: str) -> None:
    assert described(public_types, name) == documented(public_types)[name]


def test_there_are_documented_fields() -> None:
    assert sum(map(len, documented(public_types).values())) > 20
