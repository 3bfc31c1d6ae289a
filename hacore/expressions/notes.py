"""The results of the expressions in a text, where secrets are looked for.

Only the result of an expression can be a secret, not the text around it. So each expression of a text passes
its result, with the paths that it names, to the function `NOTES` of the scope, if there is one. Names that a template
assigns itself (`set`, `for`) stand for the paths that they were assigned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.runtime import Context

from .syntax import Path, paths_of

NOTES = "__notes"
"""The name in a scope: a function of the paths and the result of an expression."""
FILTER = "__noted"
Note = Callable[[tuple[Path, ...], Any], None]


def observed(scope: Mapping[str, Any], chain: tuple[str | int, ...], value: Any) -> None:
    """Pass on the value of a plain chain of names."""
    note = scope.get(NOTES)
    if note is not None:
        note((tuple(str(part) for part in chain),), value)


@pass_context
def note_result(context: Context, value: Any, paths: tuple[Path, ...]) -> Any:
    """The filter around each expression of a text: the value itself."""
    note = context.get(NOTES)
    if note is not None:
        note(paths, value)
    return value


def noted(tree: nodes.Template) -> nodes.Template:
    """The tree with that filter around each expression that it prints."""
    local = _assigned(tree)
    for output in tree.find_all(nodes.Output):
        output.nodes = [
            child if isinstance(child, nodes.TemplateData) else _filtered(child, local) for child in output.nodes
        ]
    return tree


def _filtered(child: nodes.Expr, local: Mapping[str, tuple[Path, ...]]) -> nodes.Expr:
    found = {whole for path in paths_of(child) for whole in _whole(path, local)}
    paths = tuple(sorted(found, key=str))
    return nodes.Filter(child, FILTER, [nodes.Const(paths)], [], None, None, lineno=child.lineno)


def _whole(path: Path, local: Mapping[str, tuple[Path, ...]]) -> tuple[Path, ...]:
    sources = local.get(str(path[0]))
    return (path,) if sources is None else tuple((*source, *path[1:]) for source in sources)


def _assigned(tree: nodes.Template) -> dict[str, tuple[Path, ...]]:
    """The paths behind the names that `set` and `for` assign; the first name of `for k, v in x.items()` is a key."""
    found: dict[str, tuple[Path, ...]] = {}
    for node in tree.find_all((nodes.Assign, nodes.For)):
        assert isinstance(node, nodes.Assign | nodes.For)
        value = node.node if isinstance(node, nodes.Assign) else node.iter
        sources = tuple(whole for path in paths_of(value) for whole in _whole(path, found))
        if isinstance(node, nodes.For):
            sources = tuple((*source, None) for source in sources)
        target = node.target
        if isinstance(target, nodes.Name):
            found[target.name] = sources
        elif isinstance(target, nodes.Tuple):
            keys = isinstance(node, nodes.For) and len(target.items) == 2
            for index, item in enumerate(target.items):
                if isinstance(item, nodes.Name):
                    found[item.name] = () if keys and index == 0 else sources
    return found
