"""docs/providers.md: the kind that it makes works as it stands there, is the shipped one, and as short as it says."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Provider
from hacore.load import load, load_providers

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "docs" / "examples" / "hacore-command"
PAGE = (ROOT / "docs" / "providers.md").read_text()


def block(language: str, number: int = 0) -> str:
    return str(re.findall(rf"(?ms)^```{language}\n(.*?)^```", PAGE)[number])


def test_the_code_of_the_page_is_what_is_shipped() -> None:
    assert block("python") == (PACKAGE / "hacore_command" / "__init__.py").read_text()
    assert block("toml") == (PACKAGE / "pyproject.toml").read_text()


def test_the_code_of_the_page_is_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed off the page into a file, and found by the entry point that the page has."""
    (tmp_path / "hacore_command.py").write_text(block("python"))
    ((kind, where),) = tomllib.loads(block("toml"))["project"]["entry-points"]["hacore.providers"].items()
    module, _, name = where.partition(":")
    found = importlib.util.spec_from_file_location(module, tmp_path / f"{module}.py")
    assert found is not None and found.loader is not None
    made = importlib.util.module_from_spec(found)
    monkeypatch.setitem(__import__("sys").modules, module, made)
    found.loader.exec_module(made)
    provider: Provider = getattr(made, name)  # type: ignore[type-arg]
    (tmp_path / "stack.yaml").write_text(f"stack: mine\nhosts: {{a: {{address: 192.0.2.1}}}}\n{block('yaml')}")

    stack = load(tmp_path / "stack.yaml", providers={kind: provider}, environ={})

    assert [str(a) for a in stack.instances] == ["command.sysctl@a"]
    assert kind in load_providers()
    assert [p.value for p in entry_points(group="hacore.providers") if p.name == kind] == [where]


async def test_the_test_of_the_page_is_one(tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    exec(compile(block("python", 1), "providers.md", "exec"), found)

    await found["test_it_comes_and_goes"](tmp_path)

    assert not (tmp_path / "mark").exists()


def test_it_is_as_short_as_the_page_says() -> None:
    source = block("python")
    prose: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            prose.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    code = [line for number, line in enumerate(source.splitlines(), 1) if line.strip() and number not in prose]

    (most,) = re.findall(r"(\d+) lines without blank ones", PAGE)
    assert len(code) <= int(most)
