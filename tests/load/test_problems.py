"""Mistakes: all at once, each once, at its place, with what would be right."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hacore.errors import UsageError
from hacore.load import LoadRequest, load

TEN = """\
stack: web
variables:
  vip: {type: string}
  port: {type: int, default: "80"}
hosts:
  lb1: {address: 192.0.2.1, groups: [lb]}
  lb2: {addres: 192.0.2.2, groups: [lb]}
resources:
  dok: {x: {path: /x}}
  doc:
    a: {hosts: lb, path: /a, mode: 0644}
    b: {hosts: web, path: /b, content: "{{ var.port }}"}
    c: {hosts: lb, path: /c, needs: [doc.aa]}
    d: {hosts: lb, path: /d, content: "{{ var.vpi }}"}
    e: {hosts: lb, path: /e, content: "{{ host.vars.nic }}"}
    f: {hosts: lb, pth: /f}
    g: {hosts: lb, path: g}
    a: {path: /again}
outputs: {url: "{{ host.name }}"}
"""


def test_a_stack_with_many_mistakes_tells_each_once(bench: Any) -> None:
    found = bench.problems("", head=TEN)
    file = str(bench.folder / "stack.yaml")

    assert [str(p).removeprefix(f"{file}:") for p in found] == [
        "3:8: var.vip: no value: use --var vip=…, HACORE_VAR_vip, a --var-file or a default",
        "4:30: var.port: must be an integer, not the string '80'",
        "7:9: hosts.lb2: unknown key 'addres': did you mean 'address'?",
        "9:3: unknown kind 'dok': did you mean 'doc'?",
        '11:36: doc.a: mode must be a string, not the integer 644: write it in quotes: mode: "0644"',
        "12:16: doc.b: no such host or group 'web': known names are all, lb, lb1, lb2",
        "13:38: doc.c: doc.aa does not exist: did you mean 'doc.a'?",
        "14:39: doc.d: var.vpi is undefined: did you mean 'vip'?",
        "15:39: doc.e: host.vars.nic is undefined",
        "16:20: doc.f: unknown key 'pth': did you mean 'path'?",
        "17:26: doc.g: path: 'g' is not absolute: start it with /",
        "18:5: duplicate key 'a': first in line 11; remove one",
        "19:16: outputs.url: host cannot be used in outputs: expressions there can use var, hosts, groups",
    ]


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        ("mode: 0644", "0644", 'mode must be a string, not the integer 644: write it in quotes: mode: "0644"'),
        ("mode: 1.50", "1.50", 'mode must be a string, not the number 1.5: write it in quotes: mode: "1.50"'),
        ("mode: true", "true", 'mode must be a string, not true: write it in quotes: mode: "true"'),
        ("mode: [a]", "[a]", "mode must be a string, not a list"),
        ("mode: '{{ 5 }}'", "'{{ 5 }}'", "mode must be a string, not the integer 5: add the filter `| string`"),
        ("size: x", "x}", "size must be an integer, not the string 'x'"),
        ("size: 1.5", "1.5", "size must be an integer, not the number 1.5"),
        ("names: 5", "5}", "names must be a list or a mapping, not the integer 5"),
        ("names: [a, 5]", "5]", 'names[1] must be a string, not the integer 5: write it in quotes: "5"'),
        (
            "names: {debian: [a, 5]}",
            "5]",
            'names.debian[1] must be a string, not the integer 5: write it in quotes: "5"',
        ),
        ("names: {debian: a}", "a}}", "names.debian must be a list, not the string 'a'"),
        ("login: PASS", "PASS", "login must be a mapping, not the string 'PASS'"),
        ("login: {pasword: x}", "pasword", "unknown key 'pasword' in login: did you mean 'password'?"),
        (
            "login: {type: 1, password: x}",
            "1,",
            'login.type must be a string, not the integer 1: write it in quotes: type: "1"',
        ),
        ("hots: lb", "hots", None),
        ("lifecycle: {on_delete: purge}", "purge", "lifecycle.on_delete must be one of 'restore', 'remove' or 'keep'"),
        ("when: maybe", "maybe", "when must be true or false, not the string 'maybe'"),
        ("for_each: 5", "5}", "for_each must be a list or a mapping, not the integer 5"),
        ("content: '{{ each.key }}'", "'{{", "each cannot be used here: expressions there can use"),
        ("content: '{{ vat.x }}'", "'{{", "'vat' is undefined: did you mean 'var'?"),
        ("content: '{{ prio }}'", "'{{", "'prio' is undefined: did you mean 'var.prio'?"),
        ("content: '{{ 1 + }}'", "'{{", "cannot read the expression: "),
        (
            "content: '{{.Names}}'",
            "'{{",
            "cannot read the expression: unexpected '.' (a literal {{ is written {{ '{{' }})",
        ),
        ("content: 'printf {%s}'", "'printf", "cannot read the expression: encountered unknown tag 's' (a literal {%"),
        ("content: '{{ 1 / 0 }}'", "'{{", "cannot evaluate the expression: division by zero"),
        ("vars: {'{{ var.prio }}': 1}", "'{{", "a key cannot contain expressions"),
    ],
)
def test_a_mistake_in_a_body(bench: Any, body: str, place: str, message: str | None) -> None:
    text = f"variables: {{prio: {{default: 1}}}}\nresources: {{doc: {{it: {{hosts: lb, path: /a, {body}}}}}}}\n"
    problem = bench.problem(text)
    line = text.splitlines()[1]

    assert problem.message.startswith(message or "unknown key 'hots'")
    assert (problem.line, problem.column) == (7, line.rindex(place) + 1)
    assert problem.address == "doc.it"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hosts: {a: {address: b}}", "'stack' is missing"),
        ("stack: a/b\nhosts: {a: {address: b}}", "stack must be a name of letters"),
        ("stack: a", "'hosts' is missing: a stack needs at least one host"),
        ("stack: a\nhosts: {}", "'hosts' is missing"),
        ("stack: a\nhosts: [a]", "hosts must be a mapping, not a list"),
        ("stack: a\nhost: {}\nhosts: {a: {address: b}}", "unknown key 'host': did you mean 'hosts'?"),
        ("[stack]", "must be a mapping with bystanders, connection, hosts"),
        ("stack: a\nhosts: {a: {address: b, groups: [a]}}", "'a' is a host: rename the group"),
        ("stack: a\nhosts: {a b: {address: b}}", "'a b' is not a valid host name"),
        ("stack: a\nhosts: {all: {address: b}}", "'all' is not a valid host name"),
        ("stack: a\nhosts: {a: {address: b, connection: {prot: 1}}}", "unknown key 'prot' in connection: did you"),
        ("stack: a\nhosts: {a: {address: b}, c: {address: d}}\nconnection: {port: 99999}", "port must be less than"),
        ("stack: a\nhosts: {a: {address: '{{ host.name }}'}}", "host cannot be used in hosts"),
        ("stack: a\nhosts: {a: {address: b}}\nresources: {doc: [a]}", "must be a mapping of names to bodies"),
        ("stack: a\nhosts: {a: {address: b}}\nresources: {doc: {a: text}}", "a resource's body must be a mapping"),
        ("stack: a\nhosts: {a: {address: b}}\nresources: {doc: {'a b': {path: /a}}}", "'a b' is not a valid name"),
        ("stack: a\nhosts: {a: {address: b}}\nbystanders: {b: {serve: {}}}", "'address' is missing: it is required"),
        ("stack: a\nhosts: {a: {address: b}}\nstate: state.db", "the state must be a database URL"),
        ("stack: a\nhosts: {a: {address: b}}\nstate: 'sqlite://'", "the state must be kept in a file"),
    ],
)
def test_a_mistake_elsewhere(bench: Any, text: str, message: str) -> None:
    problem = bench.problem("", head=text + "\n")

    assert problem.message.startswith(message)
    assert problem.file.endswith("stack.yaml")
    assert problem.line >= 1


def test_members_are_checked_together_where_none_has_mistakes(bench: Any, place: Any) -> None:
    found = bench.problems(
        """
        resources:
          doc: {VI: {hosts: all, path: /x}}
          pair: {three: {instance: VI}, one: {instance: VI, hosts: lb1}, two: {instance: VI, hosts: lb}}
        """
    )

    assert [(p.address, p.message) for p in found] == [
        ("pair.three", "instance is on 3 hosts: a pair needs two"),
        ("pair.one", "instance is on 1 hosts: a pair needs two"),
    ]


def test_a_body_without_an_instance_is_looked_over_too(bench: Any) -> None:
    found = bench.problems(
        """
        resources:
          doc:
            a: {hosts: nowhere, path: /a, size: large, content: "{{ host.vars.zzz }} {{ each.key }}"}
            b: {hosts: lb, when: false, path: /b, mod: "0644"}
            c: {hosts: lb, for_each: [], path: "{{ each.value.x }}", content: "{{ var.zzz }}"}
            d: {hosts: 5, path: /d, content: "{{ host.vars.zzz }}"}
            e: {members: {nowhere: {path: /e}}}
        """
    )

    assert [p.message.split(":")[0] for p in found] == [
        "no such host or group 'nowhere'",
        "size must be an integer, not the string 'large'",
        "each cannot be used here",
        "unknown key 'mod'",
        "var.zzz is undefined",
        "hosts must be a string or a list, not the integer 5",
        "no such host or group 'nowhere'",
    ]


def test_one_mistake_on_some_hosts_names_the_host(bench: Any) -> None:
    problem = bench.problem("resources: {doc: {a: {path: /a, size: '{{ host.vars.prio }}'}}}")

    assert problem.address == "doc.a@db1"
    assert problem.message == "host.vars.prio is undefined"


def test_problems_name_the_file_as_seen_from_here(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("stack.yaml", "stack: [")
    monkeypatch.chdir(bench.folder.parent)

    assert re.match(r"stack/stack\.yaml:1:\d+: ", str(bench.problem("", head="stack: [")))


def test_a_stack_that_cannot_be_read_is_a_usage_error(bench: Any) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*stack\.yaml: No such file"):
        load(LoadRequest(bench.folder / "stack.yaml"), {})


def test_a_bad_name_hides_no_other_mistake_of_its_body(bench: Any) -> None:
    found = bench.problems(
        """
        resources:
          doc: {"a b": {path: x, contnt: y, mode: [1], needs: [doc.nothing]}, "-c": {path: c}}
        """
    )

    said = "\n".join(str(problem) for problem in found)
    for part in (
        "'a b' is not a valid name",
        "'-c' is not a valid name",
        "contnt",
        "mode must be",
        "doc.nothing does not exist",
    ):
        assert part in said
    assert "'c' is not absolute" in said
