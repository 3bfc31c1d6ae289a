"""`hosts_from`: hosts of an Ansible inventory in each of its three forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hacore.errors import StackError
from hacore.load.inventory import expanded

INI = """
# the edges
mail.example.com

[edge]
lb[1:2].example.com ansible_user=ops weight=100
lb3 ansible_host=192.0.2.3 note="two words" tags="['a', 'b']" # a comment

[edge:vars]
site = fra
weight=1
vip={{ lookup('env', 'VIP') }}

[web:children]
edge
other

[other]
10.0.0.9:2222

[all:vars]
site=all
ansible_become=yes
ansible_become_pass=not-for-us
"""
YAML = """
all:
  hosts:
    mail.example.com:
  vars: {site: all, ansible_become: true, ansible_become_pass: not-for-us}
  children:
    web:
      children:
        other: {hosts: {10.0.0.9: {ansible_port: 2222}}}
        edge:
          hosts:
            lb[1:2].example.com: {ansible_user: ops, weight: 100}
            lb3:
              ansible_host: "192.0.2.3"
              note: two words
              tags: [a, b]
              secret: !vault |
                $ANSIBLE_VAULT;1.1;AES256
                6162
          vars: {site: fra, weight: 1, vip: "{{ lookup('env', 'VIP') }}"}
