"""Variables: where their values come from, and what they may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hacore.errors import UsageError


def outputs(bench: Any, declared: str, **options: Any) -> Any:
    stack = bench.load(f"variables:\n  x: {declared}\noutputs: {{x: '{{{{ var.x }}}}'}}\n", **options)
    return stack.outputs["x"]


def test_the_first_source_wins(bench: Any) -> None:
    low = bench.write("low.yaml", "x: low file")
    high = bench.write("high.yaml", "x: high file")
    bench.write("env/test.yaml", "variables: {x: environment}")
    options: dict[str, Any] = {
        "variables": {"x": "command line"},
        "var_files": [low, high],
        "environ": {"HACORE_VAR_x": "process"},
        "env_name": "test",
    }
    seen = [outputs(bench, "{default: default}", **options)]
    for source, nothing in (("variables", {}), ("var_files", []), ("environ", {}), ("env_name", None)):
        options[source] = nothing
        seen.append(outputs(bench, "{default: default}", **options))

    assert seen == ["command line", "high file", "process", "environment", "default"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "5", "5"),
        ("string", "{{ var.y }}", "{{ var.y }}"),
        ("string", "[1]", "[1]"),
        ("int", "5", 5),
        ("int", "-5", -5),
        ("number", "5", 5),
        ("number", "1.5", 1.5),
        ("bool", "true", True),
        ("bool", "False", False),
        ("list", '[1, "a"]', [1, "a"]),
        ("map", '{"a": {"b": null}}', {"a": {"b": None}}),
    ],
)
def test_texts_are_read_by_the_type(bench: Any, kind: str, text: str, value: Any) -> None:
    for options in ({"variables": {"x": text}}, {"environ": {"HACORE_VAR_x": text}}):
        found = outputs(bench, f"{{type: {kind}}}", **options)
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("int", "5.0", "an integer, not the string '5.0'"),
        ("int", "five", "an integer"),
        ("int", " 5", "an integer"),
        ("number", "x", "a number"),
        ("bool", "1", "true or false"),
        ("list", "a,b", "a list in JSON"),
        ("list", '{"a": 1}', "a list in JSON"),
        ("map", "[1]", "a mapping in JSON"),
    ],
)
def test_a_text_of_another_type_is_a_problem(bench: Any, kind: str, text: str, wanted: str) -> None:
    problem = bench.problem(f"variables: {{x: {{type: {kind}}}}}", variables={"x": text})

    assert problem.address == "var.x"
    assert problem.message.startswith(f"--var x must be {wanted}")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{type: string, default: 5}", 'must be a string, not the integer 5: write it in quotes: "5"'),
        ("{type: string, default: 0644}", 'must be a string, not the integer 644: write it in quotes: "0644"'),
        ('{type: int, default: "5"}', "must be an integer, not the string '5'"),
        ("{type: int, default: true}", "must be an integer, not true"),
        ("{type: strin, default: a}", "type must be one of 'string', 'int', 'number', 'bool', 'list' or 'map', not"),
        ("{typ: int, default: 1}", "unknown key 'typ': did you mean 'type'?"),
        ("{default: a, enum: [b, c]}", "must be one of 'b', 'c', not the string 'a'"),
        ("{default: ab, pattern: 'a'}", "must match a, not be the string 'ab'"),
        ("{default: ab, pattern: '('}", "pattern is not a regular expression: "),
        ('{default: "{{ var.y }}"}', "a default cannot contain expressions"),
        ("{type: string}", "no value: use --var x=…, HACORE_VAR_x, a --var-file or a default"),
        ("5", "must be a mapping, not the integer 5"),
    ],
)
def test_a_bad_declaration_is_one_problem(bench: Any, declared: str, message: str) -> None:
    problem = bench.problem(f"variables: {{x: {declared}}}\noutputs: {{a: 'a {{{{ var.x }}}}'}}")

    assert problem.message.startswith(message)
    assert problem.line == 6


def test_types_follow_the_default(bench: Any) -> None:
    assert outputs(bench, "{default: 5}", variables={"x": "6"}) == 6
    assert outputs(bench, "{default: [a]}", variables={"x": '["b"]'}) == ["b"]
    assert outputs(bench, "", variables={"x": "6"}) == "6"
    assert outputs(bench, "{default: null}") is None


def test_unknown_names_are_problems_with_a_hint_except_in_the_process_environment(bench: Any, place: Any) -> None:
    file = bench.write("vars.yaml", "upstream: 1\n")
    found = bench.problems(
        "variables: {upstreams: {default: 1}}",
        variables={"upsteams": "1"},
        var_files=[file],
        environ={"HACORE_VAR_other": "1"},
    )

    assert sorted(p.message for p in found) == [
        "--var upsteams: no such variable: did you mean 'upstreams'?",
        "no such variable 'upstream': did you mean 'upstreams'?",
    ]
    assert {(p.line, p.column) for p in found if p.file.endswith("vars.yaml")} == {(1, 1)}


def test_a_sensitive_value_is_in_no_message(bench: Any) -> None:
    declared = "{type: %s, sensitive: true, %s}"
    for kind, more, value in (
        ("int", "description: a", "hunter2"),
        ("string", "enum: [abc, hunter3]", "hunter2"),
        ("string", "pattern: '[0-9]+'", "hunter2"),
        ("list", "default: []", "hunter2"),
        ("string", "default: 4711", None),
    ):
        variables = {"x": value} if value else {}
        problem = bench.problem(f"variables: {{x: {declared % (kind, more)}}}", variables=variables)
        assert not any(secret in str(problem) for secret in ("hunter2", "hunter3", "4711"))


def test_an_environment_overrides_hosts_entry_by_entry(bench: Any) -> None:
    bench.write(
        "env/staging.yaml",
        """\
        hosts:
          lb1: {address: 198.51.100.1, vars: {prio: 7}, connection: {port: 2222}}
          new: {address: 198.51.100.9, groups: [lb]}
        """,
    )
    stack = bench.load("connection: {user: root}", env_name="staging")

    lb1 = stack.hosts["lb1"]
    assert (lb1.address, lb1.vars, lb1.groups) == ("198.51.100.1", {"prio": 7, "nic": "eth1"}, ("lb",))
    assert (lb1.connection.user, lb1.connection.port) == ("root", 2222)
    assert stack.hosts["lb2"].address == "192.0.2.2"
    assert stack.groups["lb"] == ("lb1", "lb2", "new")


def test_mistakes_in_an_environment_are_told_in_its_file(bench: Any) -> None:
    bench.write("env/staging.yaml", "hosts:\n  lb1: {adress: 198.51.100.1}\nvariable: {}\n")
    found = bench.problems("", env_name="staging")

    assert [(p.line, p.column, p.message) for p in found] == [
        (2, 9, "unknown key 'adress': did you mean 'address'?"),
        (3, 1, "unknown key 'variable': did you mean 'variables'?"),
    ]
    assert all(p.file.endswith("staging.yaml") for p in found)


def test_an_unknown_environment_names_those_there_are(bench: Any) -> None:
    bench.write("env/staging.yaml", "{}")
    for name in ("stagin", "../stack"):
        with pytest.raises(UsageError, match="known are staging"):
            bench.load("", env_name=name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(st.text())
def test_a_string_reaches_a_spec_unchanged(bench: Any, text: str) -> None:
    body = """
    variables: {x: {type: string}, y: {type: map}}
    resources:
      doc:
        a: {path: /a, content: "{{ var.x }}"}
        b: {path: /b, content: "{{ var.y['x'] }}"}
        c: {path: /c, content: "<{{ var.x }}>"}
    """
    specs = bench.specs(body, variables={"x": text, "y": json.dumps({"x": text})})

    assert [specs[f"doc.{name}@lb1"].content for name in "abc"] == [text, text, f"<{text}>"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_data_reaches_a_spec_with_its_types(bench: Any, data: Any) -> None:
    body = """
    variables: {x: {type: list}}
    resources: {doc: {a: {hosts: lb1, path: /a, vars: {found: "{{ var.x[0] }}"}}}}
    """
    spec = bench.specs(body, variables={"x": json.dumps([data])})["doc.a@lb1"]

    assert json.dumps(spec.vars["found"]) == json.dumps(data)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("string", "a\udcff", "the value cannot be encoded in UTF-8: character 2 is the lone surrogate U+DCFF"),
        ("list", '["\\ud800"]', "the value cannot be encoded in UTF-8: character 1 is the lone surrogate U+D800"),
        ("map", '{"a": {"\\ud800": 1}}', "the value cannot be encoded in UTF-8"),
        ("list", "[" + "1" * 1001 + "]", "the value is too large: an integer has at most 1000 digits"),
        ("int", "1" * 1001, "the value is too large: an integer has at most 1000 digits"),
    ],
)
def test_texts_that_nothing_can_print_are_a_mistake(bench: Any, kind: str, text: str, message: str) -> None:
    for options in ({"variables": {"x": text}}, {"environ": {"HACORE_VAR_x": text}}):
        problem = bench.problem(f"variables: {{x: {{type: {kind}}}}}\n", **options)
        assert message in problem.message
        assert problem.line == 6


def test_an_environment_variable_that_is_not_utf_8_is_a_mistake(bench: Any) -> None:
    body = "resources: {doc: {d: {hosts: lb1, path: /p, content: \"{{ env('A') }}\"}}}\n"
    problem = bench.problem(body, environ={"A": "a\udcff"})

    assert "the string cannot be encoded in UTF-8: character 2" in problem.message
