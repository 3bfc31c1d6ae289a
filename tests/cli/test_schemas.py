"""The JSON Schemas say what `--json` prints: no property too few, and none that they do not name."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest

from tests.cli.conftest import HEAD, Console

WEB = """
thing:
  conf: {key: /etc/web.conf, text: "v1\\n"}
  key: {key: /etc/web.key, text: "{{ var.password }}"}
  copy: {hosts: a, key: /copy, copy_of: /etc/later, uses: ['path:/etc/later']}
  later: {hosts: a, key: /etc/later, text: v1, irreversible: "it is sent"}
  old: {hosts: b, key: /old, text: v1}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
gate: {g: {vip: v}}
shared: {s: {vip: v, instance: gate.g}}
"""
OUTPUTS = HEAD + 'outputs: {url: "http://192.0.2.1/", word: "{{ var.password }}"}\n'


def strict(schema: Any) -> Any:
    """The schema without room for properties that it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if "properties" in found and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


@pytest.fixture
def web(console: Console) -> Console:
    console.world.vips["v"] = ["a", "b"]
    console.stack(WEB, OUTPUTS)
    return console


def check(console: Console, what: str, values: list[Any]) -> None:
    schema = console("schema", what).json
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(strict(schema))
    for value in values:
        problems = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in deepest(validator, value)]
        assert not problems, "\n".join(problems)


def deepest(validator: Any, value: Any) -> list[Any]:
    """The errors, those of the branch that the value meant where there are several."""
    found = []
    for error in validator.iter_errors(value):
        best = jsonschema.exceptions.best_match([error])
        found.append(best or error)
    return found


def test_the_plan(web: Console) -> None:
    found = [web("plan", "--json").json, web("plan", "--no-refresh", "--json").json]
    assert web("apply", "--auto-approve").code == 0
    found += [web("plan", "--json").json, web("plan", "--destroy", "--json").json]
    web.world["a"].data["/etc/web.conf"]["text"] = "by hand\n"
    del web.world["b"].data["/etc/web.key"]
    web.world["a"].data["gate:v"] = {"weight": 1}
    web.stack(
        WEB.replace('"v1\\n"', '"v2\\n"')
        .replace("{vip: v}}\n", "{vip: v, weight: 7}}\n", 1)
        .replace("  old:", "  new:")
    )
    found += [web("plan", "--json").json]
    found += [web("plan", "--json", "--target", "gate.g@a").json, web("plan", "--json", "--exclude", "thing.key").json]
    assert web("plan", "--out", "web.plan").code == 0
    found += [web("show", "web.plan", "--json").json]
    web.world["b"].reachable = False
    found += [web("plan", "--json").json]
    check(web, "plan", found)
    assert {c["action"] for p in found for c in p["changes"]} >= {"create", "update", "delete", "forget"}
    for key in ("drift", "unreachable", "widened", "targets", "excludes", "notes", "outputs", "tasks"):
        assert any(p.get(key) for p in found), key
    for key in ("hunks", "before"):
        assert any(key in a for p in found for c in p["changes"] for a in c["attrs"]), key
    assert any(c["after_unknown"] for p in found for c in p["changes"])


def test_the_events_of_runs(web: Console) -> None:
    streams = [web("apply", "--auto-approve", "--json")]
    web.stack(WEB.replace("v1", "v2"), OUTPUTS)
    web.world["b"].fail("write /etc/web.conf", "disk full")
    streams += [web("apply", "--auto-approve", "--json")]
    streams += [web("apply", "--auto-approve", "--json"), web("apply", "--auto-approve", "--json")]
    web("plan", "--out", "web.plan", "--destroy")
    web.world["a"].data["/etc/web.conf"]["text"] = "by hand\n"
    streams += [web("apply", "web.plan", "--json"), web("destroy", "--auto-approve", "--json")]
    web.stack("thing: {x: {nonsense: 1}}")
    streams += [web("apply", "--auto-approve", "--json")]
    for stream in streams:
        assert (stream.lines[0]["type"], stream.lines[-1]["type"] in ("summary", "error")) == ("version", True)
        check(web, "events", stream.lines)
    lines = [line for stream in streams for line in stream.lines]
    types = {line["type"] for line in lines}
    assert types >= {"plan", "run_started", "task_started", "task_done", "task_failed", "task_undone", "run_finished"}
    assert {line["status"] for line in lines if line["type"] == "summary"} == {"done", "failed", "nothing"}
    assert {line["error"] for line in lines if line["type"] == "error"} == {"StackError", "StalePlanError"}


def test_a_schema_refuses_what_is_none(web: Console) -> None:
    plan = web("plan", "--json").json
    validator = jsonschema.Draft202012Validator(web("schema", "plan").json)
    assert validator.is_valid(plan)
    assert validator.is_valid({**plan, "more": "of a later minor version"})
    for key in plan:
        broken = copy.deepcopy(plan)
        del broken[key]
        assert not validator.is_valid(broken), key
    assert not validator.is_valid({**plan, "format_version": "2.0"})
    events = jsonschema.Draft202012Validator(web("schema", "events").json)
    assert not events.is_valid({"type": "nonsense", "at": 1.0})
    assert not events.is_valid({"type": "task_done"})


def test_what_a_schema_can_be_of(web: Console) -> None:
    assert "resources" in web("schema", "stack").json["properties"]
    assert web("schema").json == web("schema", "stack").json
    assert web("schema", "nonsense").code == 64
    for what in ("plan", "events"):
        assert web("schema", what).json["$id"] == f"urn:hacore:{what}:1.0"
