"""Expressions: types that stay, names that must exist, a sandbox that holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hacore.errors import ExpressionError
from hacore.expressions import Broken, BrokenError, Expressions, Lookup, NoSuchNameError, mentions, touches
from hacore.expressions.sandbox import Sandbox

SCOPE: dict[str, Any] = {
    "var": {
        "text": "1111",
        "number": 5,
        "flag": True,
        "list": [1, "2"],
        "map": {"a": {"b": 1}},
        "items": "mine",
        "none": None,
    },
    "host": {"name": "lb1", "vars": {"nic": "eth1"}},
}


def evaluate(source: str, scope: dict[str, Any] = SCOPE) -> Any:
    return Expressions().compile(source).evaluate(scope)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ var.text }}", "1111"),
        ("{{ var['text'] }}", "1111"),
        ("{{ var.number }}", 5),
        ("{{ var.flag }}", True),
        ("{{ var.none }}", None),
        ("{{ var.list }}", [1, "2"]),
        ("{{ var.list[1] }}", "2"),
        ("{{ var.map.a }}", {"b": 1}),
        ("{{ var.items }}", "mine"),
        ("{{ var.map.items() | list }}", [["a", {"b": 1}]]),
        ("{{ var.number + 1 }}", 6),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ var.list | map('string') }}", ["1", "2"]),
        ("{{ var.text | int }}", 1111),
        ("{{ var.text if var.flag else none }}", "1111"),
        ("{{ var[[1]] is defined }}", False),
        ("{{ {'a': var.number} }}", {"a": 5}),
        ("{{ '<' | escape }}", "&lt;"),
        ("{{ {'b': '<', 'a': 1} | tojson }}", '{"a": 1, "b": "<"}'),
        ("{{ '{{' }}", "{{"),
        ("{{ 5 }}", 5),
        (" {{ var.number }}", " 5"),
        ("{{ var.number }}\n", "5\n"),
        ("{{ var.number }}{{ var.number }}", "55"),
        ("a {{ var.text }} b {{ host.vars.nic }}", "a 1111 b eth1"),
        ("{% for x in var.list %}{{ x }},{% endfor %}", "1,2,"),
        ("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
        ("${#array} {{ var.number }}", "${#array} 5"),
    ],
)
def test_one_expression_keeps_its_type_and_text_is_text(source: str, value: Any) -> None:
    found = evaluate(source)

    assert found == value
    assert type(found) is type(value)


@given(st.text())
def test_a_string_arrives_as_it_is(text: str) -> None:
    scope = {"var": {"x": text}}

    assert evaluate("{{ var.x }}", scope) == text
    assert evaluate("{{ var['x'] ~ '' }}", scope) == text
    assert evaluate("<{{ var.x }}>", scope) == f"<{text}>"
    assert evaluate("{% if true %}{{ var.x }}{% endif %}", scope) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ var.nmber }}", "var.nmber is undefined: did you mean 'number'?"),
        ("{{ var.map.a.c }}", "var.map.a.c is undefined"),
        ("{{ var.map.zzz.more }}", "var.map.zzz is undefined"),
        ("{{ [var.zzz] }}", "var.zzz is undefined"),
        ("{{ {'a': var.zzz} }}", "var.zzz is undefined"),
        ("a{{ var.zzz }}", "var.zzz is undefined"),
        ("{{ var.zzz | upper }}", "var.zzz is undefined"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ var.text.zzz }}", "var.text.zzz is undefined"),
        ("{{ host['vars']['zzz'] }}", "host.vars.zzz is undefined"),
    ],
)
def test_what_is_undefined_is_an_error_with_its_whole_name(source: str, message: str) -> None:
    with pytest.raises(NoSuchNameError) as caught:
        evaluate(source)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "source",
    [
        "{{ var.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ var['__class__'] }}",
        "{{ '{0.__class__}'.format(var) }}",
        "{{ var | attr('__class__') }}",
        "{{ var.update({'text': 'x'}) }}",
        "{{ var.list.append(3) }}",
        "{% set _ = var.list.append(3) %}",
        "{{ host.name.__init__.__globals__ }}",
        "{{ (range(10) | first).__class__ }}",
        "{{ look | attr('secret') }}",
        "{{ look.lookup }}",
        "{{ look.secret | upper }}",
        "a{{ look }}",
        "a{{ var.map.keys }}",
        "{{ var.map.keys }}",
        "{{ [1, 2] | random }}",
        "{{ lipsum() }}",
        "{{ range(100000000) }}",
        "{{ 'a' * 3000000000 }}",
        "{{ 3000000000 * [1] }}",
        "{{ 'a' * 10000 * 10000 }}",
        "{{ 2 ** 10000000000 }}",
        "{{ 10 ** 1000 }}",
        "{{ [10 ** 1000] }}",
        "{{ '\\ud800' }}",
        "a{{ '\\ud800' }}",
        "{{ {'\\ud800': 1} }}",
        "{{ 1 / 0 }}",
        "{{ 'a' + 1 }}",
        "{% include 'x' %}",
        "{{ 1 + }}",
        "{{ unclosed",
        "{% nonsense %}",
    ],
)
def test_what_is_not_allowed_is_an_error(source: str) -> None:
    class Look(Lookup):
        secret = "s3cret"

        def lookup(self, name: object) -> Any:
            raise NoSuchNameError(f"no {name}")

    scope = {**SCOPE, "look": Look()}
    with pytest.raises(ExpressionError) as caught:
        evaluate(source, scope)

    assert "s3cret" not in str(caught.value)
    assert SCOPE["var"]["list"] == [1, "2"]
    assert SCOPE["var"]["text"] == "1111"


def test_of_a_lookup_no_attribute_is_safe_whichever_way_jinja2_asks() -> None:
    """Before 3.1.6 the filter `attr` asked past the environment's own `getattr`."""

    class Look(Lookup):
        secret = "s3cret"

        def lookup(self, name: object) -> Any:
            return f"part {name}"

    sandbox, look = Sandbox(), Look()

    assert not sandbox.is_safe_attribute(look, "secret", look.secret)
    assert sandbox.is_safe_attribute("text", "upper", "text".upper)
    with pytest.raises(SecurityError):
        str(ImmutableSandboxedEnvironment.getattr(sandbox, look, "secret"))
    assert evaluate("{{ look.secret }}", {"look": look}) == "part secret"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "the recursion does not end"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ fails() }}", "KeyboardError"),
        ("{{ [] | first | upper }}", "No first item, sequence was empty."),
    ],
)
def test_an_error_says_what_is_wrong_or_at_least_its_name(source: str, message: str) -> None:
    class KeyboardError(Exception):
        pass

    def fails() -> None:
        raise KeyboardError

    with pytest.raises(ExpressionError) as caught:
        evaluate(source, {**SCOPE, "fails": fails})

    assert str(caught.value) == message


