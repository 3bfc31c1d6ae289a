"""Resources: the addresses of a block, what its expressions see, and how kinds look at hosts."""

from __future__ import annotations

from typing import Any

import pytest


def addresses(bench: Any, body: str) -> list[str]:
    return [str(a) for a in bench.load(body).instances]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("", ["lb1", "lb2", "db1"]),
        ("hosts: all,", ["lb1", "lb2", "db1"]),
        ("hosts: lb,", ["lb1", "lb2"]),
        ("hosts: lb2,", ["lb2"]),
        ("hosts: [db, lb2, lb],", ["db1", "lb2", "lb1"]),
        ("hosts: [],", []),
        ("members: lb,", ["lb1", "lb2"]),
        ("hosts: \"{{ groups.lb | reject('eq', 'lb1') | list }}\",", ["lb2"]),
        ("hosts: \"{{ 'd' ~ 'b' }}\",", ["db1"]),
    ],
)
def test_hosts_are_a_host_a_group_or_a_list_of_them(bench: Any, hosts: str, expected: list[str]) -> None:
    body = f"resources: {{doc: {{a: {{{hosts} path: /a}}}}}}"

    assert addresses(bench, body) == [f"doc.a@{host}" for host in expected]


def test_expressions_see_the_host_and_the_others(bench: Any) -> None:
    specs = bench.specs(
        """
        variables: {port: {default: 80}}
        resources:
          doc:
            a:
              hosts: lb
              path: /{{ host.name }}
              size: "{{ host.vars.prio }}"
              content: "{{ host.address }} {{ hosts.db1.address }} {{ groups.lb | join(',') }}"
              vars: {port: "{{ var.port }}", all: "{{ groups.all }}", nic: {name: "{{ host.vars.nic }}"}}
        """
    )

    two = specs["doc.a@lb2"]
    assert (two.path, two.size) == ("/lb2", 99)
    assert two.content == "192.0.2.2 192.0.2.3 lb1,lb2"
    assert two.vars == {"port": 80, "all": ["lb1", "lb2", "db1"], "nic": {"name": "eth2"}}


def test_members_as_a_mapping_lie_over_the_body(bench: Any) -> None:
    stack = bench.load(
        """
        resources:
          doc:
            a:
              members: {lb1: {mode: "0600", content: "{{ host.vars.prio | string }}"}, db: {path: /db}, lb2: }
              path: /a
              mode: "0644"
        """
    )
    specs = {str(a): i.spec for a, i in stack.instances.items()}

    assert [(s.path, s.mode, s.content) for s in specs.values()] == [
        ("/a", "0600", "100"),
        ("/db", "0644", None),
        ("/a", "0644", None),
    ]
    assert list(specs) == ["doc.a@lb1", "doc.a@db1", "doc.a@lb2"]


def test_mistakes_of_a_member_stand_where_they_were_written(bench: Any, place: Any) -> None:
    found = bench.problems(
        """
        resources:
          doc:
            a:
              members:
                lb1: {size: large}
                lb3: {}
                lb2: {needs: [doc.a]}
              path: /a
            b: {hosts: lb1, members: lb2, path: /b}
        """
    )
    file = bench.folder / "stack.yaml"

    assert [(p.line, p.column, p.message) for p in found] == [
        (*place(file, "large"), "size must be an integer, not the string 'large'"),
        (*place(file, "lb3"), "no such host or group 'lb3': did you mean 'lb'?"),
        (*place(file, "needs"), "needs cannot differ by member: move it to the body"),
        (*place(file, "members: lb2"), "use either hosts or members, not both: they have the same meaning"),
    ]


def test_for_each_over_a_list_and_a_mapping(bench: Any) -> None:
    specs = bench.specs(
        """
        variables: {sites: {default: {a@b: {port: 80}}}}
        resources:
          doc:
            names: {hosts: lb1, for_each: [x, 'y "z"'], path: "/{{ each.key }}", content: "{{ each.value }}"}
            sites: {hosts: lb1, for_each: "{{ var.sites }}", path: "/{{ each.key }}", size: "{{ each.value.port }}"}
            some: {hosts: lb1, for_each: "{{ range(2) }}", path: "/{{ each.key }}", size: "{{ each.value }}"}
            none: {hosts: lb1, for_each: [], path: /none}
        """
    )

    assert {address: (spec.path, spec.content, spec.size) for address, spec in specs.items()} == {
        'doc.names["x"]@lb1': ("/x", "x", None),
        'doc.names["y \\"z\\""]@lb1': ('/y "z"', 'y "z"', None),
        'doc.sites["a@b"]@lb1': ("/a@b", None, 80),
        'doc.some["0"]@lb1': ("/0", None, 0),
        'doc.some["1"]@lb1': ("/1", None, 1),
    }


