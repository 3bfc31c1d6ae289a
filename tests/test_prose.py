"""Nothing is decided by a sentence: what is shown may be worded anew without a change of behaviour."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

from tests.test_architecture import SOURCES, relative, tree

ASKING = frozenset(
    ("startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split", "find", "index")
)
PROSE = re.compile(r"[A-Za-z:,] ")
NOT_OURS = {
    # the words of others' programs, which have no other way to say it
    ("hacore/load/pydantic_errors.py", "Input should be "),  # pydantic
    ("hacore/load/pydantic_errors.py", "Value error, "),
    ("hacore/load/pydantic_errors.py", "Assertion failed, "),
    ("hacore/lab/network.py", "-P FORWARD DROP"),  # iptables
    ("hacore/transport/become.py", "must have a tty"),  # sudo
    ("hacore/transport/become.py", "sudo: "),
    ("providers/hacore_providers/vrrp_instance/members.py", "Stopped keepalived"),  # systemd, of its unit
    ("hacore/transport/explain.py", "authentication failures"),  # OpenSSH's server
    ("providers/hacore_providers/facts/packages.py", "  Candidate: "),  # apt-cache
    ("hacore/model.py", "Value error, "),  # pydantic
    ("hacore/cli/named_hosts.py", "Value error, "),
    ("hacore/transport/route.py", "Value error, "),
    # what our own scripts on a host write for us, and files of ours: a form, shown to nobody
    ("hacore/probe/link.py", "fenced "),
    ("hacore/probe/link.py", "fenced gone"),
    ("hacore/probe/link.py", "rc "),
    ("hacore/render/terminal.py", ": hacore "),  # a command in a line stays whole when the line is wrapped
    ("hacore/probe/script.py", "late "),
    ("hacore/walk/hostlock.py", "warning: "),
    ("hacore/lab/manifest.py", ": "),
    ("providers/hacore_providers/facts/packages.py", "rpm "),
    ("hacore/engine/drift_memory.py", "machine "),
    ("hacore/engine/drift_memory.py", "address "),
    ("providers/hacore_providers/facts/keepalived_daemon.py", "(?m)^unit "),
    ("hacore/engine/drift_memory.py", "stranger "),
    # commands as they are run or written by the user
    ("providers/hacore_providers/source_build/spec.py", "make "),
    ("hacore/testing/world.py", "restart "),
    ("hacore/testing/world.py", "cat /proc/sys/kernel/random/boot_id"),
    # records of earlier versions: their sentences stay as they were, whatever is shown today
    ("hacore/store/legacy.py", "it lives somewhere else now"),
    ("hacore/store/legacy.py", "is gone"),
    ("hacore/store/legacy.py", "not asked"),
}


def own(scope: ast.AST) -> Iterator[ast.AST]:
    """What is in a module or function, but not in the functions inside."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from own(child)


def named(scope: ast.AST) -> dict[str, list[str]]:
    """The texts that a name stands for: of a constant, or of a loop over constants."""
    found: dict[str, list[str]] = {}
    for node in own(scope):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.For | ast.comprehension):
            pairs = [(node.target, node.iter)]
        for target, value in pairs:
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant | ast.Tuple | ast.List | ast.Set):
                found.setdefault(target.id, []).extend(texts(value, {}))
    return found


def texts(node: ast.AST, names: dict[str, list[str]]) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name):
            yield from names.get(part.id, ())


def compared(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Each text that something is compared with, and its line."""
    yield from _compared(module, named(module))
    for scope in ast.walk(module):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _compared(scope, named(module) | named(scope))


def _compared(scope: ast.AST, names: dict[str, list[str]]) -> Iterator[tuple[int, str]]:
    for node in own(scope):
        asked: Iterable[ast.AST] = ()
        if isinstance(node, ast.Compare):
            asked = (node.left, *node.comparators)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
            asked = node.args
        elif isinstance(node, ast.MatchValue):
            asked = (node.value,)
        for part in asked:
            if isinstance(part, ast.Constant | ast.Tuple | ast.Set | ast.Name | ast.JoinedStr):
                yield from ((part.lineno, text) for text in texts(part, names))


def prose(file: str, module: ast.Module) -> list[str]:
    return [f"{file}:{line}: {text!r}" for line, text in compared(module) if PROSE.search(text)]


@pytest.mark.parametrize(
    "line",
    [
        'x = reason == "it is gone"',
        'x = "is gone" in reason',
        'x = reason.startswith("must ")',
        'x = error.startswith(("cannot ", "may not "))',
        'x = reason in ("is gone", "was gone")',
        'GONE = "is gone"\nx = reason != GONE',
        'for prefix in ("is ", "has "):\n    x = reason.removeprefix(prefix)',
        'match reason:\n    case "is gone":\n        x = 1',
    ],
)
def test_a_planted_sentence_is_seen(line: str) -> None:
    assert prose("x.py", ast.parse(line))


def test_nothing_is_decided_by_a_sentence() -> None:
    found = {(relative(p), text) for p in SOURCES for _, text in compared(tree(p)) if PROSE.search(text)}
    assert found - NOT_OURS == set()
    assert NOT_OURS - found == set(), "no longer compared: take it off the list"
