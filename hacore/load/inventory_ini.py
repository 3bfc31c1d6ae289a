"""Ansible inventories in INI: `[group]`, `[group:children]`, `[group:vars]`, hosts with variables in their line."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
from typing import Any

from ..scalars import data_fault
from .inventory import Inventory, InventoryGroup
from .problems import Problems, described
from .stack import Position
from .yaml_nodes import Node

_SECTION = re.compile(r"\[(?P<name>[^\]:]+)(?::(?P<what>[^\]]*))?\]\s*(?:[#;].*)?\Z")
_PORT = re.compile(r"(?P<host>[^:\s\[\]]+|[^:\s]*\[[^\]]+\][^:\s]*):(?P<port>\d+)\Z")


def read_ini(text: str, file: str, problems: Problems) -> Inventory:
    """The groups of an INI text; each line that is not understood is a problem of its own."""
    inventory = Inventory()
    where = Position(file, 1, 1)
    group, what = inventory.group("ungrouped", where), "hosts"
    for number, written in enumerate(text.splitlines(), 1):
        line, where = written.strip(), Position(file, number, 1)
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and (section := _SECTION.match(line)) is not None:
            group, what = inventory.group(section["name"].strip(), where), section["what"] or "hosts"
            if what not in ("hosts", "children", "vars"):
                problems.add(where, f"unknown section {line}: a group has hosts, :children and :vars")
        elif what == "children":
            child = _words(line, where, problems)[:1]
            group.children.update(dict.fromkeys(child, where))
            for name in child:
                inventory.group(name, where)
        elif what == "vars":
            name, sign, value = line.partition("=")
            if not sign or not name.strip():
                problems.add(where, "a variable must be NAME=VALUE")
            else:
                group.vars[name.strip()] = _value(value.strip(), where, problems)
        elif what == "hosts":
            _host(inventory, group, line, where, problems)
    return inventory


def _host(inventory: Inventory, group: InventoryGroup, line: str, where: Position, problems: Problems) -> None:
    words = _words(line, where, problems)
    if not words:
        return
    name, values = words[0], {}
    found = _PORT.match(name)
    if found is not None and name.count(":") - found["host"].count(":") == 1:
        name, values["ansible_port"] = found["host"], _value(found["port"], where, problems)
    for word in words[1:]:
        key, sign, value = word.partition("=")
        if not sign or not key:
            problems.add(where, f"{word!r} must be NAME=VALUE")
        else:
            values[key] = _value(value, where, problems)
    inventory.add_host(group, name, Node(values, where), problems)


def _words(line: str, where: Position, problems: Problems) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        problems.add(where, f"cannot read the line: {str(error).lower()}")
        return []


def _value(text: str, where: Position, problems: Problems) -> Node:
    """A value: a literal of Python (a number, True, a list) is that, as Ansible reads it; else the text."""
    value: Any = text
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        value = ast.literal_eval(text)
    if not _is_data(value):
        value = text
    if fault := data_fault(value):
        problems.add(where, f"cannot use the value {described(text)}: it {fault}")
        value = ""
    return _node(value, where, text)


def _is_data(value: Any) -> bool:
    """Whether YAML could hold it, too: no tuple, no bytes, no complex number."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_data(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(_is_data, value))
    return value is None or isinstance(value, str | int | float)


def _node(value: Any, where: Position, text: str) -> Node:
    if isinstance(value, dict):
        return Node({str(key): _node(one, where, str(one)) for key, one in value.items()}, where)
    if isinstance(value, list):
        return Node([_node(one, where, str(one)) for one in value], where)
    return Node(value, where, text=text)


__all__ = ["read_ini"]
