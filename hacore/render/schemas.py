"""JSON Schemas (draft 2020-12) of what `--json` prints, for whoever reads it with a program.

A new property makes a new minor version, and readers let properties pass that they do not know; what
is there changes its meaning only with a new major version. `format_version` is in every plan, and in
the first line of a stream of events.
"""

from __future__ import annotations

from typing import Any, get_args

from ..events import EVENTS_VERSION, EventType
from ..model import Action, Op
from ..plan.public_json import FORMAT_VERSION

Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_ANY: Schema = {}
_WORDS = tuple(action.word for action in Action)


def _object(required: Schema, optional: Schema | None = None, about: str = "") -> Schema:
    found: Schema = {"description": about} if about else {}
    return found | {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def _list(items: Schema, about: str = "") -> Schema:
    return ({"description": about} if about else {}) | {"type": "array", "items": items}


def _or_null(schema: Schema, about: str = "") -> Schema:
    return ({"description": about} if about else {}) | {"anyOf": [schema, {"type": "null"}]}


def _map(values: Schema, about: str = "") -> Schema:
    return ({"description": about} if about else {}) | {"type": "object", "additionalProperties": values}


def _said(schema: Schema, about: str) -> Schema:
    return {**schema, "description": about}


_ATTR = _object(
    {"path": _said(_TEXT, "the attribute, into structures: directories[0].mode"), "sensitive": _FLAG},
    {
        "before": _said(_ANY, "not there when the attribute is sensitive"),
        "after": _said(_ANY, "null also for a value that is known after apply"),
        "hunks": _list(_TEXT, "lines of a unified diff, where the attribute stands for a text"),
    },
)

_ATTRS = _or_null({"type": "object"}, 'null: nothing is there; a sensitive value is "(sensitive)"')

_CHANGE = _object(
    {
        "address": _TEXT,
        "kind": _TEXT,
        "name": _TEXT,
        "host": _or_null(_TEXT, "null for a resource that looks at several hosts together"),
        "action": {"enum": list(_WORDS)},
        "reason": _TEXT,
        "before": _ATTRS,
        "after": _ATTRS,
        "after_unknown": _list(_TEXT, "attributes whose values are known after apply"),
        "attrs": _list(_ATTR, "what differs"),
        "irreversible": _said(_TEXT, "why it could not be undone; empty: it can"),
        "effect": _said(_TEXT, "what else it brings about: reload nginx"),
    }
)

_DRIFT = _object({"address": _TEXT, "host": _or_null(_TEXT), "reason": _TEXT, "attrs": _list(_ATTR)})

_TASK = _object(
    {
        "id": _TEXT,
        "op": {"enum": sorted({op.value for op in Op if op is not Op.TRIGGER} | {"reload", "restart"})},
        "addresses": _list(_TEXT),
        "host": _or_null(_TEXT),
        "needs": _list(_TEXT, "ids of the tasks that it waits for"),
        "lane": _said(_COUNT, "what fails together goes back together"),
    }
)

_STRANGER = _object(
    {
        "host": _TEXT,
        "stack": _TEXT,
        "env": _TEXT,
        "lineage": _TEXT,
        "serial": _COUNT,
        "who": _TEXT,
        "when": _ANY,
        "why": _TEXT,
    },
    about="a host that another state of the stack manages",
)


def _plan() -> Schema:
    return _object(
        {
            "format_version": {"const": FORMAT_VERSION},
            "stack": _TEXT,
            "command": {"enum": ["apply", "destroy"]},
            "lineage": _said(_TEXT, "of the state; empty: there is none yet"),
            "serial": _COUNT,
            "applyable": _said(_FLAG, "whether there is something to do, and all is known that it takes"),
            "complete": _said(_FLAG, "whether all hosts answered"),
            "refreshed": _said(_FLAG, "false: compared with what is recorded, no host was asked"),
            "changes": _list(_CHANGE),
            "drift": _list(_DRIFT, "recorded against found"),
            "strangers": _list(_STRANGER),
            "new_machines": _list(_object({"host": _TEXT, "recorded": _TEXT, "found": _TEXT})),
            "unreachable": _list(_object({"host": _TEXT, "reason": _TEXT})),
            "tasks": _list(_TASK, "the execution graph"),
            "notes": _map(_ANY, "what resources without a host tell of themselves: who holds an address"),
            "outputs": _map(_ANY),
            "warnings": _list(_TEXT),
            "summary": _object(dict.fromkeys(_WORDS, _COUNT)),
        },
        {
            "targets": _list(_TEXT, "the plan is partial: only these and what they need"),
            "excludes": _list(_TEXT, "the plan is partial: without these and what rests on them"),
            "widened": _list(
                _object({"address": _TEXT, "reason": _TEXT}), "what came along, or stayed back, with another one"
            ),
            "left_out": _said(_COUNT, "changes on the hosts that were asked, which were not asked for"),
        },
    )


def plan_schema() -> Schema:
    """Of `plan --json`, `show --json PLAN`, and the plan in a stream of events."""
    title = {"$schema": _DRAFT, "$id": f"urn:hacore:plan:{FORMAT_VERSION}", "title": "a plan of hacore"}
    return title | _plan()


def events_schema() -> Schema:
    """Of each line of `apply --json` and `destroy --json`."""
    return {
        "$schema": _DRAFT,
        "$id": f"urn:hacore:events:{EVENTS_VERSION}",
        "title": "a line of a run of hacore",
        "description": "first a version, then events, the plan among them, and in the end a summary or an error",
        "type": "object",
        "required": ["type"],
        "oneOf": [_version(), _event(), _with_type("plan", _plan()), _summary(), _error()],
    }


def _with_type(name: str, schema: Schema) -> Schema:
    return {
        **schema,
        "required": ["type", *schema["required"]],
        "properties": {"type": {"const": name}, **schema["properties"]},
    }


def _version() -> Schema:
    return _with_type("version", _object({"format_version": {"const": EVENTS_VERSION}, "hacore": _TEXT}))


def _event() -> Schema:
    data = {
        "run": _COUNT,
        "tasks": _said(_COUNT, "how many tasks the run has"),
        "status": _said(_TEXT, "how the run ended: done, failed, rolled_back, interrupted"),
        "op": _said(_TEXT, "create, update, reload, drain, ..."),
        "seconds": _NUMBER,
        "rollback": _FLAG,
    }
    return _object(
        {"type": {"enum": list(get_args(EventType))}, "at": _said(_NUMBER, "Unix time in seconds")},
        {
            "message": _TEXT,
            "host": _TEXT,
            "task": _said(_TEXT, "the task's id in the plan"),
            "addresses": _list(_TEXT),
            "data": _object({}, data),
        },
        "something that happened; what is empty is left out",
    )


def _summary() -> Schema:
    task = _object(
        {
            "id": _TEXT,
            "op": _TEXT,
            "addresses": _list(_TEXT),
            "host": _or_null(_TEXT),
            "status": {"enum": ["do", "doing", "done", "undo", "undoing", "undone", "hold", "error"]},
            "error": _TEXT,
            "seconds": _or_null(_NUMBER, "null: it never began"),
        }
    )
    return _with_type(
        "summary",
        _object(
            {
                "command": {"enum": ["apply", "destroy"]},
                "run": _or_null(_COUNT, "null: there was nothing to do"),
                "status": {"enum": ["nothing", "done", "failed", "rolled_back", "interrupted"]},
                "ok": _said(_FLAG, "whether everything is as the stack wants it"),
                "seconds": _NUMBER,
                "counts": _object({}, dict.fromkeys(("failed", "undone", "done", "not_started"), _COUNT)),
                "tasks": _list(task),
                "leftover": _or_null(_plan(), "a plan of what is still not as wanted"),
                "outputs": _map(_ANY),
            }
        ),
    )


def _error() -> Schema:
    problem = _object({"file": _TEXT, "line": _COUNT, "column": _COUNT, "address": _TEXT, "message": _TEXT})
    return _with_type(
        "error",
        _object(
            {"error": _said(_TEXT, "the class of the error: StalePlanError, StackError, ..."), "message": _TEXT},
            {
                "addresses": _list(_TEXT, "what a saved plan is refused for: addresses, or names of hosts"),
                "problems": _list(problem, "the mistakes of a stack"),
            },
        ),
    )


__all__ = ["events_schema", "plan_schema"]
