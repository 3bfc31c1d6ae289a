"""Files of Ansible inventories: YAML, JSON of `ansible-inventory --list`, and INI.

Plugins, scripts and the folders group_vars and host_vars are not read: `ansible-inventory --list` has all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .inventory import Inventory
from .inventory_ini import read_ini
from .problems import Problems
from .yaml_nodes import Node, read_yaml

_KEYS = frozenset(("hosts", "children", "vars"))
_VAULT = "unknown tag !vault"


def read_inventory(text: str, file: str, problems: Problems) -> Inventory:
    """The inventory in a text; mistakes become problems. The name of the file or a brace decides for YAML and JSON."""
    if not file.endswith((".yml", ".yaml", ".json")) and not text.lstrip().startswith(("{", "---")):
        return read_ini(text, file, problems)
    inventory = Inventory()
    found = Problems()
    root = read_yaml(text, file, found) if text.strip() else None
    problems.take(found, ignoring=_VAULT)
    if root is None:
        return inventory
    if not isinstance(root.value, dict):
        problems.add(root.position, "an inventory must be a mapping of groups")
        return inventory
    known = root.child("_meta")
    facts = known.child("hostvars") if known is not None else None
    for name, node in root.map.items():
        if name != "_meta":
            _group(inventory, name, node, facts, problems)
    return inventory


def _group(inventory: Inventory, name: str, node: Node, facts: Node | None, problems: Problems) -> None:
    group = inventory.group(name, node.position)
    if node.value is None:
        return
    if not isinstance(node.value, dict):
        problems.add(node.position, f"the group {name} must be a mapping with hosts, children or vars")
        return
    for key in node.map.keys() - _KEYS:
        problems.add(node.key(key), f"the group {name} has {key!r}: a group has hosts, children and vars")
    group.vars.update(node.map["vars"].map if "vars" in node.map else {})
    for host, body in _named(node.child("hosts"), facts):
        inventory.add_host(group, host, body, problems)
    for child, below in _named(node.child("children"), None):
        group.children[child] = below.position
        if isinstance(below.value, dict):
            _group(inventory, child, below, facts, problems)
        else:
            inventory.group(child, below.position)


def _named(node: Node | None, facts: Node | None) -> Iterator[tuple[str, Node]]:
    """The entries of a mapping (YAML), or of a list of names with their values elsewhere (--list)."""
    if node is None:
        return
    for name, body in node.map.items():
        yield name, body if isinstance(body.value, dict) else Node({}, node.key(name))
    for item in node.list:
        values = facts.child(str(item.value)) if facts is not None else None
        yield str(item.value), Node(values.map if values is not None else {}, item.position)


__all__ = ["read_inventory"]
