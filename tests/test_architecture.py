"""What the parts may know of each other, looked up in their source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    p for top in ("hacore", "providers", "docs/examples/hacore-command") for p in (ROOT / top).rglob("*.py")
)
OWNERS = {
    "asyncssh": "hacore/transport",
    "networkx": "hacore/graph",
    "deepdiff": "hacore/diff",
    "sqlalchemy": "hacore/store",
    "alembic": "hacore/store",
    "jinja2": "hacore/expressions",
    "ruamel": "hacore/load",
    "rich": "hacore/render",
    "click": "hacore/cli",
    "cryptography": "hacore/store",
}
PIPELINE = [
    *("errors", "address", "events", "model", "contract", "store", "transport", "expressions", "load", "graph"),
    *("probe", "diff", "plan", "journal", "walk", "engine", "render", "cli"),
]
MOST_LINES = 320
LONG: set[str] = set()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """The full names of all modules that a file imports, at the top or anywhere else."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (base, node.module or "") if part)
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("library", sorted(OWNERS))
def test_each_big_dependency_has_one_importer(library: str) -> None:
    users = {relative(p) for p in SOURCES if any(name.split(".")[0] == library for name in imports(p))}
    strangers = {u for u in users if not u.startswith((OWNERS[library] + "/", "hacore/lab/"))}
    assert not strangers


def test_modules_import_only_those_before_them() -> None:
    wrong = []
    for path in SOURCES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] != "hacore" or len(parts) < 2 or parts[1] not in PIPELINE:
            continue
        for name in imports(path):
            target = name.split(".")[1:2]
            later = name.startswith("hacore.") and target[0] in PIPELINE[PIPELINE.index(parts[1]) + 1 :]
            if later:
                wrong.append(f"{relative(path)} imports {name}")
    assert not wrong


def test_the_engine_does_not_know_its_test_helpers_nor_any_kind() -> None:
    wrong = [
        f"{relative(p)} imports {name}"
        for p in SOURCES
        if relative(p).startswith("hacore/") and not relative(p).startswith(("hacore/testing/", "hacore/lab/"))
        for name in imports(p)
        if name.startswith(("hacore.testing", "hacore_providers", "providers"))
    ]
    assert not wrong


def test_providers_know_the_contract_and_nothing_else_of_the_engine() -> None:
    allowed = ("hacore.contract", "hacore.model", "hacore.address")
    wrong = [
        f"{relative(p)} imports {name}"
        for p in SOURCES
        if relative(p).startswith(("providers/", "docs/examples/"))
        for name in imports(p)
        if name.split(".")[0] in ("hacore", *OWNERS) and name != "hacore" and not name.startswith(allowed)
    ]
    assert not wrong


def test_only_those_who_talk_to_people_print() -> None:
    wrong = []
    for path in SOURCES:
        if relative(path).startswith(("hacore/cli/", "hacore/render/", "hacore/lab/")):
            continue
        calls = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]
        wrong += [
            f"{relative(path)}:{c.lineno}" for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"
        ]
    assert not wrong


def test_files_stay_small() -> None:
    lines = {relative(p): len(p.read_text().splitlines()) for p in SOURCES}
    assert not {name: count for name, count in lines.items() if count > MOST_LINES and name not in LONG}


def test_every_module_says_what_it_is_for() -> None:
    assert not [relative(p) for p in SOURCES if p.read_text().strip() and not ast.get_docstring(tree(p))]
