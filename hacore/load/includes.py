"""`include`: parts of a stack in more files of its folder, as if they stood in the stack file.

A file is a mapping with some of the sections of a stack file. Nothing may be there twice: which of two values counted
would depend on the names of files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from .outline import root_of, shown
from .problems import Problems, described
from .yaml_nodes import Node

SECTIONS = frozenset(("variables", "hosts", "bystanders", "resources", "outputs"))
"""What an included file may have: the name, the state and the connection are in the stack file."""


def included(root: Node, file: Path, problems: Problems) -> Node:
    """The stack file with the sections of the files that it includes; mistakes become problems."""
    written = root.child("include")
    if written is None or written.value is None:
        return root
    for part in _files(written, file, problems):
        body = root_of(part, problems, SECTIONS, within=file.parent)
        if body is not None:
            root = _with(root, body, problems)
    return root


def _files(written: Node, file: Path, problems: Problems) -> Iterator[Path]:
    """The files that the patterns name, each once, in the order of the patterns and of their names."""
    if not isinstance(written.value, list):
        problems.add(written.position, f"include must be a list of file names, not {described(written.data())}")
        return
    taken = {file.resolve()}
    for node in written.list:
        pattern = node.value
        if not isinstance(pattern, str) or not pattern or "\0" in pattern:
            problems.add(node.position, f"include must have file names, not {described(node.data())}")
            continue
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts:
            problems.add(node.position, f"cannot include {pattern!r}: it is outside of the stack's folder")
            continue
        found = sorted(part for part in file.parent.glob(pattern) if part.is_file())
        if not found and not any(sign in pattern for sign in "*?["):
            problems.add(node.position, f"cannot include {pattern!r}: there is no such file in {shown(file.parent)}")
        for part in found:
            if part.resolve() not in taken:
                taken.add(part.resolve())
                yield part


def _with(root: Node, body: Node, problems: Problems) -> Node:
    """The stack file with the sections of one more file; `resources` are put together kind by kind."""
    for name, part in body.map.items():
        own = root.map.get(name)
        if name not in SECTIONS or part.value is None:
            continue
        if own is None or own.value is None:
            merged = part
        elif not isinstance(own.value, dict) or not isinstance(part.value, dict):
            wrong = own if not isinstance(own.value, dict) else part
            problems.add(wrong.position, f"{name} must be a mapping, not {described(wrong.data())}")
            continue
        else:
            merged = _together(own, part, name, problems, deep=name == "resources")
        keys = {**root.keys, **({} if own is not None else {name: body.key(name)})}
        root = replace(root, value={**root.map, name: merged}, keys=keys)
    return root


def _together(own: Node, part: Node, what: str, problems: Problems, *, deep: bool) -> Node:
    entries, keys = dict(own.map), dict(own.keys)
    for key, node in part.map.items():
        below = entries.get(key)
        if below is None:
            entries[key], keys[key] = node, part.key(key)
        elif deep and isinstance(below.value, dict) and isinstance(node.value, dict):
            entries[key] = _together(below, node, f"{what}.{key}", problems, deep=False)
        else:
            first = own.key(key)
            problems.add(part.key(key), f"{what}.{key} is there twice: {first.file}:{first.line} has it, too")
    return replace(own, value=entries, keys=keys)


__all__ = ["SECTIONS", "included"]
