"""`vars_from`: outputs of Terraform as values of variables."""

from __future__ import annotations

import json
from typing import Any

import pytest

OUTPUTS = {
    "vip": {"sensitive": False, "type": "string", "value": "192.0.2.200"},
    "port": {"sensitive": False, "type": "number", "value": 8080},
    "names": {"sensitive": False, "type": ["list", "string"], "value": ["a", "b"]},
    "password": {"sensitive": True, "type": "string", "value": "from-terraform-1"},
    "other": {"sensitive": False, "type": "string", "value": "of nobody"},
}
DECLARED = """
vars_from: {terraform: outputs.json}
variables:
  vip: {type: string}
  port: {type: int, default: 1}
  names: {type: list}
  password: {type: string}
outputs: {vip: "{{ var.vip }}", port: "{{ var.port }}", names: "{{ var.names }}", password: "{{ var.password }}"}
"""


def test_each_output_is_a_value_for_the_variable_of_its_name(bench: Any) -> None:
    bench.write("outputs.json", json.dumps(OUTPUTS))
    stack = bench.load(DECLARED)
    assert stack.outputs == {"vip": "192.0.2.200", "port": 8080, "names": ["a", "b"], "password": "from-terraform-1"}


def test_a_sensitive_output_makes_its_variable_sensitive(bench: Any) -> None:
    bench.write("outputs.json", json.dumps(OUTPUTS))
    stack = bench.load(DECLARED)
    assert stack.sensitive_variables == {"password"}
    assert stack.sensitive_outputs == {"password"}
    assert "from-terraform-1" in stack.secrets
    given = bench.load(DECLARED, variables={"password": "by hand, in clear"})
    assert given.sensitive_variables == frozenset()


def test_everything_but_a_default_has_precedence(bench: Any) -> None:
    bench.write("outputs.json", json.dumps(OUTPUTS))
    bench.write("env/test.yaml", "variables: {vip: environment}")
    assert bench.load(DECLARED, env_name="test").outputs["vip"] == "environment"
    for options in ({"variables": {"vip": "other"}}, {"environ": {"HACORE_VAR_vip": "other"}}):
        assert bench.load(DECLARED, **options).outputs["vip"] == "other"


def test_an_environment_has_outputs_of_its_own(bench: Any) -> None:
    bench.write("outputs.json", json.dumps(OUTPUTS))
    bench.write("test.json", json.dumps({**OUTPUTS, "vip": {"sensitive": False, "value": "192.0.2.99"}}))
    bench.write("env/test.yaml", "vars_from: {terraform: test.json}")
    assert bench.load(DECLARED, env_name="test").outputs["vip"] == "192.0.2.99"


def test_an_output_of_another_type_is_a_mistake_in_its_file_and_a_secret_is_not_quoted(bench: Any) -> None:
    bench.write("outputs.json", json.dumps({**OUTPUTS, "port": {"sensitive": True, "value": "not-a-port-4711"}}))
    problem = bench.problem(DECLARED)
    assert problem.file.endswith("outputs.json")
    assert (problem.address, problem.message) == (
        "var.port",
        "must be an integer, not this value (sensitive, not shown)",
    )


@pytest.mark.parametrize(
    ("written", "content", "message"),
    [
        (
            "{terraform: none.json}",
            None,
            "cannot read none.json: No such file or directory; to make it: terraform output",
        ),
        ("{terraform: ../x.json}", None, "it is outside of the stack's folder"),
        ("{terraform: x.json}", "{", "it must be the output of `terraform output -json`"),
        ("{terraform: x.json}", "[1]", "which has a `value` for each output"),
        ("{terraform: x.json}", '{"vip": "192.0.2.1"}', "which has a `value` for each output"),
        ("{terraform: x.json}", '{"v": {"value": "\\ud800"}}', "cannot use the output 'v' of x.json"),
        ("{terraform: 3}", None, "vars_from must be {terraform: FILE}"),
        ("{pulumi: x}", None, "vars_from must be {terraform: FILE}"),
        ("x.json", None, "vars_from must be {terraform: FILE}"),
    ],
)
def test_mistakes_of_vars_from(bench: Any, written: str, content: str | None, message: str) -> None:
    if content is not None:
        bench.write("x.json", content)
    assert message in bench.problem(f"vars_from: {written}\nresources: {{}}\n").message