def test_a_product_or_power_within_reason_is_evaluated() -> None:
    assert evaluate("{{ '-' * 20 }}") == "-" * 20
    assert evaluate("{{ 3 * [1] }}") == [1, 1, 1]
    assert evaluate("{{ [1] * -1 }}") == []
    assert evaluate("{{ 2 ** 10 }}") == 1024
    assert evaluate("{{ 6 * 7 }}") == 42
    assert evaluate("{{ 2 ** -1 }}") == 0.5


def test_broken_values_are_told_apart() -> None:
    for source in ("{{ var.x }}", "a{{ var.x }}", "{{ var.x.y }}", "{{ [var.x] }}", "{{ var.x | upper }}"):
        with pytest.raises(BrokenError):
            evaluate(source, {"var": {"x": Broken()}})


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("{{ var.a }}", {("var", "a")}),
        ("{{ var['a'].b }}", {("var", "a", "b")}),
        ("{{ var[each.key] }}", {("var", None), ("each", "key")}),
        ("{{ var.items() }}", {("var",)}),
        ("{{ var.get('a') }}", {("var",)}),
        ("{{ var.a.get('b') }}", {("var", "a")}),
        ("{{ f(var.a.b).c }}", {("f",), ("var", "a", "b")}),
        ("{{ f(var.a) }}", {("f",), ("var", "a")}),
        ("{{ env('A') }}", {("env",)}),
        ("{{ 'x' if false else var.a }}", {("var", "a")}),
        ("{% set v = var %}{{ v.a }}", {("var",), ("v", "a")}),
        ("{{ hosts.values() | map(attribute='vars.a') | list }}", {("hosts",)}),
        ("{{ host.vars.list[0] }}", {("host", "vars", "list", "0")}),
        ("{{ host.vars.list[-1] }}", {("host", "vars", "list", None)}),
        ("{{ host.vars.list[true] }}", {("host", "vars", "list", None)}),
    ],
)
def test_paths_come_from_the_syntax_tree(source: str, paths: set[tuple[str | None, ...]]) -> None:
    assert Expressions().compile(source).paths == paths


