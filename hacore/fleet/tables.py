"""Tables of a fleet: CSV, YAML, or the groups of an Ansible inventory; each row with its position."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..load.inventory_file import read_inventory
from ..load.outline import shown
from ..load.problems import Problems
from ..load.stack import Position
from ..load.yaml_nodes import Node, read_yaml
from .models import TableBody


@dataclass(frozen=True, slots=True)
class TableRow:
    """The values of a row by column, as the texts of --var: lists and mappings are JSON."""

    position: Position
    values: Mapping[str, str]


def read(folder: Path, body: TableBody, root: Node, problems: Problems) -> list[TableRow]:
    """The rows of a table; mistakes become problems. Raises UsageError for a file that cannot be read."""
    path = folder / str(body.table or body.inventory)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {shown(path)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        problems.add(Position(shown(path), 1, 1), f"cannot read the file: not a UTF-8 text (byte {error.start})")
        return []
    if body.inventory is not None:
        return _inventory(text, shown(path), body, root, problems)
    if path.suffix == ".csv":
        return _csv(text, shown(path), problems)
    node = read_yaml(text, shown(path), problems) if text.strip() else None
    if node is None:
        return []
    if path.suffix in (".yaml", ".yml"):
        return _yaml(node, body.key, problems)
    problems.add(root.at(("stacks", "table")), "table must be a .csv or .yaml file")
    return []


def _csv(text: str, file: str, problems: Problems) -> list[TableRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[TableRow] = []
    header: list[str] = []
    try:
        for values in reader:
            position = Position(file, reader.line_num, 1)
            if not any(value.strip() for value in values):
                continue
            if not header:
                header = [value.strip() for value in values]
                for name in sorted({name for name in header if header.count(name) > 1 or not name}):
                    problems.add(position, f"the column {name!r} must have a name of its own")
            elif len(values) != len(header):
                problems.add(position, f"the row has {len(values)} values, the header has {len(header)}")
            else:
                found = zip(header, (value.strip() for value in values), strict=True)
                rows.append(TableRow(position, {name: value for name, value in found if value}))
    except csv.Error as error:
        problems.add(Position(file, reader.line_num, 1), f"cannot read the table: {error}")
    return rows


def _yaml(node: Node, key: str, problems: Problems) -> list[TableRow]:
    """A list of mappings, or a mapping of names to mappings."""
    if isinstance(node.value, dict):
        rows = [(row.position, {key: name, **_texts(row)}, row) for name, row in node.map.items()]
    else:
        rows = [(row.position, _texts(row), row) for row in node.list]
    if not isinstance(node.value, dict | list):
        problems.add(node.position, "a table must be a list of mappings, or a mapping of names to mappings")
    found = []
    for position, values, row in rows:
        if isinstance(row.value, dict) or (row.value is None and isinstance(node.value, dict)):
            found.append(TableRow(position, values))
        else:
            problems.add(position, "a row must be a mapping of columns to values")
    return found


def _texts(node: Node) -> dict[str, str]:
    return {name: _text(value) for name, value in node.map.items() if value.value is not None}


def _text(node: Node) -> str:
    return node.value if isinstance(node.value, str) else json.dumps(node.data())


def _inventory(text: str, file: str, body: TableBody, root: Node, problems: Problems) -> list[TableRow]:
    """Each group with hosts: its name, its variables, and `hosts`, a mapping of host to address."""
    inventory = read_inventory(text, file, problems)
    groups = {name: group for name, group in inventory.groups.items() if name not in ("all", "ungrouped")}
    if body.children_of is None:
        chosen = {name: group for name, group in groups.items() if group.hosts}
    elif body.children_of in inventory.groups:
        chosen = {name: groups[name] for name in inventory.groups[body.children_of].children if name in groups}
    else:
        problems.add(root.at(("stacks", "children_of")), f"the inventory has no group {body.children_of!r}")
        return []
    known = inventory.hosts()
    rows = []
    for name, group in chosen.items():
        values = {body.key: name, **{key: _text(value) for key, value in group.vars.items() if value.value is not None}}
        addresses = {host: _address(host, known[host].vars) for host in group.hosts}
        rows.append(TableRow(group.position, {**values, "hosts": json.dumps(addresses)}))
    return rows


def _address(host: str, values: Mapping[str, Node]) -> str:
    found = values.get("ansible_host")
    return str(found.value) if found is not None else host
