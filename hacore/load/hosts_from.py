"""`hosts_from`: hosts of an Ansible inventory, as if they stood in `hosts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ExpressionError
from ..spelling import closest
from .files import Folder
from .inventory import Inventory, InventoryHost
from .inventory_file import read_inventory
from .outline import shown
from .problems import Problems, described
from .yaml_nodes import Node

_FORM = "hosts_from must be {ansible: FILE} or {ansible: FILE, groups: [NAME]}, an inventory in the stack's folder"
_CONNECTION = {
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "identity_file",
}
_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh")
_LOCAL = ("local", "ansible.builtin.local")
_SUDO = ("sudo", "ansible.builtin.sudo", "community.general.sudo")


def hosts_from(root: Node, environment: Node | None, folder: Folder, problems: Problems) -> Node | None:
    """The hosts that `hosts_from` names, as the section `hosts`; that of the environment in place of the stack's."""
    for node in (environment, root):
        written = node.child("hosts_from") if node is not None else None
        if written is not None and written.value is not None:
            return _read(written, folder, problems)
    return None


def _read(written: Node, folder: Folder, problems: Problems) -> Node:
    none = Node({}, written.position)
    file, groups = written.child("ansible"), written.child("groups")
    names = [one.value for one in groups.list] if groups is not None else []
    formed = file is not None and isinstance(file.value, str) and written.map.keys() <= {"ansible", "groups"}
    if not formed or (groups is not None and not (isinstance(groups.value, list) and all(map(_is_text, names)))):
        problems.add(written.position, _FORM)
        return none
    assert file is not None
    try:
        path = folder.locate(file.value)
        text = path.read_bytes().decode("utf-8-sig")
    except ExpressionError as error:
        problems.add(file.position, str(error))
        return none
    except OSError as error:
        problems.add(file.position, f"cannot read {file.value}: {error.strerror}")
        return none
    except UnicodeDecodeError as error:
        problems.add(file.position, f"cannot read {file.value}: not a UTF-8 text (byte {error.start})")
        return none
    inventory = read_inventory(text, shown(path), problems)
    chosen = _chosen(inventory, groups, problems)
    hosts = {name: host for name, host in inventory.hosts().items() if chosen is None or name in chosen}
    bodies = {name: _body(name, host, problems) for name, host in hosts.items()}
    return Node(bodies, written.position, {name: host.position for name, host in hosts.items()})


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _chosen(inventory: Inventory, groups: Node | None, problems: Problems) -> set[str] | None:
    """The hosts of some groups and of those below them; None: all hosts."""
    if groups is None or not groups.list:
        return None
    found: set[str] = set()
    for node in groups.list:
        if node.value in inventory.groups:
            found |= {host for name in inventory.below(node.value) for host in inventory.members(name)}
        elif node.value == "all":
            return None
        else:
            near = closest(node.value, inventory.groups)
            hint = f": did you mean {near!r}?" if near else ""
            problems.add(node.position, f"the inventory has no group {node.value!r}{hint}")
    return found


def _body(name: str, host: InventoryHost, problems: Problems) -> Node:
    """A host as the stack has it. Passwords and what only Ansible can evaluate are left out."""
    where = host.position
    known = {key: value for key, value in host.vars.items() if _usable(value)}
    own = {key: value for key, value in known.items() if not key.startswith("ansible_")}
    body = {
        "address": known.get("ansible_host", known.get("ansible_ssh_host", Node(name, where, text=name))),
        "groups": Node([Node(group, where, text=group) for group in host.groups], where),
        "vars": Node(own, where, {key: value.position for key, value in own.items()}),
    }
    for key in ("ansible_host", *_CONNECTION):
        if key in host.vars and key not in known:
            problems.add(
                host.vars[key].position,
                f"{key} of {name} is an expression of Ansible, which is not evaluated: write the value, or set it "
                "under `hosts` in the stack",
            )
    connection = _connection(name, known, problems)
    if connection:
        body["connection"] = Node(connection, where)
    return Node(body, where)


def _connection(name: str, known: Mapping[str, Node], problems: Problems) -> dict[str, Node]:
    found = {ours: known[theirs] for theirs, ours in reversed(_CONNECTION.items()) if theirs in known}
    kind, become = known.get("ansible_connection"), known.get("ansible_become")
    if kind is not None and kind.value not in _SSH:
        if kind.value in _LOCAL:
            found["transport"] = Node("local", kind.position, text="local")
        else:
            problems.add(
                kind.position, f"ansible_connection of {name} must be ssh or local, not {described(kind.data())}"
            )
    if become is not None and str(become.value).lower() in ("true", "yes", "1"):
        method = known.get("ansible_become_method")
        if method is not None and method.value not in _SUDO:
            problems.add(
                method.position, f"ansible_become_method of {name} must be sudo, not {described(method.data())}"
            )
        found["become"] = Node("sudo", become.position, text="sudo")
    return found


def _usable(value: Node) -> bool:
    """Whether a value is one by itself: no expression of Ansible, nothing encrypted by ansible-vault."""
    if "__ansible_vault" in value.map:
        return False
    texts = [one.value for one in value.scalars() if isinstance(one.value, str)]
    return not any("{{" in text or "{%" in text or text.lstrip().startswith("$ANSIBLE_VAULT") for text in texts)


__all__ = ["hosts_from"]