@pytest.mark.parametrize(
    ("path", "pattern", "touched"),
    [
        (("var", "a"), ("var", "a"), True),
        (("var", "b"), ("var", "a"), False),
        (("var",), ("var", "a"), True),
        (("var", None), ("var", "a"), True),
        (("var", "a", "deep"), ("var", "a"), True),
        (("host", "vars", "a"), ("var", "a"), False),
    ],
)
def test_a_path_touches_what_it_may_reach(path: Any, pattern: Any, touched: bool) -> None:
    assert touches([path], [pattern]) is touched


def test_templates_tell_what_their_inclusions_name() -> None:
    sources = {
        "a": "{% extends 'base' %}{% block b %}{% include 'b' %}{% endblock %}",
        "base": "{{ var.base }}{% block b %}{% endblock %}\n",
        "b": "{% import 'm' as m %}{{ m.f(host.name) }}",
        "m": "{% macro f(x) %}{{ x }}{{ var.macro }}{% endmacro %}",
        "dynamic": "{% include name %}",
    }

    def read(name: str) -> str:
        try:
            return sources[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    expressions = Expressions(read)
    template = expressions.template("a")

    assert {("var", "base"), ("var", "macro"), ("host", "name")} <= template.paths
    assert not template.opaque
    assert expressions.template("dynamic").opaque
    scope = {"var": {"base": "1", "macro": "2"}, "host": {"name": "h"}}
    with pytest.raises(NoSuchNameError, match=r"m:1: 'var' is undefined"):
        template.render(scope)  # as in Jinja2, an import does not see the context unless it asks for it
    sources["b"] = "{% import 'm' as m with context %}{{ m.f(host.name) }}"
    assert Expressions(read).template("a").render(scope) == "1h2"


def test_errors_of_a_template_name_file_and_line() -> None:
    sources = {"t": "one\n{{ var.zzz }}\n", "bad": "one\ntwo\n{{ 1 + }}\n", "outer": "{% include 'inner' %}"}
    expressions = Expressions(lambda name: sources[name])

    with pytest.raises(NoSuchNameError, match=r"^t:2: var\.zzz is undefined"):
        expressions.template("t").render({"var": {}})
    with pytest.raises(ExpressionError, match=r"^bad:3: "):
        expressions.template("bad")


def test_blocks_leave_no_empty_lines_and_the_last_newline_stays() -> None:
    source = "a\n{% for x in var.list %}\n{{ x }}\n{% endfor %}\nz\n"
    assert Expressions(lambda _: source).template("t").render(SCOPE) == "a\n1\n2\nz\n"


def test_mentions() -> None:
    assert mentions("a {{ b }}")
    assert mentions("{% if x %}")
    assert not mentions("${#x} { { }")
