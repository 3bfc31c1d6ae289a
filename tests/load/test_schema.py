"""The JSON Schema: takes what loads, expressions included, and points at what does not."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from hacore.load import stack_schema
from hacore.load.problems import Problems
from hacore.load.yaml_nodes import read_yaml

GOOD = """\
stack: web
state: sqlite:///a.db
variables: {x: {type: int, default: 5}, y: {type: string, sensitive: true}}
connection: {user: root, port: "{{ var.x }}", become: sudo}
hosts: {lb1: {address: 192.0.2.1, groups: [lb], vars: {a: 1}}, lb2: {address: "{{ var.y }}"}}
bystanders: {t: {address: 192.0.2.9, serve: {port: 80}}}
resources:
  doc:
    a: {hosts: lb, path: /a, size: "{{ var.x }}", mode: "0644", names: [a], login: {password: x}}
    b: {hosts: [lb1, lb2], path: /b, names: {debian: [a]}, when: "{{ host.vars.a == 1 }}", needs: [doc.a]}
    c: {for_each: {k: {v: 1}}, path: "{{ each.key }}", login: "{{ var.x }}", lifecycle: {prevent_destroy: true}}
    d: {members: {lb1: {size: 1}, lb2: null}, path: /d}
  unit: {nginx: , php: {}}
  pair: {p: {instance: a}}
outputs: {url: "http://{{ var.y }}", n: 5}
"""


def validator(bench: Any) -> Any:
    schema = stack_schema(bench.providers)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def data(text: str) -> Any:
    node = read_yaml(text, "f", Problems())
    assert node is not None
    return node.data()


def test_what_loads_is_valid(bench: Any) -> None:
    assert [str(e.message) for e in validator(bench).iter_errors(data(GOOD))] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("stack: web\n", ""),
        ("become: sudo", "become: su"),
        ("port: 80", "port: 99999"),
        ('size: "{{ var.x }}"', "size: large"),
        ('mode: "0644"', "mode: 0644"),
        ("hosts: lb,", "hots: lb,"),
        ("login: {password: x}", "login: {pasword: x}"),
        ("prevent_destroy", "prevent_destory"),
        ("  unit:", "  unti:"),
        ("address: 192.0.2.1,", ""),
        ("type: int", "type: integer"),
    ],
)
def test_what_does_not_load_is_not(bench: Any, right: str, wrong: str) -> None:
    assert right in GOOD

    assert not validator(bench).is_valid(data(GOOD.replace(right, wrong, 1)))
