"""`vars_from`: values of variables from what another tool knows. Terraform: the file of `terraform output -json`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ExpressionError
from ..scalars import data_fault
from .files import Folder
from .outline import shown
from .problems import Problems, described
from .stack import Position
from .yaml_nodes import Node

_FORM = "it must be the output of `terraform output -json`"


@dataclass(frozen=True, slots=True)
class Outputs:
    """Values by name, and the names of the sensitive ones: they stay sensitive."""

    values: dict[str, Node] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()


def outputs_from(root: Node, environment: Node | None, folder: Folder, problems: Problems) -> Outputs:
    """The values that `vars_from` names, that of the environment in place of the stack's; mistakes become problems."""
    for node in (environment, root):
        written = node.child("vars_from") if node is not None else None
        if written is not None and written.value is not None:
            return _read(written, folder, problems)
    return Outputs()


def _read(written: Node, folder: Folder, problems: Problems) -> Outputs:
    file = written.child("terraform")
    if set(written.map) != {"terraform"} or file is None or not isinstance(file.value, str):
        problems.add(
            written.position, "vars_from must be {terraform: FILE}, a file of the stack's folder with the outputs"
        )
        return Outputs()
    try:
        path = folder.locate(file.value)
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except ExpressionError as error:
        problems.add(file.position, str(error))
        return Outputs()
    except OSError as error:
        made = f"terraform output -json > {file.value}"
        problems.add(file.position, f"cannot read {file.value}: {error.strerror}; to make it: {made}")
        return Outputs()
    except (ValueError, RecursionError):
        problems.add(file.position, f"cannot read {file.value}: {_FORM}")
        return Outputs()
    return _outputs(data, path, file, problems)


def _outputs(data: Any, path: Path, file: Node, problems: Problems) -> Outputs:
    if not isinstance(data, dict) or not all(isinstance(one, dict) and "value" in one for one in data.values()):
        problems.add(file.position, f"cannot use {file.value}: {_FORM}, which has a `value` for each output")
        return Outputs()
    at = Position(shown(path), 1, 1)
    values: dict[str, Node] = {}
    for name, one in data.items():
        if fault := data_fault(one["value"]):
            problems.add(file.position, f"cannot use the output {name!r} of {file.value}: it {fault}")
        else:
            values[name] = _node(one["value"], at)
    # what is not marked as harmless by a bool is treated as a secret
    return Outputs(values, frozenset(name for name, one in data.items() if one.get("sensitive", False) is not False))


def _node(value: Any, at: Position) -> Node:
    if isinstance(value, dict):
        return Node({str(key): _node(one, at) for key, one in value.items()}, at)
    if isinstance(value, list):
        return Node([_node(one, at) for one in value], at)
    return Node(value, at, text=value if isinstance(value, str) else described(value))


__all__ = ["Outputs", "outputs_from"]
