"""An Ansible inventory: groups of hosts with their variables.

Source: docs of ansible-core, "How to build your inventory".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .problems import Problems
from .stack import Position
from .yaml_nodes import Node

MOST = 10_000
"""Hosts that one name with ranges may stand for."""

_RANGE = re.compile(r"\[(?P<first>\d+|[a-zA-Z]):(?P<last>\d+|[a-zA-Z])(?::(?P<step>\d+))?\]")


@dataclass(slots=True)
class InventoryGroup:
    """A group as written: its hosts with their variables, the names of its children, its own variables."""

    position: Position
    hosts: dict[str, Node] = field(default_factory=dict)
    children: dict[str, Position] = field(default_factory=dict)
    vars: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InventoryHost:
    """A host: where it is first named, its variables with those of its groups, and the groups, `all` excepted."""

    position: Position
    vars: Mapping[str, Node]
    groups: tuple[str, ...]


class Inventory:
    """The groups of an inventory by name, in the order of the file."""

    def __init__(self) -> None:
        self.groups: dict[str, InventoryGroup] = {}

    def group(self, name: str, where: Position) -> InventoryGroup:
        """A group, made when it is named for the first time."""
        return self.groups.setdefault(name, InventoryGroup(where))

    def add_host(self, group: InventoryGroup, pattern: str, body: Node, problems: Problems) -> None:
        """A host, or those that a name with ranges stands for."""
        names = expanded(pattern)
        if names is None:
            problems.add(body.position, f"the name {pattern!r} stands for more than {MOST} hosts, or for none")
        for name in names or ():
            known = group.hosts.get(name)
            group.hosts[name] = body if known is None else known.merged(body)

    def below(self, name: str) -> list[str]:
        """A group and all groups below it, each once."""
        found: dict[str, None] = {}
        queue = [name]
        while queue:
            one = queue.pop(0)
            if one not in found:
                found[one] = None
                queue += self.groups[one].children if one in self.groups else ()
        return list(found)

    def hosts(self) -> dict[str, InventoryHost]:
        """All hosts with their variables: those of a child go before those of its parents, a host's own before all."""
        above: dict[str, set[str]] = {name: set() for name in self.groups}
        for name in self.groups:
            for child in self.below(name)[1:]:
                above.setdefault(child, set()).add(name)
        # the number of groups above stands for the depth: a child has more of them than each of its parents
        order = sorted(self.groups, key=lambda name: (name != "all", len(above[name] - {"all", name}), name))
        found: dict[str, InventoryHost] = {}
        for name in self.groups:
            for host in self.groups[name].hosts:
                found.setdefault(host, self._host(host, order))
        return found

    def _host(self, host: str, order: list[str]) -> InventoryHost:
        member = {name for name in order if any(host in self.members(below) for below in self.below(name))}
        values: dict[str, Node] = {}
        for name in order:
            if name in member or name == "all":
                values |= self.groups[name].vars
        bodies = [self.groups[name].hosts[host] for name in order if host in self.groups[name].hosts]
        for body in bodies:
            values |= body.map
        groups = tuple(name for name in self.groups if name in member and name not in ("all", "ungrouped"))
        return InventoryHost(bodies[0].position, values, groups)

    def members(self, name: str) -> Mapping[str, Node]:
        """The hosts that a group names itself."""
        return self.groups[name].hosts if name in self.groups else {}


def expanded(pattern: str) -> list[str] | None:
    """The names that `web[01:20]` stands for; a name without a range is itself. None: none, or too many."""
    found = _RANGE.search(pattern)
    if found is None:
        return [pattern]
    items = _items(found["first"], found["last"], int(found["step"] or 1))
    rest = expanded(pattern[found.end() :])
    if not items or rest is None or len(items) * len(rest) > MOST:
        return None
    return [f"{pattern[: found.start()]}{item}{end}" for item in items for end in rest]


def _items(first: str, last: str, step: int) -> list[str]:
    if step < 1 or first.isdigit() != last.isdigit():
        return []
    if not first.isdigit():
        return [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    if max(len(first), len(last)) > 18 or (int(last) - int(first)) // step >= MOST:
        return []
    width = len(first) if first.startswith("0") else 0
    return [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)]


__all__ = ["MOST", "Inventory", "InventoryGroup", "InventoryHost", "expanded"]
