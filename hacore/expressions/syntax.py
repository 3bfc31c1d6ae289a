"""The paths that an expression or a template names, read from its syntax tree.

A *path* is a chain of names such as `("host", "vars", "interface")`; `None` is a part that is known only at
evaluation (`var[each.key]`). Secrets are tracked by these paths, so in case of doubt a path covers too much:
a call of a mapping's method names the whole mapping.
"""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import meta, nodes

Path = tuple[str | None, ...]

_METHODS = frozenset(name for name in dir(dict) if not name.startswith("_"))


def paths_of(tree: nodes.Node) -> frozenset[Path]:
    """All paths that a syntax tree names, including branches that are not evaluated."""
    found: set[Path] = set()
    _walk(tree, found, called=False)
    return frozenset(found)


def roots_of(tree: nodes.Template) -> frozenset[str]:
    """The names that the scope must define: without assigned names and loop variables."""
    return frozenset(meta.find_undeclared_variables(tree))


def inclusions_of(tree: nodes.Template) -> frozenset[str | None]:
    """The templates that a template includes, imports or extends; None for a name that is computed."""
    return frozenset(meta.find_referenced_templates(tree))


def chain_of(node: nodes.Node) -> tuple[str | int, ...] | None:
    """The parts of a plain chain (`host.vars['x'].y`) with its root first; None for anything else."""
    parts: list[str | int] = []
    while True:
        if isinstance(node, nodes.Name):
            parts.append(node.name)
            return tuple(reversed(parts))
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif isinstance(node, nodes.Getitem) and _constant(node.arg):
            parts.append(node.arg.value)  # type: ignore[attr-defined]
        else:
            return None
        node = node.node


def touches(paths: Iterable[Path], patterns: Iterable[Path]) -> bool:
    """Whether a path overlaps a pattern: they are equal up to the length of the shorter one."""
    patterns = tuple(patterns)
    return any(
        all(a == b or a is None or b is None for a, b in zip(path, pattern, strict=False))
        for path in paths
        for pattern in patterns
    )


def _walk(node: nodes.Node, found: set[Path], *, called: bool) -> None:
    if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
        _chain(node, found, called=called)
        return
    if isinstance(node, nodes.Call):
        _walk(node.node, found, called=True)
        for child in node.iter_child_nodes(exclude=("node",)):
            _walk(child, found, called=False)
        return
    for child in node.iter_child_nodes():
        _walk(child, found, called=False)


def _chain(node: nodes.Node, found: set[Path], *, called: bool) -> None:
    parts: list[str | None] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
        elif _constant(node.arg) and not str(node.arg.value).startswith("-"):  # type: ignore[attr-defined]
            parts.append(str(node.arg.value))  # type: ignore[attr-defined]
        else:
            parts.append(None)  # counted from the end, or computed
            _walk(node.arg, found, called=False)
        node = node.node
    if not isinstance(node, nodes.Name):
        _walk(node, found, called=False)
        return
    if called and parts:
        parts.pop(0)  # a method: its object is named
    if node.ctx != "load":
        return
    path: list[str | None] = [node.name]
    for part in reversed(parts):
        if part in _METHODS:
            break
        path.append(part)
    found.add(tuple(path))


def _constant(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and type(node.value) in (str, int)
