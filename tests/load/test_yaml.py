"""YAML 1.2 with places: what a scalar is, where a key stands, and what is no YAML."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hacore.load.problems import Problems
from hacore.load.yaml_nodes import Node, core, read_yaml


def read(text: str) -> tuple[Node | None, list[str]]:
    problems = Problems()
    node = read_yaml(text, "f", problems)
    return node, [f"{p.line}:{p.column} {p.message}" for p in problems.error().problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0644", 644),
        ("0o644", 420),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("-12", -12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("1.2.3", "1.2.3"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("-", "-"),
        ("+", "+"),
        (".", "."),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    found = core(text)

    assert found == value
    assert type(found) is type(value)


def test_quotes_and_tags_decide() -> None:
    node, problems = read("a: '5'\nb: !!str 5\nc: !!int '5'\nd: !!float 5\ne: |\n  5\nf: 2024-01-01\n")

    assert not problems
    assert node is not None
    assert node.data() == {"a": "5", "b": "5", "c": 5, "d": 5.0, "e": "5\n", "f": "2024-01-01"}


def test_every_key_and_value_has_its_place() -> None:
    node, _ = read("a:\n  b: [x, {c: y}]\n")

    assert node is not None
    assert str(node.at(["a", "b"], key=True)) == "f:2:3"
    assert str(node.at(["a", "b"])) == "f:2:6"
    assert str(node.at(["a", "b", 0])) == "f:2:7"
    assert str(node.at(["a", "b", 1, "c"])) == "f:2:14"
    assert str(node.at(["a", "missing", "deeper"])) == "f:2:3"


def test_anchors_and_merge_keys() -> None:
    node, problems = read(
        "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [{x: 0}, *b], '<<': 4}\nn: &n 5\nm: *n\n"
    )

    assert not problems
    assert node is not None
    assert node.data() == {
        "base": {"x": 1, "y": 2},
        "one": {"x": 1, "y": 3},
        "two": {"<<": 4, "x": 0, "y": 2},
        "n": 5,
        "m": 5,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1 duplicate key 'a': first in line 1; remove one"),
        ("a: {b: 1, b: 2}", "1:11 duplicate key 'b': first in line 1; remove one"),
        ("a: b: c", "1:5 cannot read the YAML: mapping values are not allowed here"),
        ("a:\n\t- b", "2:1 cannot read the YAML: found character '\\t' that cannot start any token while scanning"),
        ("a: [1", "1:6 cannot read the YAML: expected ',' or ']'"),
        ("a: *x", "1:4 alias *x has no anchor &x before it"),
        ("a: &x [*x]", "1:8 alias *x has no anchor &x before it"),
        ("a: \x01", "1:1 cannot read the YAML: "),
        ("a: 1\n---\nb: 2", "2:1 a second document"),
        ("", "1:1 the file is empty"),
        ("# only this\n", "1:1 the file is empty"),
        ("? [a]\n: 1", "1:3 a key must be a string"),
        ("a: !!map {b: 1}", None),
        ("a: !!seq [1]", None),
        ("a: !!set {b}", "1:4 unknown tag tag:yaml.org,2002:set on a mapping: remove it"),
        ("a: !!seq {b: 1}", "1:4 unknown tag tag:yaml.org,2002:seq on a mapping: remove it"),
        ("a: !!python/object/apply:os.system ['id']", "1:4 unknown tag tag:yaml.org,2002:python/object/apply:os"),
        ("a: !mine [1]", "1:4 unknown tag !mine on a list: remove it"),
        ("a: !mine 1", "1:4 unknown tag !mine"),
        ("a: !!int x", "1:4 'x' is not an integer"),
        ("a: !!bool x", "1:4 'x' is not true or false"),
        ("b:\n  a: " + "1" * 1001, "2:6 the integer has more than 1000 digits: write a string in quotes"),
        ("a: 0x" + "f" * 5000, "1:4 the integer has more than 1000 digits"),
        ("a: !!int '" + "1" * 5000 + "'", "1:4 the integer has more than 1000 digits"),
        ("a: '" + "1" * 5000 + "'", None),
        ("a: !!str " + "1" * 5000, None),
        ("a: " + "1" * 1000, None),
        ('a: "x\\ud800"', "1:4 the string cannot be encoded in UTF-8: character 2 is the lone surrogate U+D800"),
        ('a: {"\\udfff": 1}', "1:5 the string cannot be encoded in UTF-8: character 1 is the lone surrogate U+DFFF"),
        ('a: 1\nb: "\\U0011FFFF"', "2:2 cannot read the YAML: an escape after this is not a character"),
        ('a: "\\UFFFFFFFF"', "1:2 cannot read the YAML: an escape after this is not a character"),
        ("%YAML 1.9999999999\n---\na: 1", "1:1 cannot read the YAML: version"),
        ("<<: 5", "1:5 << needs a mapping"),
        ("a: " + "[" * 80 + "]" * 80, "1:68 cannot read the YAML: nested more than 64 deep"),
    ],
)
def test_what_is_no_good_yaml_is_told_with_its_place(text: str, message: str | None) -> None:
    _, problems = read(text)

    assert problems[0].startswith(message) if message else not problems


def test_keys_are_strings() -> None:
    node, problems = read("80: a\ntrue: b\n")

    assert not problems
    assert node is not None
    assert node.data() == {"80": "a", "true": "b"}


def test_aliases_that_stand_for_billions_are_an_error_with_its_place() -> None:
    bomb = "a0: &a0 [" + ", ".join(["lol"] * 10) + "]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))

    node, problems = read(bomb)

    assert node is None
    assert problems == ["6:10 cannot read the YAML: its aliases stand for more than 200000 values, with *a4 here"]


def test_aliases_within_reason_stay() -> None:
    text = "a: &a {x: [1, 2, 3]}\nb: [" + ", ".join(["*a"] * 10_000) + "]\n"
    node, problems = read(text)

    assert not problems
    assert node is not None
    assert node.data()["b"] == [{"x": [1, 2, 3]}] * 10_000


def test_merge_keys_count_as_aliases_do() -> None:
    keys = ", ".join(f"k{i}: 1" for i in range(1000))
    text = f"a: &a {{{keys}}}\nb:\n" + "".join(f"  b{i}: {{<<: *a}}\n" for i in range(200))

    _, problems = read(text)

    assert [p.partition(",")[0] for p in problems] == [
        "102:13 cannot read the YAML: its aliases stand for more than 200000 values"
    ]
