"""What an editor makes of stack files with `hacore schema`: what loads is taken, mistakes show in their place."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hacore.cli.scaffold import NewHost, NewStack, files_of
from hacore.errors import StackError
from hacore.load import LoadRequest, load, load_providers, stack_schema
from hacore.load.problems import Problems
from hacore.load.yaml_nodes import read_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("stacks/*/stack.yaml"), *ROOT.glob("docs/examples/*.yaml")])
README = re.findall(r"(?ms)^```yaml\n(stack:.*?)^```", (ROOT / "README.md").read_text())
HOSTS = (NewHost("lb1", "192.0.2.11", "eth0"), NewHost("lb2", "192.0.2.12", "ens18"))
NEW = {
    "pair": NewStack("web", HOSTS, "192.0.2.200", ("nginx",)),
    "pair without nginx": NewStack("proxy", HOSTS, "192.0.2.200", ("haproxy", "keepalived"), "deploy"),
    "one host": NewStack("db", HOSTS[:1], "", ("postgresql",)),
}
HEAD = """\
stack: web
variables:
  n: {type: int, default: 3}
  yes: {type: bool, default: true}
  names: {type: list, default: [tree]}
  word:
hosts:
  lb1: {address: 192.0.2.1, groups: [lb], vars: {priority: 100}}
  lb2: {address: 192.0.2.2, groups: [lb], vars: {priority: 99}}
