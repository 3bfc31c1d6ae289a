"""JSON Schema of a stack file for editors: that of the models, with the bodies of the installed kinds.

A YAML language server reports the deepest position where a value matches none of several shapes, so
alternatives are flat: one `anyOf` for each value, with the expression as its last branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..address import NAME
from ..contract import Provider
from .models import COMMON, CommonBody, StackBody

Schema = dict[str, Any]

_EXPRESSION: Schema = {"type": "string", "pattern": r"\{[{%]"}
_NULL: Schema = {"type": "null"}
_NAMES: Schema = {"pattern": NAME.pattern.replace(r"\Z", "$")}
_LITERAL = frozenset(("stack", "state", "variables"))  # without expressions
_LISTS = ("anyOf", "oneOf", "allOf")
_OUTER = ("default", "description")


def stack_schema(providers: Mapping[str, Provider[Any]]) -> Schema:
    """The schema (draft 2020-12). An expression is allowed in place of each value that may have one.

    It accepts only the usual form of a value: pydantic also reads "5" as a number.
    """
    schema = _plain(StackBody.model_json_schema())
    common = _plain(CommonBody.model_json_schema())
    found: Schema = {}
    for name, shape in (schema.pop("$defs", {}) | common.pop("$defs", {})).items():
        found[name] = shape if name == "VariableBody" else _loosened(shape)
    kinds = {}
    for kind, provider in sorted(providers.items()):
        body = _plain(provider.spec.model_json_schema(ref_template=f"#/$defs/{kind}.{{model}}"))
        found |= {f"{kind}.{name}": _loosened(shape) for name, shape in body.pop("$defs", {}).items()}
        found[f"{kind}.member"], found[kind] = _bodies(kind, body, common)
        bodies = (
            {"$ref": f"#/$defs/{kind}"} if body.get("required") else {"anyOf": [{"$ref": f"#/$defs/{kind}"}, _NULL]}
        )
        # a kind without names is allowed, as each section without entries
        kinds[kind] = {
            "type": ["object", "null"],
            "additionalProperties": bodies,
            "propertyNames": _NAMES,
            **({"description": body["description"]} if "description" in body else {}),
        }
    properties = schema["properties"]
    for name in properties.keys() - _LITERAL:
        properties[name] = _loosened(properties[name])
    properties["variables"] = _variables(properties["variables"])
    properties["resources"] = {
        "type": "object",
        "description": "kind, name, body",
        "properties": kinds,
        "additionalProperties": False,
    }
    for name in properties.keys() - set(schema["required"]):
        if "type" in properties[name]:
            properties[name] = {**properties[name], "type": [properties[name]["type"], "null"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hacore stack",
        **schema,
        "$defs": found,
    }


def _bodies(kind: str, body: Schema, common: Schema) -> tuple[Schema, Schema]:
    """The schema of one host in `members`, and that of the body."""
    own = _loosened(body)
    required = own.pop("required", [])
    shared = _loosened(common)["properties"]
    members = {**shared["members"], "anyOf": [*shared["members"]["anyOf"]]}
    for index, branch in enumerate(members["anyOf"]):
        if branch.get("type") == "object":
            by_host = {"anyOf": [{"$ref": f"#/$defs/{kind}.member"}, _NULL]}
            members["anyOf"][index] = {**branch, "additionalProperties": by_host}
    whole = {**own, "properties": {**own.get("properties", {}), **shared, "members": members}}
    if required:
        # a mapping of members can have keys that the body lacks
        by_member = {"properties": {"members": {"type": "object"}}, "required": ["members"]}
        whole |= {"if": by_member, "then": {}, "else": {"required": required}}
    member = {key: value for key, value in own.items() if key != "description"}
    member["properties"] = {name: value for name, value in own.get("properties", {}).items() if name not in COMMON}
    return member, whole


def _variables(section: Schema) -> Schema:
    """A variable can be empty: a string that needs a value."""
    found = dict(section)
    for key in ("additionalProperties", "patternProperties"):
        given = found.get(key)
        if key == "patternProperties" and given:
            found[key] = {pattern: {"anyOf": [body, _NULL]} for pattern, body in given.items()}
        elif isinstance(given, dict):
            found[key] = {"anyOf": [given, _NULL]}
    return found


def _plain(schema: Any) -> Any:
    """Without the titles that pydantic derives from names: editors would show them as documentation."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            found[key] = {name: _plain(entry) for name, entry in value.items()}
        elif key == "default":
            found[key] = value
        elif key != "title":
            found[key] = _plain(value)
    return found


def _loosened(schema: Any) -> Any:
    """A schema in which each value below an object or a list can be an expression."""
    if not isinstance(schema, dict):
        return schema
    found = dict(schema)
    for key in ("properties", "patternProperties"):
        if key in found:
            found[key] = {name: _or_expression(value) for name, value in found[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _or_expression(found[key])
    for key in _LISTS:
        if key in found:
            found[key] = [_loosened(value) for value in found[key]]
    return found


def _or_expression(schema: Any) -> Any:
    loose = _loosened(schema)
    if not isinstance(loose, dict) or not loose or _takes_any_text(loose):
        return loose
    outer = {key: loose.pop(key) for key in _OUTER if key in loose}
    branches = loose["anyOf"] if set(loose) == {"anyOf"} else [loose]
    return {**outer, "anyOf": [*branches, dict(_EXPRESSION)]}


def _takes_any_text(schema: Mapping[str, Any]) -> bool:
    if any(_takes_any_text(branch) for branch in schema.get("anyOf", ())):
        return True
    limits = {"pattern", "enum", "const", "maxLength", "format"}
    return (schema.get("type") == "string" and not limits & schema.keys()) or not schema.keys() - set(_OUTER)
