"""No test sleeps for a time that should be enough: it asks for its condition again and again, until a deadline."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
_WHY = "the moment of a kill is drawn, or any: the time is the case, and nothing waits for it"
DRAWN = dict.fromkeys(("hosts/test_killed.py", "hosts/test_canaries.py", "cli/test_canaries.py"), _WHY)


def sleeps(node: ast.AST, *, polling: bool = False) -> Iterator[int]:
    """The lines that sleep outside a loop on a condition. `sleep(0)` gives others their turn and takes no time."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and not polling:
            name = child.func.attr if isinstance(child.func, ast.Attribute) else getattr(child.func, "id", "")
            turn = [value.value for value in child.args if isinstance(value, ast.Constant)] == [0]
            if name == "sleep" and not turn:
                yield child.lineno
        yield from sleeps(child, polling=polling or isinstance(child, ast.While))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("time.sleep(1)", [1]),
        ("async def f():\n    await asyncio.sleep(0.01)", [2]),
        ("for n in range(3):\n    sleep(n)", [2]),
        ("while not ready():\n    time.sleep(0.1)", []),
        ("await asyncio.sleep(0)", []),
    ],
)
def test_a_sleep_is_found(text: str, lines: list[int]) -> None:
    assert list(sleeps(ast.parse(text))) == lines


def test_no_test_sleeps() -> None:
    found = [
        f"{name}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        if (name := path.relative_to(TESTS).as_posix()) not in DRAWN
        for line in sleeps(ast.parse(path.read_text()))
    ]
    assert not found
