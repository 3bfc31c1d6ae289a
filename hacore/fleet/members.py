"""The members of a fleet: found by a path, or made of the rows of a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..address import NAME
from ..errors import UsageError
from ..load import find_stack
from ..load.problems import Problems
from ..load.stack import Position
from ..load.yaml_nodes import Node
from .models import TableBody
from .tables import TableRow
from .values import Member

_LABEL = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def by_pattern(folder: Path, pattern: str, where: Position, problems: Problems) -> list[Member]:
    """The stack files that a path with `*` and `{label}` matches; each stands for a part of one name.

    The name of a stack is the path of its folder, with `.` for `/`.
    """
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        problems.add(where, "stacks must be a path below the folder of the fleet")
        return []
    expression = re.escape(pattern).replace(r"\*", "[^/]*")
    expression = re.sub(r"\\\{([A-Za-z_][A-Za-z0-9_]*)\\\}", r"(?P<\1>[^/]+?)", expression)
    try:
        matcher = re.compile(f"{expression}\\Z")
    except re.error:
        problems.add(where, "a label of `stacks` is used twice")
        return []
    found = []
    for path in sorted(folder.glob(_LABEL.sub("*", pattern))):
        relative = path.relative_to(folder).as_posix()
        match = matcher.match(relative)
        if match is None:
            continue
        try:
            file = find_stack(folder, str(path))
        except UsageError as error:
            problems.add(where, f"{relative}: {error}")
            continue
        name = file.parent.relative_to(folder).as_posix().replace("/", ".")
        if name == "." or not NAME.match(name):
            problems.add(where, f"{relative}: cannot name this stack: use letters, digits, _ . and - in its path")
            continue
        found.append(Member(name, str(file), match.groupdict()))
    return found


def of_rows(folder: Path, body: TableBody, rows: Sequence[TableRow], root: Node, problems: Problems) -> list[Member]:
    """A member for each row: the template with the row's values as variables, or as labels."""
    try:
        file = find_stack(folder, str(folder / body.template))
    except UsageError as error:
        problems.add(root.at(("stacks", "template")), str(error))
        return []
    found = []
    for row in rows:
        name = row.values.get(body.key, "")
        if not NAME.match(name):
            problems.add(row.position, f"the column {body.key!r} must name the row with letters, digits, _ . and -")
            continue
        labels = {key: row.values.get(key, "") for key in body.labels}
        for key in body.labels:
            if not labels[key]:
                problems.add(row.position, f"{name}: the label {key!r} has no value")
        variables = {key: value for key, value in row.values.items() if key not in (body.key, *body.labels)}
        found.append(Member(name, str(file), labels, variables))
    return found
