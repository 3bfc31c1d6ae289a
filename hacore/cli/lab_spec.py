"""The lab of a stack. It needs hosts and addresses only, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StackError, UsageError
from ..events import silent
from .stack_args import StackArgs, _root

if TYPE_CHECKING:
    from ..address import Address
    from ..contract import Network, Provider
    from ..lab import LabSpec
    from ..load.stack import Stack
    from ..model import Host

_PLACEHOLDERS = {"int": "1", "number": "1", "bool": "false", "list": "[]", "map": "{}"}
_TEXTS = ("x", "placeholder", "1", "a1", "192.0.2.1", "example.org", "/tmp/x")  # noqa: S108 - never used as a path
"""Placeholders of a string variable: the first one that its pattern allows is used."""


def stack_for_lab(args: StackArgs) -> Stack:
    """The stack, with a placeholder for each required variable that has no value."""
    from ..engine import load_stack

    request = args.request(silent)
    load = request.load
    try:
        stack = load_stack(request)
    except StackError as error:
        wrong = {problem.address.removeprefix("var.") for problem in error.problems}
        missing = {n: body for n, body in _required(load.file).items() if n in wrong and n not in load.variables}
        if not missing:
            raise
        filled = {name: placeholder(body) for name, body in missing.items()}
        stack = load_stack(replace(request, load=replace(load, variables={**load.variables, **filled})))
    args.know(stack)
    return stack


def _required(file: Path) -> Mapping[str, Mapping[str, Any]]:
    """The declarations of variables without a default."""
    root = _root(file)
    section = root.child("variables") if root is not None else None
    bodies = {name: node.data() for name, node in (section.map if section is not None else {}).items()}
    return {n: body or {} for n, body in bodies.items() if not isinstance(body, dict) or "default" not in body}


def placeholder(body: Mapping[str, Any]) -> str:
    """A text that is accepted as a value of a declared variable."""
    if body.get("enum"):
        return str(body["enum"][0])
    kind = body.get("type") or "string"
    if kind in _PLACEHOLDERS:
        return _PLACEHOLDERS[kind]
    pattern = body.get("pattern")
    try:
        return next((text for text in _TEXTS if pattern is None or re.fullmatch(pattern, text)), _TEXTS[0])
    except re.error:  # a mistake in the stack, which loading reports
        return _TEXTS[0]


def lab_spec(stack: Stack, kinds: Mapping[str, Provider[Any]]) -> LabSpec:
    """Twins of the hosts that are reached over SSH, and all other addresses in their network."""
    from ..lab import Bystander, LabSpec, Twin

    networks = _networks(stack, kinds)
    twins = tuple(
        Twin(name, host.address, _interface(host, networks), host.twin.os)
        for name, host in stack.hosts.items()
        if host.connection.transport == "ssh"
    )
    if not twins:
        raise UsageError(f"cannot create a lab of {stack.name}: no host of the stack is reached over SSH")
    bystanders = tuple(Bystander(b.name, b.address, b.port, b.status, b.body) for b in stack.bystanders)
    used = {twin.address for twin in twins}
    reserved = tuple(a for a in dict.fromkeys(_addresses(networks.values())) if a not in used)
    return LabSpec(stack.name, twins, bystanders, reserved)


def lab_users(stack: Stack) -> dict[str, str]:
    """The login user of each twin that the stack names; the default of the lab is root."""
    connections = {name: host.connection for name, host in stack.hosts.items()}
    return {name: c.user for name, c in connections.items() if c.transport == "ssh" and c.user}


def _interface(host: Host, networks: Mapping[Address, Network]) -> str:
    """The interface of the host's variables, else the one that a resource of the host is bound to."""
    named = host.vars.get("interface")
    if isinstance(named, str) and named:
        return named
    bound = (n.interface for address, n in networks.items() if address.host == host.name and n.interface)
    return next(bound, "eth0")


def _networks(stack: Stack, kinds: Mapping[str, Provider[Any]]) -> dict[Address, Network]:
    """The networks that instances use, in the order of their addresses."""
    networks = {address: kinds[address.kind].network(i.spec) for address, i in sorted(stack.instances.items())}
    return {address: network for address, network in networks.items() if network is not None}


def _addresses(networks: Iterable[Network]) -> Iterator[str]:
    """Addresses that resources configure: the gateway of the lab must not use them."""
    for network in networks:
        for text in network.addresses:
            if re.match(r"\d+\.\d+\.\d+\.\d+(/\d+)?\Z", text):
                yield text.partition("/")[0]