"""
VRRP = "interface: eth0, virtual_router_id: 66, priority: '{{ host.vars.priority }}'"
BUILD = f"source: https://example.org/x-1.tar.gz, sha256: {'a' * 64}"


@cache
def validator() -> jsonschema.Draft202012Validator:
    schema = stack_schema(load_providers())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def places(text: str) -> dict[str, str]:
    """Where an editor would underline something, and what it would say."""
    problems = Problems()
    node = read_yaml(text, "stack.yaml", problems)
    assert node is not None
    assert not problems
    found = [jsonschema.exceptions.best_match([error]) for error in validator().iter_errors(node.data())]
    return {"/".join(map(str, error.absolute_path)): error.message for error in found if error is not None}


def written(kind: str, body: str) -> str:
    return f"{HEAD}resources:\n  {kind}:\n    x: {body}\n"


# -- whole files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_stack_and_example_is_taken(path: Path) -> None:
    assert places(path.read_text()) == {}


def test_the_stack_of_the_readme_is_taken() -> None:
    assert [places(text) for text in README] == [{}]


@pytest.mark.parametrize("stack", NEW.values(), ids=NEW)
def test_what_init_writes_is_taken(stack: NewStack) -> None:
    assert places(files_of(stack)["stack.yaml"]) == {}


# -- all ways to write a value ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("package", ""),
        ("package", "{names: [tree, gcc]}"),
        ("package", "{names: {debian: [gcc], redhat: ['{{ var.names[0] }}']}}"),
        ("package", '{names: "{{ var.names }}"}'),
        ("package", '{name: tree, version: "1.8.0-1"}'),
        ("file", "{hosts: lb1, path: /a, owner: 33, group: adm}"),
        ("file", '{hosts: lb, path: /a, content: "x", mode: "0{{ 640 + var.n }}"}'),
        ("file", '{hosts: [lb1, lb], path: /a, when: "{{ var.yes }}", needs: []}'),
        ("file", "{hosts: all, path: /a, ensure: directory, when: false, mode: '755'}"),
        ("file", '{hosts: "{{ groups.lb }}", path: /a, ensure: absent}'),
        ("file", '{path: "/{{ each.key }}", for_each: [a, 7], link_to: "{{ each.key }}"}'),
        ("file", '{path: "/{{ each.key }}", for_each: {a: {mode: "0600"}}, mode: "{{ each.value.mode }}"}'),
        ("file", '{path: "/{{ each.key }}", for_each: "{{ var.names }}", content: ""}'),
        ("file", "{path: /a, content: x, lifecycle: {prevent_destroy: true, ignore_changes: [mode], on_delete: keep}}"),
        ("service", "{running: '{{ var.yes }}', enabled: true, unit: a.service, needs: package.y}"),
        ("source_build", f"{{{BUILD}, directories: [/var/a, {{path: /var/b, mode: '0750'}}, '/var/{{{{ var.n }}}}']}}"),
        ("source_build", f"{{{BUILD}, make: make, install: [make install, ldconfig], runtime: /var/a/*, patches: []}}"),
        ("source_build", f"{{{BUILD}, configure: [--a, '{{{{ var.n }}}}x'], environment: {{CC: gcc}}}}"),
        ("vrrp_instance", f"{{members: lb, {VRRP}, addresses: [192.0.2.9]}}"),
        ("vrrp_instance", f"{{hosts: [lb1, lb2], {VRRP}, addresses: [{{address: 192.0.2.9/24, dev: eth0}}]}}"),
        (
            "vrrp_instance",
            f"{{{VRRP}, addresses: ['{{{{ \"192.0.2.9\" }}}}'], unicast: true, advert_interval: '{{{{ var.n }}}}'}}",
        ),
        ("vrrp_instance", f"{{{VRRP}, addresses: [192.0.2.9], unicast: {{peers: [192.0.2.1, 192.0.2.2]}}, extra: a}}"),
        ("vrrp_instance", f"{{{VRRP}, addresses: [192.0.2.9], extra: [a, b], preempt: false, state: BACKUP}}"),
        (
            "vrrp_instance",
            "{members: {lb1: {interface: eth0, priority: 9}, lb2: {interface: eth1, state: BACKUP}}, "
            "virtual_router_id: 66, addresses: [192.0.2.9]}",
        ),
        ("vrrp_instance", f"{{members: {{lb1: , lb2: {{priority: 9}}}}, {VRRP}, addresses: [192.0.2.9]}}"),
        ("command", "{check: 'true', do: ':', undo: ':', timeout: 1.5}"),
    ],
)
def test_each_way_to_write_a_value_loads_and_is_taken(tmp_path: Path, kind: str, body: str) -> None:
    text = written(kind, body) + ("  package: {y: }\n" if "package.y" in body else "")
    (tmp_path / "stack.yaml").write_text(text)

    load(LoadRequest(tmp_path / "stack.yaml", environ={}, variables={"word": "x"}), load_providers())

    assert places(text) == {}


def test_empty_sections_load_and_are_taken(tmp_path: Path) -> None:
    text = "stack: a\nvariables:\nhosts: {a: {address: 192.0.2.1}}\nresources:\n  package:\noutputs:\nbystanders:\n"
    (tmp_path / "stack.yaml").write_text(text)

    load(LoadRequest(tmp_path / "stack.yaml", environ={}), load_providers())

    assert places(text) == {}


# -- mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "place", "said"),
    [
        ("file", "{path: /a, mode: 0644}", "mode", "644 is not"),
        ("file", "{path: /a, mode: rw-r--r--}", "mode", "rw-r--r--"),
        ("file", "{path: /a, pth: /a}", "", "'pth' was unexpected"),
        ("file", "{content: a}", "", "'path' is a required property"),
        ("file", "", "", "None is not of type 'object'"),
        ("file", "{path: /a, content: 5}", "content", "5 is not"),
        ("file", "{path: /a, ensure: dir}", "ensure", "'dir' is not"),
        ("file", "{path: /a, hosts: 5}", "hosts", "5 is not"),
        ("file", "{path: /a, when: maybe}", "when", "'maybe' does not match"),
        ("file", "{path: /a, for_each: a}", "for_each", "'a' does not match"),
        ("file", "{path: /a, lifecycle: {prevent_destory: true}}", "lifecycle", "'prevent_destory' was unexpected"),
        ("file", "{path: /a, lifecycle: {on_delete: drop}}", "lifecycle/on_delete", "'drop' is not"),
        ("service", "{running: started}", "running", "'started' does not match"),
        ("service", "{reload_on: file.a}", "reload_on", "'file.a' does not match"),
        ("package", "{names: {debian: gcc}}", "names/debian", "'gcc' does not match"),
        ("source_build", "{source: a, sha256: abc}", "sha256", "'abc' is not"),
        ("source_build", f"{{{BUILD}, directories: [{{path: /a, mode: 0755}}]}}", "directories/0/mode", "755 is not"),
        ("source_build", f"{{{BUILD}, configure: --prefix=/x}}", "configure", "'--prefix=/x' does not match"),
        ("vrrp_instance", f"{{{VRRP}, addresses: [{{adress: 192.0.2.9}}]}}", "addresses/0", "'adress'"),
        ("vrrp_instance", f"{{{VRRP}, addresses: 192.0.2.9}}", "addresses", "192.0.2.9"),
        (
            "vrrp_instance",
            f"{{members: {{lb1: {{priorty: 9}}}}, {VRRP}, addresses: [192.0.2.9]}}",
            "members/lb1",
            "'priorty'",
        ),
        ("vrrp_instance", "{interface: eth0, virtual_router_id: 300, addresses: [a]}", "virtual_router_id", "300 is"),
        ("vrrp_instance", "{virtual_router_id: 66, addresses: [192.0.2.9]}", "", "'interface' is a required property"),
        ("vip", "{instance: a, checks: [{http: 'http://x/', status: ok}]}", "checks/0/status", "'ok' does not match"),
        ("command", "{do: ':', undo: ':'}", "", "'check' is a required property"),
    ],
)
def test_a_mistake_is_shown_in_its_place(tmp_path: Path, kind: str, body: str, place: str, said: str) -> None:
    (tmp_path / "stack.yaml").write_text(written(kind, body))

    found = places(written(kind, body))

    assert list(found) == [f"resources/{kind}/x" + (f"/{place}" if place else "")]
    assert said in next(iter(found.values()))
    with pytest.raises(StackError):
        load(LoadRequest(tmp_path / "stack.yaml", environ={}, variables={"word": "x"}), load_providers())


@pytest.mark.parametrize("kind", sorted(load_providers()))
def test_what_hacore_fills_in_itself_is_not_offered(kind: str) -> None:
    """What the reference for people leaves out, the schema leaves out."""
    reference = (ROOT / "docs" / "stack-reference.md").read_text()
    chapter = re.split(r"(?m)^### ", reference.split(f"\n## {kind}\n", 1)[-1].split("\n## ", 1)[0])[0]
    rows = re.findall(r"(?m)^\| `(\w+)` \|", chapter)
    schema: Any = validator().schema["$defs"]  # type: ignore[index, call-overload]

    assert set(rows) == set(schema[f"{kind}.member"]["properties"])