"""
BARE = "stack: web\n"
META = {
    "lb1.example.com": {"ansible_user": "ops", "weight": 100, "site": "fra"},
    "lb2.example.com": {"ansible_user": "ops", "weight": 100, "site": "fra"},
    "lb3": {"ansible_host": "192.0.2.3", "note": "two words", "tags": ["a", "b"], "site": "fra", "weight": 1},
    "10.0.0.9": {"ansible_port": 2222, "site": "all"},
    "mail.example.com": {"site": "all"},
}
LISTED = {
    "_meta": {"hostvars": {name: {**values, "ansible_become": True} for name, values in META.items()}},
    "all": {"children": ["ungrouped", "web"]},
    "ungrouped": {"hosts": ["mail.example.com"]},
    "web": {"children": ["other", "edge"]},
    "other": {"hosts": ["10.0.0.9"]},
    "edge": {"hosts": ["lb1.example.com", "lb2.example.com", "lb3"]},
}
FORMS = [
    ("inventory.ini", INI),
    ("hosts", INI),
    ("inventory.yaml", YAML),
    ("inventory.json", json.dumps(LISTED)),
    ("listed", json.dumps(LISTED, indent=2)),
]


@pytest.mark.parametrize(("file", "text"), FORMS, ids=[file for file, _ in FORMS])
def test_each_form_gives_the_same_hosts(bench: Any, file: str, text: str) -> None:
    bench.write(file, text)
    stack = bench.load(f"hosts_from: {{ansible: {file}}}\nhosts: {{}}\n", head=BARE)
    assert sorted(stack.hosts) == sorted(META)
    assert {name: dict(host.vars) for name, host in stack.hosts.items()} == {
        name: {key: value for key, value in values.items() if not key.startswith("ansible_")}
        for name, values in META.items()
    }
    assert {host.connection.become for host in stack.hosts.values()} == {"sudo"}
    lb1, lb3, other = stack.hosts["lb1.example.com"], stack.hosts["lb3"], stack.hosts["10.0.0.9"]
    assert (lb1.address, lb1.connection.user, set(lb1.groups)) == ("lb1.example.com", "ops", {"edge", "web"})
    assert (lb3.address, lb3.connection.user) == ("192.0.2.3", None)
    assert (other.address, other.connection.port, set(other.groups)) == ("10.0.0.9", 2222, {"other", "web"})
    assert sorted(stack.groups["edge"]) == ["lb1.example.com", "lb2.example.com", "lb3"]
    assert "ungrouped" not in stack.groups and "all" not in stack.groups


def test_only_some_groups_and_what_the_stack_completes(bench: Any) -> None:
    bench.write("inventory.yaml", YAML)
    stack = bench.load(
        "hosts_from: {ansible: inventory.yaml, groups: [edge]}\n"
        "hosts: {lb3: {vars: {weight: 7}, connection: {port: 22}}, extra: {address: 192.0.2.9}}\n",
        head=BARE,
    )
    assert sorted(stack.hosts) == ["extra", "lb1.example.com", "lb2.example.com", "lb3"]
    lb3 = stack.hosts["lb3"]
    assert (lb3.address, lb3.vars["weight"], lb3.vars["site"]) == ("192.0.2.3", 7, "fra")
    assert (lb3.connection.port, lb3.connection.become) == (22, "sudo")


def test_an_environment_has_an_inventory_of_its_own(bench: Any) -> None:
    bench.write("prod.ini", "lb1\nlb2\n")
    bench.write("test.ini", "test1 ansible_host=192.0.2.1\n")
    bench.write("env/test.yaml", "hosts_from: {ansible: test.ini}\n")
    text = "hosts_from: {ansible: prod.ini}\n"
    assert sorted(bench.load(text, head=BARE).hosts) == ["lb1", "lb2"]
    assert sorted(bench.load(text, head=BARE, env_name="test").hosts) == ["test1"]


@pytest.mark.parametrize(
    ("file", "text", "groups", "told"),
    [
        ("i.ini", "lb1\n[web:oops]\n", "", "i.ini:2:1: unknown section [web:oops]"),
        ("i.ini", 'lb1 note="open\n', "", "i.ini:1:1: cannot read the line: no closing quotation"),
        ("i.ini", "lb1 weight\n", "", "i.ini:1:1: 'weight' must be NAME=VALUE"),
        ("i.ini", "[edge:vars]\nweight\n", "", "i.ini:2:1: a variable must be NAME=VALUE"),
        ("i.ini", "lb[1:99999]\n", "", "stands for more than 10000 hosts"),
        ("i.ini", "lb[2:1]\n", "", "stands for more than 10000 hosts, or for none"),
        ("i.ini", "lb1 ansible_host={{ vip }}\n", "", "i.ini:1:1: ansible_host of lb1 is an expression of Ansible"),
        ("i.ini", "lb1 ansible_connection=winrm\n", "", "must be ssh or local, not the string 'winrm'"),
        ("i.ini", "lb1 ansible_become=true ansible_become_method=su\n", "", "must be sudo, not the string 'su'"),
        ("i.ini", "lb1 ansible_port=99999\n", "", "i.ini:1:1: hosts.lb1"),
        ("i.ini", "lb1 ansible_host=-oProxyCommand=id\n", "", "i.ini:1:1: hosts.lb1"),
        ("i.ini", "[edge]\nlb1\n", "[egde]", "the inventory has no group 'egde': did you mean 'edge'?"),
        ("i.yaml", "[lb1]\n", "", "i.yaml:1:1: an inventory must be a mapping of groups"),
        ("i.yaml", "edge: [lb1]\n", "", "i.yaml:1:7: the group edge must be a mapping with hosts, children or vars"),
        ("i.yaml", "edge: {host: {lb1: }}\n", "", "i.yaml:1:8: the group edge has 'host'"),
        ("i.yaml", "edge: {hosts: {lb1: {a: !x 1}}}\n", "", "unknown tag !x"),
    ],
)
def test_mistakes_have_the_line_of_the_inventory(bench: Any, file: str, text: str, groups: str, told: str) -> None:
    bench.write(file, text)
    more = f", groups: {groups}" if groups else ""
    with pytest.raises(StackError) as error:
        bench.load(f"hosts_from: {{ansible: {file}{more}}}\n", head=BARE)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("inventory.ini", "hosts_from must be {ansible: FILE}"),
        ("{ansible: 3}", "hosts_from must be {ansible: FILE}"),
        ("{ansible: i.ini, groups: edge}", "hosts_from must be {ansible: FILE}"),
        ("{ansible: i.ini, group: [edge]}", "hosts_from must be {ansible: FILE}"),
        ("{ansible: none.ini}", "cannot read none.ini: No such file or directory"),
        ("{ansible: ../i.ini}", "it is outside of the stack's folder"),
        ("{ansible: /etc/passwd}", "it is outside of the stack's folder"),
    ],
)
def test_an_inventory_that_cannot_be_read(bench: Any, written: str, told: str) -> None:
    with pytest.raises(StackError, match=r"hosts_from|cannot read") as error:
        bench.load(f"hosts_from: {written}\n", head=BARE)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("lb", ["lb"]),
        ("lb[1:3]", ["lb1", "lb2", "lb3"]),
        ("lb[08:10].x", ["lb08.x", "lb09.x", "lb10.x"]),
        ("lb[1:5:2]", ["lb1", "lb3", "lb5"]),
        ("db-[a:c]", ["db-a", "db-b", "db-c"]),
        ("r[1:2]n[a:b]", ["r1na", "r1nb", "r2na", "r2nb"]),
        ("[::1]", ["[::1]"]),
        ("lb[a:3]", None),
        ("lb[1:2:0]", None),
        ("lb[0:9999]x[0:9]", None),
    ],
)
def test_ranges(name: str, names: list[str] | None) -> None:
    assert expanded(name) == names
