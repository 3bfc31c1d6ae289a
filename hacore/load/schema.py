"""JSON Schema of a stack file for editors: the models', with the bodies of the installed kinds."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..contract import Provider
from .models import CommonBody, StackBody

_EXPRESSION = {"type": "string", "pattern": r"\{[{%]"}
_LITERAL = ("stack", "state", "variables")


def stack_schema(providers: Mapping[str, Provider[Any]]) -> dict[str, Any]:
    """The schema (draft 2020-12). Wherever an expression may stand, one is allowed in place of the value."""
    schema = StackBody.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})
    found = {name: _loosened(d) if name != "VariableBody" else d for name, d in definitions.items()}
    properties = schema["properties"]
    for name in properties.keys() - set(_LITERAL):
        properties[name] = _loosened(properties[name])
    common = CommonBody.model_json_schema()
    found.update({name: _loosened(d) for name, d in common.pop("$defs", {}).items()})
    kinds = {}
    for kind, provider in sorted(providers.items()):
        body = provider.spec.model_json_schema(ref_template=f"#/$defs/{kind}.{{model}}")
        found.update({f"{kind}.{name}": _loosened(d) for name, d in body.pop("$defs", {}).items()})
        body["properties"] = {**body.get("properties", {}), **copy.deepcopy(common["properties"])}
        # members given as a mapping may bring what the body leaves out
        body.pop("required", None)
        found[kind] = _loosened(body)
        kinds[kind] = {
            "type": "object",
            "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/{kind}"}, {"type": "null"}]},
            "propertyNames": {"pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"},
        }
    properties["resources"] = {
        "type": "object",
        "description": "kind, name, body",
        "properties": kinds,
        "additionalProperties": False,
    }
    schema["$defs"] = found
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hacore stack", **_titled(schema)}


def _titled(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _loosened(schema: Any) -> Any:
    """A schema in which any value below an object or a list may be an expression."""
    if not isinstance(schema, dict):
        return schema
    found = dict(schema)
    for key in ("properties", "patternProperties"):
        if key in found:
            found[key] = {name: _or_expression(value) for name, value in found[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _or_expression(found[key])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in found:
            found[key] = [_loosened(value) for value in found[key]]
    return found


def _or_expression(schema: Any) -> Any:
    loose = _loosened(schema)
    if not isinstance(loose, dict) or not loose or _takes_any_text(loose):
        return loose
    outer = {key: loose.pop(key) for key in ("default", "description", "title") if key in loose}
    return {**outer, "anyOf": [loose, dict(_EXPRESSION)]}


def _takes_any_text(schema: Mapping[str, Any]) -> bool:
    limits = {"pattern", "enum", "const", "maxLength", "format"}
    return (schema.get("type") == "string" and not limits & schema.keys()) or not schema.keys() - {
        "title",
        "description",
    }
