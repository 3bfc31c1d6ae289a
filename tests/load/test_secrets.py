"""Secrets: what names one is sensitive, whichever way it takes; no message tells one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pydantic import Field

from hacore.contract import Spec
from hacore.load.contained import contained
from tests.load.conftest import Pure

HEAD = """\
stack: web
variables:
  pw: {type: string, sensitive: true}
  deep: {type: map, sensitive: true, default: {a: [deep-secret, 4711], b: true}}
  open: {type: string, default: open}
hosts:
  lb1: {address: 192.0.2.1, groups: [lb], vars: {token: "{{ var.pw }}", plain: 1, list: [a, "{{ var.pw }}"]}}
"""


class ShellSpec(Spec):
    run: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    test: str = Field(default="", alias="check")
    quick: bool = False


class Confidential(Pure):
    api = 2
    kind = "confidential"
    spec = ShellSpec
    plain = ("run",)
    confidential: ClassVar[Mapping[str, tuple[str, ...]]] = {"sensitive": ("env",)}


@pytest.fixture
def load(bench: Any) -> Any:
    def run(body: str, **options: Any) -> Any:
        options = {"head": HEAD, "variables": {"pw": "1111"}, "environ": {"API": "from-env"}, **options}
        return bench.load(body, **options)

    return run


@pytest.mark.parametrize(
    ("content", "sensitive"),
    [
        ("{{ var.pw }}", True),
        ("a {{ var.pw }} b", True),
        ("{{ var['pw'] }}", True),
        ("{{ var['p' ~ 'w'] }}", True),
        ("{{ var.get('pw') }}", True),
        ("{{ var.values() | list | length | string }}", True),
        ("{{ 'x' if var.pw == '2222' else 'y' }}", True),
        ("{{ 'x' if false else 'y' ~ var.pw[0:0] }}", True),
        ("{% set v = var %}{{ v.open }}", True),
        ("{{ var.deep.a[0] }}", True),
        ("{{ env('API') }}", True),
        ("{{ env('NONE', 'default') }}", True),
        ("{{ host.vars.token }}", True),
        ("{{ host.vars['token'] }}", True),
        ("{{ host['vars'] | length | string }}", True),
        ("{{ host.vars.list[-1] }}", True),
        ("{{ hosts.lb1.vars.token }}", True),
        ("{{ hosts[host.name].vars.plain | string }}", False),
        ("{% for h in hosts.values() %}{{ h.vars.token }}{% endfor %}", True),
        ("{{ hosts.values() | map(attribute='vars.token') | join }}", True),
        ("{{ resource.doc.login.content }}", True),
        ("{{ resource.doc.login.login.password }}", True),
        ("{{ resource.doc.login.path }}", False),
        ("{{ resource.doc.templated.content }}", True),
        ("{{ var.open }}", False),
        ("{{ host.name }} {{ host.vars.plain }}", False),
        ("{{ host.vars.list[0] }}", False),
        ("{{ file('open.txt') }}", False),
        ("plain", False),
    ],
)
def test_what_names_a_secret_is_sensitive(bench: Any, load: Any, content: str, sensitive: bool) -> None:
    bench.write("open.txt", "open")
    bench.write("secret.j2", "{{ var.pw }}")
    stack = load(
        f"""
        resources:
          doc:
            it: {{path: /it, content: "{content}"}}
            login: {{path: /p, content: "{{{{ var.pw }}}}", login: {{type: PASS, password: "{{{{ var.pw }}}}"}}}}
            templated: {{path: /t, template: secret.j2}}
        """
    )
    found = {str(a): set(i.sensitive) for a, i in stack.instances.items()}

    assert found["doc.it@lb1"] == ({"content"} if sensitive else set())
    assert found["doc.login@lb1"] == {"content", "login.password"}
    assert found["doc.templated@lb1"] == {"content"}


@pytest.mark.parametrize(
    ("template", "variables", "sensitive"),
    [
        ("{{ var.pw }}", "{}", True),
        ("{% include 'inner.j2' %}", "{}", True),
        ("{% import 'macros.j2' as m with context %}{{ m.say() }}", "{}", True),
        ("{% extends 'base.j2' %}", "{}", True),
        ("{% include 'in' ~ 'ner.j2' %}", "{}", True),
        ("{% if false %}{% include 'inner.j2' %}{% endif %}", "{}", True),
        ("{{ resource.doc.login.content }}", "{}", True),
        ("{{ host.vars.token }}", "{}", True),
        ("{{ given }}", "{given: '{{ var.pw }}'}", True),
        ("{{ given }}", "{given: open}", False),
        ("{{ var.open }} {{ host.name }}", "{}", False),
    ],
)
def test_templates_and_what_they_include(bench: Any, load: Any, template: str, variables: str, sensitive: bool) -> None:
    bench.write("t.j2", template)
    bench.write("inner.j2", "<{{ var.pw }}>")
    bench.write("macros.j2", "{% macro say() %}{{ var.pw }}{% endmacro %}")
    bench.write("base.j2", "{% block a %}{{ var.pw }}{% endblock %}")
    stack = load(
        f"""
        resources:
          doc:
            it: {{path: /it, template: t.j2, vars: {variables}}}
            login: {{path: /p, content: "{{{{ var.pw }}}}"}}
        """
    )
    it = next(i for a, i in stack.instances.items() if a.name == "it")

    assert ("content" in it.sensitive) is sensitive
    assert ("1111" in it.spec.content) is (sensitive and "false" not in template)


def test_values_of_a_for_each_stay_sensitive_one_by_one(load: Any) -> None:
    stack = load(
        """
        resources:
          doc:
            it:
              for_each: {a: {token: "{{ var.pw }}", port: 1}}
              path: "/{{ each.key }}"
              size: "{{ each.value.port }}"
              content: "{{ each.value.token }}"
        """
    )

    assert [set(i.sensitive) for i in stack.instances.values()] == [{"content"}]


@pytest.mark.parametrize("items", ['"{{ var.deep }}"', '"{{ [var.pw] }}"', '[a, "{{ var.pw }}"]'])
def test_keys_of_a_for_each_cannot_be_secret(bench: Any, items: str) -> None:
    problem = bench.problem(
        f"resources: {{doc: {{it: {{for_each: {items}, path: /x}}}}}}", head=HEAD, variables={"pw": "1111"}
    )

    assert problem.message == "for_each must not use a sensitive value: its keys are shown in addresses"


def test_a_kind_that_takes_over_a_secret_keeps_it_sensitive(load: Any) -> None:
    stack = load(
        """
        resources:
          doc: {login: {path: /p, content: "{{ var.pw }}"}}
          pair: {p: {instance: login}}
        """,
        head=HEAD.replace("groups: [lb],", "") + "  lb2: {address: 192.0.2.2}\n",
    )
    (pair,) = (i for a, i in stack.instances.items() if a.kind == "pair")

    assert pair.spec.address == "1111"
    assert pair.sensitive == {"address"}


def test_secrets_and_sensitive_outputs_are_known(load: Any) -> None:
    stack = load(
        """
        resources: {doc: {it: {path: /it, content: "{{ env('API') }}"}}}
        outputs: {open: "{{ var.open }}", login: "user:{{ var.pw }}", token: "{{ hosts.lb1.vars.token }}"}
        """
    )

    assert stack.secrets == {"1111", "deep-secret", "4711", "from-env"}
    assert stack.sensitive_outputs == {"login", "token"}


def test_the_digest_does_not_tell_a_secret(bench: Any) -> None:
    body = "resources: {doc: {it: {path: /it, content: '{{ var.pw }}'}}}"
    digests = {bench.load(body, head=HEAD, variables={"pw": pw}).digest for pw in ("1111", "2222")}

    assert len(digests) == 1


@pytest.mark.parametrize(
    "body",
    [
        "doc: {it: {path: /it, size: '{{ var.pw }}x'}}",
        "doc: {it: {path: /it, size: '{{ var.pw | int / 0 }}'}}",
        "doc: {it: {path: /it, size: '{{ var.pw ~ 1 + 1 }}'}}",
        "doc: {it: {path: /it, content: '{{ file(var.pw) }}'}}",
        "doc: {it: {path: /it, content: '{{ var[var.pw] }}'}}",
        "doc: {it: {path: '{{ var.pw }}'}}",
        "doc: {it: {path: /it, template: '{{ var.pw }}'}}",
        "doc: {it: {path: /it, login: {type: [], password: {x: '{{ var.pw }}'}}}}",
        "doc: {it: {path: /it, names: '{{ var.pw }}'}}",
        "doc: {it: {path: /it, hosts: '{{ var.pw }}'}}",
        "doc: {it: {path: /it, hosts: '{{ var.pw[:4] }}'}}",
        "doc: {it: {path: /it, needs: ['{{ var.pw[:4] }}']}}",
        "doc: {it: {path: /it, template: bad.j2}}",
        "doc: {it: {path: /it, needs: ['doc.{{ var.pw }}']}}",
        "doc: {it: {path: /it, when: '{{ var.pw }}'}}",
        "doc: {it: {path: /it, mode: '{{ resource.doc[var.pw].path }}'}}",
    ],
)
def test_no_message_tells_a_secret(bench: Any, body: str) -> None:
    bench.write("bad.j2", "{{ {}[var.pw[:4]] + (var.pw ~ 1 + 1) }}")
    for secret in ("hunter2-and-more", "pw!", 'it\'s\n"quoted"'):
        found = bench.problems(f"resources: {{{body}}}", head=HEAD, variables={"pw": secret})

        assert found

        for form in (secret, repr(secret)[1:-1], secret[:4]):
            assert not any(form in str(problem) for problem in found), found


@pytest.mark.parametrize("secret", ["a", "s", "is", "1"])
def test_a_very_short_secret_masks_no_other_word(bench: Any, secret: str) -> None:
    """The message stays legible; the value itself is not told where it is quoted."""
    body = "resources: {doc: {it: {path: x1, content: '{{ var.pw }}'}, other: {path: '{{ var.pw }}'}}}"

    found = bench.problems(body, head=HEAD, variables={"pw": secret})

    assert {p.message for p in found} == {
        "path 'x1' is not absolute: start it with /".replace("path ", "path: ", 1),
        "path: '(sensitive)' is not absolute: start it with /",
    }


def test_what_an_expression_makes_of_a_secret_is_one_and_the_text_around_it_is_none(bench: Any, load: Any) -> None:
    bench.write("t.j2", "{% set s = var.pw %}listen {{ port }} on {{ host.name }}\n{{ s | upper }} {{ given }}\n")
    stack = load(
        """
        resources:
          doc:
            it: {path: /it, content: "user operator, password {{ var.pw | reverse }}, at {{ host.name }}"}
            t: {path: /t, template: t.j2, vars: {given: "a-{{ var.pw | title }}", port: 8080-public}}
        """,
        variables={"pw": "hunter-two"},
    )

    assert stack.secrets == {
        "hunter-two",
        "owt-retnuh",
        "Hunter-Two",
        "a-Hunter-Two",
        "HUNTER-TWO",
        "deep-secret",
        "4711",
    }


def test_a_secret_in_a_field_that_names_none_is_found_by_its_value(load: Any) -> None:
    stack = load(
        "resources: {doc: {it: {path: /it, content: 'key hunter-two', names: [open, x-hunter-two]}}}",
        variables={"pw": "hunter-two"},
    )

    assert [set(i.sensitive) for i in stack.instances.values()] == [{"content", "names.1"}]


def test_a_copy_of_a_secret_leaves_the_field_that_names_it_hidden(load: Any) -> None:
    stack = load(
        """
        resources:
          doc:
            it: {path: /it, content: "key hunter-two", login: {password: "{{ var.pw }}"}}
        """,
        variables={"pw": "hunter-two"},
    )

    assert [set(i.sensitive) for i in stack.instances.values()] == [{"content", "login.password"}]


@pytest.mark.parametrize("secret", ["80", "true", "nginx", "root"])
def test_a_short_secret_is_hidden_only_where_it_stands(load: Any, secret: str) -> None:
    stack = load(
        f"""
        resources:
          doc:
            it: {{path: /{secret}, content: "{secret} {secret}x", login: {{password: "{{{{ var.pw }}}}"}}}}
        """,
        variables={"pw": secret},
    )

    assert [set(i.sensitive) for i in stack.instances.values()] == [{"login.password"}]


def test_a_number_that_the_state_would_show_cannot_be_secret(bench: Any) -> None:
    head = HEAD.replace("  open:", "  pin: {type: int, sensitive: true, default: 471147}\n  open:")
    problem = bench.problem(
        "resources: {doc: {it: {path: /it, size: '{{ var.pin }}'}}}", head=head, variables={"pw": "x"}
    )

    assert problem.message.startswith("size must not use a sensitive value: the state stores numbers")
    assert "471147" not in str(problem)


class Shell(Pure):
    """A kind of which a field becomes arguments of a program."""

    api = 2
    kind = "shell"
    spec = ShellSpec
    arguments: ClassVar[Mapping[str, str]] = {"run": "give it by env", "check": "let the program read a file"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("run: ['make PIN={{ var.pw }}']", "run"),
        ("run: [make, '{{ var.pw | upper }}']", "run"),
        ("run: [make, 'PIN=hunter-two']", "run"),  # by its value
        ("check: 'test {{ hosts.lb1.vars.token }}'", "check"),
        ("check: 'test hunter-two'", "check"),
        ("env: {PIN: '{{ var.pw }}'}, run: ['make PIN=$PIN']", ""),
    ],
)
def test_what_becomes_an_argument_of_a_program_names_no_secret(bench: Any, body: str, field: str) -> None:
    text = f"resources: {{shell: {{it: {{{body}}}}}}}"
    options = {"head": HEAD, "variables": {"pw": "hunter-two"}}
    bench.providers["shell"] = Shell()
    if not field:
        bench.load(text, **options)
        return
    (problem,) = bench.problems(text, **options)

    assert problem.message == (
        f"{field} must not use a sensitive value: all users of the host can read the arguments of a program; "
        f"{Shell.arguments[field]}"
    )


def test_a_boolean_that_the_state_would_show_cannot_be_secret(bench: Any) -> None:
    head = HEAD.replace("  open:", "  switch: {type: bool, sensitive: true, default: true}\n  open:")
    bench.providers["shell"] = Shell()
    problem = bench.problem(
        "resources: {shell: {it: {quick: '{{ var.switch }}'}}}", head=head, variables={"pw": "hunter-two"}
    )

    assert problem.message.startswith("quick must not use a sensitive value: the state stores numbers and booleans")


def test_what_a_contained_kind_declares_holds() -> None:
    """Kinds are loaded behind a door, which hands on what they declare."""
    for kind in (Shell(), Confidential()):
        door = contained(kind, "package")
        assert (door.arguments, door.confidential, door.plain) == (kind.arguments, kind.confidential, kind.plain)
