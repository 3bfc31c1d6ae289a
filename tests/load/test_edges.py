"""Edges: needs must name something, triggers and kinds bring their own."""

from __future__ import annotations

from typing import Any

import pytest

BODY = """
resources:
  doc:
    base: {{hosts: lb, path: /b}}
    keyed: {{hosts: lb, for_each: [a, b], path: "/{{{{ each.key }}}}"}}
    off: {{hosts: lb, when: false, path: /o}}
    nobody: {{hosts: lb, for_each: [], path: /n}}
    me: {{hosts: lb1, path: /me, needs: {needs}}}
  pair: {{p: {{instance: base}}}}
"""


@pytest.mark.parametrize(
    ("needs", "selectors"),
    [
        ("[doc.base]", ["doc.base"]),
        ("doc.base", ["doc.base"]),
        ("[doc.base@lb2, doc.base]", ["doc.base@lb2", "doc.base"]),
        ("['doc.keyed[\"a\"]']", ['doc.keyed["a"]']),
        ("[doc.keyed]", ["doc.keyed"]),
        ("[doc.off, doc.nobody, doc.off@lb1]", ["doc.off", "doc.nobody", "doc.off@lb1"]),
        ("[pair.p]", ["pair.p"]),
        ("\"{{ ['doc.' ~ 'base'] }}\"", ["doc.base"]),
        ('["doc.base@{{ host.name }}"]', ["doc.base@lb1"]),
    ],
)
def test_a_need_that_exists_is_kept_as_written(bench: Any, needs: str, selectors: list[str]) -> None:
    stack = bench.load(BODY.format(needs=needs))
    (me,) = (i for a, i in stack.instances.items() if a.name == "me")

    assert [str(n.selector) for n in me.needs] == selectors
    assert {n.why for n in me.needs} == {"needs"}


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ("[doc.bas]", "doc.bas does not exist: did you mean 'doc.base'?"),
        ("[dok.base]", "dok.base does not exist: did you mean 'doc.base'?"),
        ("[doc.base@db1]", "doc.base@db1 does not exist: doc.base is on lb1, lb2"),
        ("[doc.base@lb9]", "doc.base@lb9 does not exist: doc.base is on lb1, lb2"),
        ("['doc.keyed[\"c\"]']", 'doc.keyed["c"] does not exist: known keys are a, b'),
        ("['doc.base[\"c\"]']", 'doc.base["c"] does not exist: doc.base has no for_each; write doc.base'),
        ("[pair.p@lb1]", "pair.p@lb1 does not exist: pair spans hosts; write pair.p"),
        ("[doc.me]", "doc.me needs itself: remove it"),
        ("[base]", "cannot read address 'base'"),
        ("[5]", "needs[0] must be a string, not the integer 5"),
        ("{a: b}", "needs must be a string or a list, not a mapping"),
    ],
)
def test_a_need_that_names_nothing_is_a_problem(bench: Any, needs: str, message: str) -> None:
    problem = bench.problem(BODY.format(needs=needs))

    assert problem.message.startswith(message)
    assert problem.line == 12
    assert problem.address.startswith("doc.me")


def test_chains_by_for_each(bench: Any) -> None:
    stack = bench.load(
        """
        resources:
          doc:
            one: {hosts: lb1, for_each: [a, b], path: "/1{{ each.key }}"}
            two: {hosts: lb1, for_each: [a, b], path: "/2{{ each.key }}", needs: ['doc.one["{{ each.key }}"]']}
        """
    )

    assert {str(a): [str(n.selector) for n in i.needs] for a, i in stack.instances.items() if a.name == "two"} == {
        'doc.two["a"]@lb1': ['doc.one["a"]'],
        'doc.two["b"]@lb1': ['doc.one["b"]'],
    }


def test_triggers_are_edges_but_not_to_oneself(bench: Any) -> None:
    stack = bench.load(
        """
        resources:
          doc: {conf: {hosts: lb1, path: /c}}
          unit: {nginx: {hosts: lb1, reload_on: [doc.conf]}}
        """
    )
    (unit,) = (i for a, i in stack.instances.items() if a.kind == "unit")

    assert [(str(n.selector), n.why, n.position.line) for n in unit.needs] == [("doc.conf", "trigger", 8)]


def test_what_a_kind_names_must_exist_too(bench: Any, place: Any) -> None:
    found = bench.problems(
        """
        resources:
          doc: {conf: {hosts: lb, path: /c}}
          unit: {nginx: {hosts: lb, reload_on: [doc.cnf]}}
          pair: {p: {hosts: lb, instance: VI_1}}
        """
    )
    file = bench.folder / "stack.yaml"

    assert [(p.line, p.column, p.address, p.message) for p in found] == [
        (*place(file, "doc.cnf"), "unit.nginx", "doc.cnf does not exist: did you mean 'doc.conf'?"),
        (*place(file, "VI_1"), "pair.p", "doc.VI_1 does not exist: known resources are doc.conf, pair.p, unit.nginx"),
    ]


def test_a_need_of_something_with_mistakes_is_no_second_problem(bench: Any) -> None:
    problem = bench.problem(
        """
        resources:
          doc:
            bad: {hosts: nowhere, path: /b}
            me: {hosts: lb1, path: /me, needs: [doc.bad@lb1, 'doc.bad["k"]', doc.bad]}
        """
    )

    assert problem.message.startswith("no such host or group 'nowhere'")
