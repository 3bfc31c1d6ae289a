"""From a stack to a lab, without a lab."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hacore.cli import stack_args
from hacore.cli.lab_spec import lab_spec, placeholder, stack_for_lab
from hacore.cli.runtime import Runtime
from hacore.cli.stack_args import StackArgs, lab_name
from hacore.contract import Network
from hacore.errors import StackError, UsageError
from hacore.testing.things import Thing
from tests.cli.conftest import Console

STACK = """
stack: pair
variables:
  secret: {type: string, sensitive: true, pattern: "[!#%-\\\\[\\\\]-~]{1,8}"}
  number: {type: int}
  given: {type: string, default: eth7}
hosts:
  lb1: {address: 192.0.2.11, vars: {interface: eth1}}
  lb2: {address: 192.0.2.12, twin: {os: sysvinit}}
  here: {address: localhost, connection: {transport: local}}
bystanders:
  tomcat: {address: 192.0.2.9, serve: {port: 8080, status: 200, body: hello}}
resources:
  thing:
    secret: {text: "{{ var.secret }}{{ var.number }}"}
"""


def args(console: Console, stack: str | None = None) -> StackArgs:
    import io

    from hacore.render.terminal import Terminal

    return StackArgs(Runtime(Terminal(io.StringIO(), io.StringIO(), {})), stack)


def test_a_lab_has_the_hosts_their_interfaces_and_what_is_near_them(console: Console) -> None:
    (console.folder / "stack.yaml").write_text(STACK)
    spec = lab_spec(stack_for_lab(args(console)), stack_args.providers())
    assert spec.stack == "pair"
    assert [(t.name, t.address, t.interface, t.os) for t in spec.twins] == [
        ("lb1", "192.0.2.11", "eth1", "debian"),
        ("lb2", "192.0.2.12", "eth0", "sysvinit"),
    ]
    assert [(b.name, b.address, b.port, b.body) for b in spec.bystanders] == [("tomcat", "192.0.2.9", 8080, "hello")]


def test_what_a_kind_says_of_the_network_is_for_twins(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host's own variable comes first; what is no IPv4 address a lab cannot spare."""
    told = Network("eth3", ("192.0.2.200/24", "192.0.2.11", "2001:db8::1"))
    monkeypatch.setattr(Thing, "network", lambda *_: told)
    (console.folder / "stack.yaml").write_text(STACK)
    spec = lab_spec(stack_for_lab(args(console)), stack_args.providers())
    assert [(t.name, t.interface) for t in spec.twins] == [("lb1", "eth1"), ("lb2", "eth3")]
    assert spec.reserved == ("192.0.2.200",)


def test_a_host_has_the_interface_of_what_is_on_it(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thing, "network", lambda _, spec: Network("eth9") if spec.key == "/pinned" else None)
    hosts = "lb1: {address: 192.0.2.11}\n  lb2: {address: 192.0.2.12}"
    things = "pinned: {hosts: lb2, key: /pinned}\n    free: {hosts: lb1}"
    (console.folder / "stack.yaml").write_text(f"stack: x\nhosts:\n  {hosts}\nresources:\n  thing:\n    {things}\n")
    spec = lab_spec(stack_for_lab(args(console)), stack_args.providers())
    assert [(t.name, t.interface) for t in spec.twins] == [("lb1", "eth0"), ("lb2", "eth9")]


def test_the_reference_stack_needs_no_password_for_its_lab(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    from hacore.load import load_providers

    monkeypatch.setattr("hacore.cli.stack_args.providers", load_providers)
    monkeypatch.delenv("HACORE_VAR_vrrp_password", raising=False)
    stacks = Path(__file__).parents[2] / "stacks"
    spec = lab_spec(stack_for_lab(args(console, str(stacks / "nginx-keepalived"))), stack_args.providers())
    assert [(t.name, t.interface) for t in spec.twins] == [("lb1", "eth1"), ("lb2", "eth2")]
    assert spec.reserved == ("192.168.1.200",)


def test_other_mistakes_of_the_stack_are_still_told(console: Console) -> None:
    (console.folder / "stack.yaml").write_text(STACK.replace("text:", "txt:"))
    with pytest.raises(StackError, match="txt"):
        stack_for_lab(args(console))


def test_the_name_of_a_lab_is_read_from_a_stack_that_does_not_load(console: Console) -> None:
    (console.folder / "stack.yaml").write_text("stack: pair\nresources: {nonsense: 1}\n")
    assert lab_name(args(console)) == "pair"
    assert lab_name(args(console, "other")) == "other"
    with pytest.raises(UsageError, match="cannot find a stack"):
        lab_name(args(console, "some/where"))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "string"},
        {"pattern": "[a-z]{1,8}"},
        {"pattern": r"\d+"},
        {"pattern": r"(\d+\.){3}\d+"},
        {"pattern": "/.+/.+"},
        {"enum": ["b", "c"]},
        {"type": "int"},
        {"type": "bool"},
        {"type": "list"},
        {"type": "map"},
    ],
)
def test_a_placeholder_passes_for_a_value(body: dict[str, Any]) -> None:
    text = placeholder(body)
    assert re.fullmatch(body.get("pattern", ".*"), text)
    assert text in body.get("enum", [text])


def test_exec_passes_words_and_exit_code_on(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    (console.folder / "stack.yaml").write_text(STACK)
    ran: list[tuple[str, tuple[str, ...]]] = []

    class FakeLab:
        def __init__(self, name: str) -> None:
            self.name = name

        @classmethod
        def named(cls, name: str, *, say: object) -> FakeLab:
            return cls(name)

        def exec(self, argv: tuple[str, ...]) -> int:
            ran.append((self.name, tuple(argv)))
            return 7

    monkeypatch.setattr("hacore.lab.Lab", FakeLab)
    assert console("lab", "exec", ".", "--", "ssh", "-v", "root@192.0.2.11", "--", "ls").code == 7
    assert console("lab", "exec", "pair", "ls", "--help").code == 7
    assert ran == [("pair", ("ssh", "-v", "root@192.0.2.11", "--", "ls")), ("pair", ("ls", "--help"))]
    assert console("lab", "exec", ".", "--").code == 64
