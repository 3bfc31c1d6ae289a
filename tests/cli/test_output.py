"""`hacore output`: the outputs of a stack, for people and for scripts."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Console

HEAD = """stack: web
variables:
  password: {type: string, sensitive: true, default: "hunter2-and-more"}
  port: {type: number, default: 8080}
hosts: {a: {address: 192.0.2.1}}
outputs:
  url: "http://192.0.2.1:{{ var.port }}/"
  port: "{{ var.port }}"
  hosts: "{{ groups.all }}"
  login: "ops:{{ var.password }}"
"""
ONE = "thing: {one: {text: x}}"


@pytest.fixture
def web(console: Console) -> Console:
    console.stack(ONE, HEAD)
    return console


def test_all_outputs(web: Console) -> None:
    done = web("output")
    assert (done.code, done.err) == (0, "")
    assert "http://192.0.2.1:8080/" in done.out
    assert "hunter2" not in done.out
    assert "(sensitive)" in done.out


def test_json_marks_what_is_sensitive(web: Console) -> None:
    found = web("output", "--json").json
    assert found["url"] == {"sensitive": False, "value": "http://192.0.2.1:8080/"}
    assert found["hosts"]["value"] == ["a"]
    assert found["login"] == {"sensitive": True, "value": "(sensitive)"}


def test_one_by_its_name(web: Console) -> None:
    assert web("output", "url").out == 'url = "http://192.0.2.1:8080/"\n'
    assert "hunter2" not in web("output", "login").out


@pytest.mark.parametrize(
    ("name", "value"),
    [("url", "http://192.0.2.1:8080/"), ("port", "8080"), ("login", "ops:hunter2-and-more")],
)
def test_raw_is_the_value_and_nothing_else(web: Console, name: str, value: str) -> None:
    assert web("output", name, "--raw").out == value


def test_json_of_one_is_its_value(web: Console) -> None:
    assert json.loads(web("output", "hosts", "--json").out) == ["a"]
    assert json.loads(web("output", "login", "--json").out) == "ops:hunter2-and-more"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ulr",), "unknown output 'ulr': did you mean url?"),
        (("nothing-like-it",), "the outputs are hosts, login, port, url"),
        (("--raw",), "cannot use --raw without the name of an output"),
        (("hosts", "--raw"), "cannot print hosts with --raw: it is list, not text or a number; use --json"),
        (("url", "port"), "give the name of one output, and one stack"),
    ],
)
def test_mistakes(web: Console, arguments: tuple[str, ...], message: str) -> None:
    done = web("output", *arguments)
    assert (done.code, message in done.err) == (64, True), done.err


def test_a_stack_without_outputs(console: Console) -> None:
    console.stack(ONE)
    assert console("output").out == "Stack web has no outputs.\n"
