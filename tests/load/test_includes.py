"""`include`: parts of a stack in more files, with the positions of those files."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.errors import UsageError

DOCS = "resources:\n  doc:\n    a: {path: /a}\n"


def test_sections_are_put_together_and_resources_kind_by_kind(bench: Any) -> None:
    bench.write(
        "parts/more.yaml", "variables: {port: {default: 80}}\nresources: {doc: {b: {path: '/b{{ var.port }}'}}}\n"
    )
    bench.write(
        "parts/units.yaml", "resources: {unit: {web: {reload_on: [doc.b]}}}\noutputs: {port: '{{ var.port }}'}\n"
    )
    bench.write("hosts.yaml", "hosts: {lb3: {address: 192.0.2.9}}\n")
    bench.write("parts/empty.yaml", "resources:\n")
    stack = bench.load("include: [hosts.yaml, 'parts/*.yaml']\n" + DOCS)
    paths = {str(a): i.spec.path for a, i in stack.instances.items() if a.kind == "doc" and a.host == "lb1"}
    assert paths == {"doc.a@lb1": "/a", "doc.b@lb1": "/b80"}
    assert stack.outputs == {"port": 80}
    assert "lb3" in stack.hosts and len([a for a in stack.instances if a.kind == "unit"]) == 4


def test_the_order_of_the_files_does_not_matter_and_a_file_counts_once(bench: Any) -> None:
    bench.write("a.yaml", "resources: {doc: {x: {path: /x}}}")
    bench.write("b.yaml", "resources: {doc: {y: {path: /y}}}")
    orders = ("[a.yaml, b.yaml]", "[b.yaml, a.yaml]", "['[ab].yaml', a.yaml]")
    one, two, both = (bench.specs(f"include: {names}\n" + DOCS) for names in orders)
    assert one == two == both
    assert len(one) == 9


@pytest.mark.parametrize(
    ("body", "where", "message"),
    [
        ("resources: {doc: {a: {path: /b}}}", 1, "resources.doc.a is there twice: "),
        ("\nvariables: {v: {default: 1}}", 2, "variables.v is there twice: "),
        ("hosts: {lb1: {address: 192.0.2.7}}", 1, "hosts.lb1 is there twice: "),
        ("outputs: {o: 2}", 1, "outputs.o is there twice: "),
        ("stack: other", 1, "unknown key 'stack'"),
        ("include: [x.yaml]", 1, "unknown key 'include'"),
        ("resources: 3", 1, "resources must be a mapping, not"),
        ("- a", 1, "must be a mapping with bystanders, hosts, outputs, resources, variables"),
        ("resources: {doc: {b: {pth: /b}}}", 1, "pth"),
    ],
)
def test_mistakes_have_the_position_in_the_included_file(bench: Any, body: str, where: int, message: str) -> None:
    bench.write("part.yaml", body)
    problems = bench.problems("include: [part.yaml]\nvariables: {v: {default: 2}}\noutputs: {o: 1}\n" + DOCS)
    found = [p for p in problems if message in p.message]
    assert found, problems
    assert (found[0].file.endswith("part.yaml"), found[0].line) == (True, where)


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("part.yaml", "include must be a list of file names"),
        ("[3]", "include must have file names"),
        ("[/etc/passwd]", "it is outside of the stack's folder"),
        ("[../stack.yaml]", "it is outside of the stack's folder"),
        ("[none.yaml]", "there is no such file in"),
    ],
)
def test_what_cannot_be_included(bench: Any, include: str, message: str) -> None:
    assert message in bench.problem(f"include: {include}\n" + DOCS).message


def test_a_pattern_without_a_file_and_the_stack_file_itself_are_nothing(bench: Any) -> None:
    assert len(bench.load("include: ['none/*.yaml', '*.yaml']\n" + DOCS).instances) == 3


def test_a_link_out_of_the_folder_is_refused(bench: Any, tmp_path: Any) -> None:
    (tmp_path / "outside.yaml").write_text("resources: {}\n")
    bench.folder.mkdir()
    (bench.folder / "part.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(UsageError, match="it is a link to a file outside"):
        bench.load("include: [part.yaml]\n" + DOCS)