def test_a_false_when_is_switched_off_not_gone(bench: Any) -> None:
    stack = bench.load(
        """
        variables: {on: {default: false}}
        resources:
          doc:
            a: {hosts: lb, when: "{{ host.vars.prio > 99 }}", path: /a}
            b: {hosts: lb1, when: "{{ var.on }}", path: /b}
            c: {hosts: lb1, when: "{{ each.value }}", for_each: {x: true, y: false}, path: "/{{ each.key }}"}
            d: {hosts: lb1, path: /d, needs: [doc.a@lb2, doc.b, 'doc.c["y"]']}
        """
    )

    assert [str(a) for a in stack.instances] == ["doc.a@lb1", 'doc.c["x"]@lb1', "doc.d@lb1"]
    assert sorted(map(str, stack.switched_off)) == ["doc.a@lb2", "doc.b@lb1", 'doc.c["y"]@lb1']


def test_references_give_the_other_spec_on_the_same_host_and_an_edge(bench: Any) -> None:
    bench.write("t.j2", "{{ resource.doc.last['k'].path }}")
    stack = bench.load(
        """
        resources:
          doc:
            late: {hosts: lb, path: "{{ resource.doc['base.conf'].path }}.d", size: "{{ resource.doc.base.size }}"}
            base.conf: {hosts: lb, path: "/{{ host.name }}"}
            base: {hosts: lb, path: /x, size: 5}
            keyed: {hosts: lb, for_each: [k], path: "/{{ each.key }}"}
            last:
              hosts: lb
              for_each: [k]
              path: "{{ resource.doc.keyed[each.key].path }}{{ resource.doc.late.path }}"
            text: {hosts: lb2, path: /t, template: t.j2}
        """
    )
    specs = {str(a): i.spec for a, i in stack.instances.items()}
    needs = {str(a): [(str(n.selector), n.why) for n in i.needs] for a, i in stack.instances.items()}

    assert (specs["doc.late@lb2"].path, specs["doc.late@lb2"].size) == ("/lb2.d", 5)
    assert specs['doc.last["k"]@lb1'].path == "/k/lb1.d"
    assert specs["doc.text@lb2"].content == "/k/lb2.d"
    assert needs["doc.late@lb1"] == [("doc.base.conf", "reference"), ("doc.base", "reference")]
    assert needs['doc.last["k"]@lb1'] == [('doc.keyed["k"]', "reference"), ("doc.late", "reference")]
    assert needs["doc.text@lb2"] == [('doc.last["k"]', "reference")]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("resource.dok.a.path", "resource.dok: did you mean 'doc'?"),
        ("resource.doc.basis.path", "resource doc.basis does not exist: did you mean 'base'?"),
        ("resource.doc.base.pth", "doc.base has no field 'pth': did you mean 'path'?"),
        ("resource.doc.base.size", None),
        ("resource.doc.base", "the result is not data: use one of its parts"),
        ("resource.doc.keyed.path", "doc.keyed has a for_each: choose an item, as in [each.key].path"),
        ("resource.doc.keyed['z'].path", "doc.keyed has no key 'z': known keys are k"),
        ("resource.doc.far.path", "doc.far is not on lb1: it is on db1"),
        ("resource.doc.off.path", "doc.off@lb1 has no values: its `when` is false"),
        ("resource.doc.me.path", "the references form a cycle: doc.me -> doc.me"),
    ],
)
def test_a_bad_reference_is_a_problem(bench: Any, expression: str, message: str | None) -> None:
    body = f"""
    resources:
      doc:
        base: {{hosts: lb, path: /b}}
        keyed: {{hosts: lb, path: /k, for_each: [k]}}
        far: {{hosts: db, path: /f}}
        off: {{hosts: lb, path: /o, when: false}}
        me: {{hosts: lb1, path: /me, content: "{{{{ {expression} }}}}"}}
    """
    if message is None:
        bench.load(body)
    else:
        problem = bench.problem(body)
        assert problem.message.removeprefix("cannot evaluate the expression: ") == message
        assert problem.address == "doc.me@lb1"


