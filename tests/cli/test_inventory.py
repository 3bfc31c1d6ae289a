"""`hacore inventory`: hosts, groups and connections for Ansible, and no secret."""

from __future__ import annotations

from tests.cli.conftest import Console

SECRET = "hunter2-and-more"
HEAD = """
stack: web
variables:
  password: {type: string, sensitive: true, default: hunter2-and-more}
connection: {user: ops, become: sudo}
hosts:
  a: {address: 192.0.2.1, groups: [lb], vars: {interface: eth1, priority: 100, list: [x, hunter2-and-more]}}
  b: {address: 192.0.2.2, groups: [lb, db], connection: {port: 2222, identity_file: /keys/b}}
  here: {address: localhost, connection: {transport: local}, vars: {url: "http://u:hunter2-and-more@192.0.2.9/"}}
"""
SUDO = {"ansible_user": "ops", "ansible_become": True, "ansible_become_method": "sudo"}
A = {"ansible_host": "192.0.2.1", **SUDO, "interface": "eth1", "priority": 100}
B = {"ansible_host": "192.0.2.2", **SUDO, "ansible_port": 2222, "ansible_ssh_private_key_file": "/keys/b"}


def test_what_an_inventory_script_prints(console: Console) -> None:
    console.stack("thing: {conf: {hosts: a, text: v1}}", HEAD)
    done = console("inventory")

    assert done.code == 0
    assert done.json["all"] == {"hosts": ["a", "b", "here"], "children": ["lb", "db"]}
    assert done.json["lb"] == {"hosts": ["a", "b"]} and done.json["db"] == {"hosts": ["b"]}
    assert done.json["_meta"]["hostvars"]["a"] == A
    assert done.json["_meta"]["hostvars"]["b"] == B
    assert done.json["_meta"]["hostvars"]["here"] == {"ansible_connection": "local", **SUDO}


def test_a_static_file_has_the_same(console: Console) -> None:
    console.stack("thing: {conf: {hosts: a, text: v1}}", HEAD)
    done = console("inventory", "--static").json["all"]

    assert done["hosts"]["a"] == A and done["hosts"]["b"] == B
    assert done["children"] == {"lb": {"hosts": {"a": {}, "b": {}}}, "db": {"hosts": {"b": {}}}}


def test_no_secret_is_in_it_and_what_is_left_out_is_named(console: Console) -> None:
    console.stack("thing: {conf: {hosts: a, text: v1}}", HEAD)
    for words in ([], ["--static"]):
        done = console("inventory", *words)

        assert SECRET not in done.out + done.err
        assert "(sensitive)" not in done.out
        assert done.err.splitlines() == [
            "warning: left out because its value has a secret: a: list",
            "warning: left out because its value has a secret: here: url",
        ]


def test_a_short_secret_is_no_part_of_a_word(console: Console) -> None:
    console.stack("thing: {conf: {hosts: a, text: v1}}", HEAD.replace("default: hunter2-and-more", "default: e"))

    assert console("inventory").json["_meta"]["hostvars"]["a"]["priority"] == 100


def test_a_stack_reads_its_hosts_from_it(console: Console) -> None:
    console.stack("thing: {conf: {hosts: lb, text: v1}}", HEAD)
    for words in ([], ["--static"]):
        console.stack("thing: {conf: {hosts: lb, text: v1}}", HEAD)
        (console.folder / "hosts.json").write_text(console("inventory", *words).out)
        console.stack("thing: {conf: {hosts: lb, text: v1}}", "stack: web\nhosts_from: {ansible: hosts.json}\n")

        again = console("inventory")
        assert again.code == 0, again.err
        assert again.json["lb"] == {"hosts": ["a", "b"]}
        assert again.json["_meta"]["hostvars"]["b"]["ansible_port"] == 2222
        assert again.json["_meta"]["hostvars"]["a"]["interface"] == "eth1"
