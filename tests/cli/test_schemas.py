"""The JSON Schemas say what `--json` prints: no property too few, and none that they do not name."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from hacore.lab.rehearsal import Act, Rehearsed
from hacore.render.rehearsal import report_json
from hacore.render.schemas import FORMATS
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
    found = [
        web("plan", "--json").json,
        web("plan", "--no-refresh", "--json").json,
        web("plan", "--refresh-only", "--json").json,
    ]
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


def test_the_other_outputs(web: Console) -> None:
    empty = {words: web(*words).json for words in (("runs", "--json"), ("state", "list", "--json"), ("show", "--json"))}
    checks = [("status", web("status", "--json")), ("validate", web("validate", "--json"))]
    assert web("apply", "--auto-approve").code == 0
    web.world["a"].data["/etc/web.conf"]["text"] = "by hand\n"
    del web.world["b"].data["/etc/web.key"]
    checks += [
        ("drift", web("drift", "--json")),
        ("drift", web("drift", "--json", "--since-last")),
        ("drift", web("drift", "--json", "--since-last")),
        ("resources", web("show", "--json")),
        ("resources", web("state", "show", "daemon.web@a", "--json")),
        ("addresses", web("state", "list", "--json")),
        ("states", web("state", "list", "--all", "--json")),
    ]
    assert web("apply", "--auto-approve").code == 0
    web.world["b"].reachable = False
    checks += [("drift", web("drift", "--json")), ("status", web("status", "--json"))]
    web.world["b"].reachable = True
    checks += [
        ("events", web("rollback", "--auto-approve", "--json")),
        ("runs", web("runs", "--json")),
        ("run", web("runs", "1", "--json")),
        ("run", web("runs", "3", "--json")),
        ("history", web("state", "history", "--json")),
        ("diff", web("state", "diff", "0", "--json")),
        ("diff", web("state", "diff", "2", "--json")),
        ("state", web("state", "pull")),
        ("version", web("version", "--json")),
        ("labs", web("lab", "list", "--json")),
    ]
    web.stack(WEB.replace("thing:\n", "thing:\n  note: {hosts: a, key: /note, text: x}\n"), OUTPUTS)
    web.world["a"].data["/note"] = {"text": "other"}
    checks += [("import", web("import", "thing.note", "--auto-approve", "--json"))]
    web.stack("thing: {x: {nonsense: 1}}")
    checks += [("validate", web("validate", "--json"))]
    for name, done in checks:
        found = done.lines if name == "events" else [done.json]
        check(web, name, found)
        assert found[0]["format_version"] == "1.0", name
    check(web, "runs", [empty["runs", "--json"]])
    check(web, "addresses", [empty["state", "list", "--json"]])
    check(web, "resources", [empty["show", "--json"]])
    assert {name for name, _ in checks} >= set(FORMATS) - {
        "plan",
        "rehearsal",
        "drill",
        "maintenance",
        *("fleet-report", "fleet-run", "fleet-runs"),  # tests/fleet
    }  # those of twins in tests/hosts


def test_the_report_of_a_rehearsal(web: Console) -> None:
    passed = Rehearsed("web", ("lb1", "lb2"), (Act("plan", True, 2.0, "2 to create"),))
    failed = Rehearsed("web", ("lb1",), (Act("apply", False, 2.0, "failed", "no space"),))
    check(web, "rehearsal", [json.loads(json.dumps(report_json(report))) for report in (passed, failed)])


def test_each_format_has_a_schema_with_a_version_and_descriptions(web: Console) -> None:
    assert "resources" in web("schema", "stack").json["properties"]
    assert web("schema").json == web("schema", "stack").json
    listed = [line.split()[0] for line in web("schema", "--list").out.splitlines()]
    assert listed == ["stack", "fleet", *FORMATS]
    for name in FORMATS:
        schema = web("schema", name).json
        assert schema["$id"] == f"urn:hacore:{name}:1.0"
        assert schema["description"], name
        assert all(part["description"] for part in schema.get("$defs", {}).values()), name
    wrong = web("schema", "evnts")
    assert (wrong.code, wrong.err) == (64, "error: unknown schema 'evnts': did you mean events?\n")