def test_a_circle_is_told_once_and_names_its_way(bench: Any) -> None:
    problem = bench.problem(
        """
        resources:
          doc:
            a: {hosts: lb, path: "{{ resource.doc.b.path }}"}
            b: {hosts: lb, path: "{{ resource.doc.c.path }}"}
            c: {hosts: lb, path: "{{ resource.doc.a.path }}"}
        """
    )

    assert problem.message == "the references form a cycle: doc.a -> doc.b -> doc.c -> doc.a"


def test_long_chains_of_references_do_not_nest(bench: Any) -> None:
    links = [f'c{n}: {{hosts: lb1, path: "{{{{ resource.doc.c{n + 1}.path }}}}"}}' for n in range(400)]
    body = "resources:\n  doc:\n" + "\n".join(f"    {line}" for line in [*links, "c400: {hosts: lb1, path: /end}"])

    assert bench.specs(body)["doc.c0@lb1"].path == "/end"


def test_a_kind_that_looks_at_all_hosts_has_one_instance(bench: Any) -> None:
    stack = bench.load(
        """
        resources:
          doc: {VI: {members: [lb2, lb1], path: /x, content: "{{ host.name }}"}}
          pair:
            implied: {instance: VI}
            given: {instance: VI, hosts: lb}
        """
    )
    pairs = {str(a): i for a, i in stack.instances.items() if a.kind == "pair"}

    assert list(pairs) == ["pair.implied", "pair.given"]
    implied, given = pairs.values()
    assert (implied.host, implied.hosts, implied.spec.first, implied.spec.address) == (
        None,
        ("lb2", "lb1"),
        "lb2",
        "lb2",
    )
    assert (given.hosts, given.spec.first, given.spec.address) == (("lb1", "lb2"), "lb1", "lb1")
    assert [(str(n.selector), n.why) for n in given.needs] == [("doc.VI", "needs")]


def test_lifecycle_and_names(bench: Any) -> None:
    stack = bench.load(
        """
        variables: {keep: {default: true}}
        resources:
          unit:
            nginx: {hosts: lb1, lifecycle: {prevent_destroy: "{{ var.keep }}", on_delete: keep, ignore_changes: [unit]}}
            many: {hosts: lb1, for_each: [a]}
            bare:
        """
    )
    by_text = {str(a): i for a, i in stack.instances.items()}

    nginx = by_text["unit.nginx@lb1"]
    assert nginx.lifecycle.prevent_destroy
    assert (nginx.lifecycle.on_delete, nginx.lifecycle.ignore_changes) == ("keep", ("unit",))
    assert nginx.spec.unit == "nginx"
    assert by_text['unit.many["a"]@lb1'].spec.unit == 'many["a"]'
    assert by_text["unit.bare@db1"].position.line == 11


def test_connections_groups_bystanders_and_outputs(bench: Any) -> None:
    stack = bench.load(
        """
        connection: {user: "{{ var.user }}", port: 22}
        bystanders:
          tomcat: {address: 192.0.2.9, serve: {port: 8080, body: "hello {{ var.user }}"}}
          quiet: {address: 192.0.2.8}
        outputs: {url: "http://{{ hosts.lb1.address }}/", hosts: "{{ groups.lb }}", fixed: 5}
        """,
        head="""\
stack: web
variables: {user: {default: root}, one: {default: 192.0.2.1}}
hosts:
  lb1: {address: "{{ var.one }}", groups: [lb], connection: {port: 2222, become: sudo}}
""",
    )

    connection = stack.hosts["lb1"].connection
    assert stack.hosts["lb1"].address == "192.0.2.1"
    assert (connection.user, connection.port, connection.become) == ("root", 2222, "sudo")
    assert stack.groups == {"lb": ("lb1",)}
    assert [(b.name, b.address, b.port, b.status, b.body) for b in stack.bystanders] == [
        ("tomcat", "192.0.2.9", 8080, 200, "hello root"),
        ("quiet", "192.0.2.8", 80, 200, ""),
    ]
    assert stack.outputs == {"url": "http://192.0.2.1/", "hosts": ["lb1"], "fixed": 5}


def test_the_digest_names_what_was_loaded(bench: Any) -> None:
    body = "variables: {{x: {{default: {x}}}}}\nresources: {{doc: {{a: {{path: '{{{{ var.x }}}}'}}}}}}  {comment}\n"
    first = bench.load(body.format(x="/1", comment="")).digest

    assert bench.load(body.format(x="/1", comment="# same")).digest == first
    assert bench.load(body.format(x="/2", comment="")).digest != first
